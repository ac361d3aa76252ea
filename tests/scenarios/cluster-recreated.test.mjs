// A cluster deleted and made again under its name is another cluster: new authority, new endpoint, old watches cut.
import assert from 'node:assert/strict';
import { CLUSTERS, nameOf, person, scenario, startBoth, until } from './harness.mjs';

scenario('a cluster is re-created', async (world) => {
	const { discoveryd, kubeproxyd } = await startBoth(world);
	const [prod] = CLUSTERS;
	const alice = await person(world, kubeproxyd, 'alice', ['engineering']);
	const watch = alice.startKubectl(nameOf(prod), ['get', '--raw', '/api/v1/namespaces/default/pods?watch=true']);
	await watch.waitFor(/web-1/, { stream: 'stdout' });
	const find = async () => (await discoveryd.clusters()).find((cluster) => cluster.metadata.name === nameOf(prod));
	const before = await find();

	await world.recreateCluster(prod);
	await until(
		'another creation time',
		async () => (await find())?.spec.aws.created_at !== before.spec.aws.created_at && find(),
	);
	const after = await find();
	assert.notEqual(after.spec.certificate_authority, before.spec.certificate_authority);
	await watch.ended;
	await until('service from the new one', async () => {
		const answer = await alice.request(`/clusters/${nameOf(prod)}/api/v1/namespaces/default/pods`);
		return answer.status === 200;
	});
	assert.ok((await world.received(prod)).length > 0);
});
