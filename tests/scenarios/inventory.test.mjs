// Who follows the bus, as `discoveryd inventory --connected` tells: instance, version, what it has applied and how far it lags,
// and the principal whose access entries its clusters have to have. Two instances, and a tap, which has none.
import assert from 'node:assert/strict';
import { command, OWN, scenario, startBoth, startBustap, startKubeproxyd, until } from './harness.mjs';

scenario('inventory', async (world) => {
	world.config.eksgate.proxy.probe_interval = '1h'; // proxies look at their clusters, and report
	world.writeConfig();
	const { discoveryd } = await startBoth(world);
	await startKubeproxyd(world, 'second');
	startBustap(world);
	const { subscribers, sequence } = await until('all are live and have told who they are', async () => {
		const inventory = await discoveryd.inventory();
		const proxies = inventory.subscribers.filter(({ role }) => role === 'proxy');
		const isWhole =
			inventory.subscribers.length === 3 &&
			proxies.every(({ principals }) => principals.length > 0) &&
			inventory.subscribers.every(({ state, lag }) => state === 'live' && lag === 0);
		if (!isWhole) throw new Error(JSON.stringify(inventory.subscribers));
		return inventory;
	});
	assert.deepEqual(subscribers.map(({ instance }) => instance).sort(), ['bustap', 'main', 'second']);
	for (const { role, version, applied, principals, instance } of subscribers) {
		assert.deepEqual([version, applied], ['0.1.0', sequence], instance);
		assert.deepEqual(principals, role === 'proxy' ? [world.proxyUser.arn] : [], instance);
	}
	const { stdout } = await command(world, 'discoveryd', ['inventory', '--connected']);
	assert.match(stdout, /^INSTANCE .*VERSION .*APPLIED +LAG .*PRINCIPALS$/m);
	assert.match(stdout, new RegExp(`^main .* live +\\d+ +0 .*arn:aws:iam::${OWN}:user/proxy$`, 'm'));

	await world.addCluster({ account: OWN, region: 'eu-west-1', name: 'one-more', tags: { env: 'prod' } });
	await until('all have applied the change', async () => {
		const inventory = await discoveryd.inventory();
		return inventory.sequence > sequence && inventory.subscribers.every(({ applied }) => applied === inventory.sequence);
	});
});
