// Two daemons that act as one principal protect nothing from each other: check warns of it as far as the configuration tells,
// and discoveryd as far as its proxies report. One proxy of two has discoveryd's credentials.
import assert from 'node:assert/strict';
import { command, OTHER, scenario, startDiscoveryd, startKubeproxyd, until } from './harness.mjs';

scenario('daemons that act as one principal', async (world) => {
	world.config.eksgate.proxy.probe_interval = '1s';
	world.writeConfig();
	const check = async () => JSON.parse((await command(world, 'discoveryd', ['check', '--format', 'json'])).stdout).warnings;
	const apart = (await check()).length;
	const status = async () => (await command(world, 'discoveryd', ['status'])).stdout;

	const discoveryd = await startDiscoveryd(world);
	await startKubeproxyd(world, 'good');
	const reported = (instance) =>
		until(`${instance} reports its principal`, async () =>
			(await discoveryd.inventory()).subscribers.some((peer) => peer.instance === instance && peer.principals.length > 0),
		);
	await reported('good');
	await until('discoveryd knows who it is', async () => (await discoveryd.status()).principals.own === world.discoveryUser.arn);
	assert.deepEqual((await discoveryd.status()).principals.shared, []);
	assert.doesNotMatch(await status(), /ONE PRINCIPAL/);

	const from = discoveryd.stderr.length;
	const greedy = await startKubeproxyd(world, 'greedy', { env: world.environment(world.discoveryUser) });
	await reported('greedy');
	await until('it is told', async () => (await discoveryd.status()).principals.shared.length > 0);
	assert.deepEqual((await discoveryd.status()).principals.shared, [{ instance: 'greedy', principal: world.discoveryUser.arn }]);
	assert.match(await status(), new RegExp(`ONE PRINCIPAL: greedy acts as ${world.discoveryUser.arn}`));
	await discoveryd.log('main', 'one-principal', /./, { from });
	await greedy.stop();
	await until('it is over', async () => (await discoveryd.status()).principals.shared.length === 0);

	world.config.kubernetes_service.resources = [{ labels: { '*': '*' }, aws: { assume_role_arn: world.roleArn } }];
	world.writeConfig();
	const warnings = await check();
	assert.equal(warnings.length, apart + 1);
	assert.match(warnings.at(-1), new RegExp(`eksgate.yaml:\\d+: .*${OTHER}:role/eksgate-discover, which discoveryd acts as, too \\(.* in line \\d+\\): .*a role of its own`));
});
