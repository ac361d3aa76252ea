// A cluster that appears is served with the next sweep; one that is not ACTIVE yet waits until it is.
import assert from 'node:assert/strict';
import { MATCHED, OWN, person, scenario, startBoth } from './harness.mjs';

scenario('a cluster is added', async (world) => {
	const { discoveryd, kubeproxyd } = await startBoth(world);
	const cluster = { account: OWN, region: 'us-west-2', name: 'newcomer', tags: { env: 'prod' } };
	const name = await world.addCluster(cluster);
	await kubeproxyd.untilServed([...MATCHED, name]);
	const alice = await person(world, kubeproxyd, 'alice', ['engineering']);
	assert.match(await alice.kubectlOk(name, ['get', 'pods']), /web-1/);

	const early = { account: OWN, region: 'us-west-2', name: 'early', tags: { env: 'prod' } };
	await world.putCluster(early, { tags: early.tags, status: 'CREATING' });
	await discoveryd.untilSwept();
	assert.ok(!(await discoveryd.names()).some((word) => word.startsWith('early')));
	const earlyName = await world.addCluster(early);
	await world.putCluster(early, { status: 'ACTIVE' });
	await kubeproxyd.untilServed([...MATCHED, name, earlyName]);
});
