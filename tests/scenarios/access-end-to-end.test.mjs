// Both halves as they are: from a cluster without any access to one that is permitted and healthy, without a person's help.
import assert from 'node:assert/strict';
import { assertNobodyIsAdmin, bare, entries, setUpAccess, setUpServing, untilAccess } from './access.mjs';
import { nameOf, scenario, startDiscoveryd, startKubeproxyd, until } from './harness.mjs';

const cluster = { ...bare('fresh'), tags: { env: 'prod' } };

scenario('from discovered to healthy, both daemons', { clusters: [bare('seed')] }, async (world) => {
	await setUpAccess(world, { delayMs: 200, settle: '5s' });
	await setUpServing(world);
	world.config.eksgate.proxy.probe_interval = '1s';
	world.writeConfig();
	await world.addCluster(cluster, { seed: false });
	const discoveryd = await startDiscoveryd(world);
	const kubeproxyd = await startKubeproxyd(world);
	await kubeproxyd.untilServed([nameOf(cluster)]);
	await untilAccess(discoveryd, cluster, /^ready$/, { timeoutMs: 60000 });
	await until('it is healthy', async () => {
		const { state } = (await discoveryd.clusters()).find((item) => item.metadata.name === nameOf(cluster));
		if (state.reached !== 'healthy') throw new Error(JSON.stringify(state));
		return true;
	});
	await until('one entry is left', async () => (await entries(world, cluster)).length === 1);
	await assertNobodyIsAdmin(world, [cluster]);
	const [entry] = await entries(world, cluster);
	assert.equal(entry.principalArn, world.serveArn);
});
