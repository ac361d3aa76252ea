// Both daemons start on nothing; every matching cluster of two accounts and three regions is found, published and served.
import assert from 'node:assert/strict';
import { CLUSTERS, MATCHED, nameOf, person, scenario, startBoth } from './harness.mjs';

scenario('first discovery', async (world) => {
	const { discoveryd, kubeproxyd } = await startBoth(world);
	assert.deepEqual(await discoveryd.names(), MATCHED);

	const [prod] = CLUSTERS;
	const resource = (await discoveryd.clusters()).find((cluster) => cluster.metadata.name === nameOf(prod));
	assert.equal(resource.kind, 'kube_cluster');
	assert.equal(resource.spec.aws.arn, `arn:aws:eks:eu-west-1:${prod.account}:cluster/prod-1`);
	assert.match(resource.spec.endpoint, /^https:\/\/127\.0\.0\.1:\d+$/);
	const { labels } = resource.metadata;
	assert.deepEqual(
		[labels.env, labels.team, labels.region, labels['account-id']],
		['prod', 'web', 'eu-west-1', prod.account],
	);
	assert.deepEqual([labels['teleport.dev/cloud'], labels['teleport.dev/discovery-type']], ['AWS', 'eks']);

	const alice = await person(world, kubeproxyd, 'alice', ['engineering']);
	for (const name of MATCHED) assert.match(await alice.kubectlOk(name, ['get', 'pods']), /web-1 .*Running/);
	const [first] = (await world.received(prod)).filter((entry) =>
		entry.target.startsWith('/api/v1/namespaces/default/pods'),
	);
	assert.equal(first.identity, world.proxyUser.arn);
	assert.deepEqual([first.user, first.groups], ['alice', ['developers', 'system:authenticated']]);
});
