// A deleted cluster leaves the registry, the proxy and, for who still asks, a clear answer.
import assert from 'node:assert/strict';
import { CLUSTERS, MATCHED, nameOf, person, scenario, startBoth } from './harness.mjs';

scenario('a cluster is deleted', async (world) => {
	const { discoveryd, kubeproxyd } = await startBoth(world);
	const [prod, , second] = CLUSTERS;
	const alice = await person(world, kubeproxyd, 'alice', ['engineering']);
	await world.putCluster(prod, { status: 'DELETING' });
	await kubeproxyd.untilServed(MATCHED.filter((name) => name !== nameOf(prod)));
	await world.deleteCluster(prod);
	await world.deleteCluster(second);
	const left = MATCHED.filter((name) => name !== nameOf(prod) && name !== nameOf(second));
	await kubeproxyd.untilServed(left);
	await discoveryd.untilNames(left);
	const answer = await alice.request(`/clusters/${nameOf(prod)}/api/v1/namespaces/default/pods`);
	assert.equal(answer.status, 404);
	assert.equal(answer.json.kind, 'Status');
});
