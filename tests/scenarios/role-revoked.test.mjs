// A role loses its permissions in the middle of a pass: half of the clusters were described, the others are denied. What was
// known stays, the status names the operation, and nothing is lost when the permissions come back.
import assert from 'node:assert/strict';
import { nameOf, OTHER, scenario, startDiscoveryd, until } from './harness.mjs';

const READS = ['eks:ListClusters', 'eks:DescribeCluster', 'tag:GetResources'];
const permissions = READS.map((action) => ({ effect: 'Allow', action }));
const clusters = ['a', 'b', 'c', 'd'].map((name) => ({ account: OTHER, region: 'eu-west-1', name, tags: { env: 'prod' } }));

async function describes(world) {
	const calls = await world.aws('GET', '/calls');
	return calls.filter(({ operation, account }) => operation === 'eks:DescribeCluster' && account === OTHER);
}

scenario('a role revoked in the middle of a pass', { clusters: [] }, async (world) => {
	world.config.eksgate.discovery.describe_parallel = 1;
	world.config.discovery_service.aws = [{ ...world.config.discovery_service.aws[1], regions: ['eu-west-1'] }];
	world.writeConfig();
	for (const cluster of clusters) await world.addCluster(cluster, { seed: false });
	const discoveryd = await startDiscoveryd(world);
	await discoveryd.untilNames(clusters.map(nameOf));

	const role = { trust: undefined, permissions: permissions.slice(0, 1) };
	await world.aws('POST', '/faults', { kind: 'delay', operation: 'eks:DescribeCluster', ms: 300 });
	await world.aws('DELETE', '/calls');
	discoveryd.reload();
	await until('the pass is under way', async () => (await describes(world))[0]?.calls >= 2);
	await world.aws('PUT', `/roles/${OTHER}/eksgate-discover`, role);
	const scope = await until('the denial', async () => {
		const [first] = (await discoveryd.status()).scopes;
		return first.error && first;
	});
	assert.deepEqual(
		[scope.state, scope.error.operation, scope.error.code],
		['backoff', 'eks:DescribeCluster', 'AccessDeniedException'],
	);
	assert.match(scope.error.remedy, /allow eks:DescribeCluster for role arn:aws:iam::222222222222/);
	const [{ calls, errors }] = await describes(world);
	assert.ok(calls > errors.AccessDeniedException, 'some were answered');
	assert.deepEqual(await discoveryd.names(), clusters.map(nameOf).sort());

	// A cluster goes while nobody may look: seen as soon as somebody may, and not before.
	await world.deleteCluster(clusters[0]);
	await discoveryd.untilSwept();
	assert.equal((await discoveryd.names()).length, clusters.length);
	await world.aws('DELETE', '/faults');
	await world.aws('PUT', `/roles/${OTHER}/eksgate-discover`, { permissions });
	discoveryd.reload();
	await discoveryd.untilNames(clusters.slice(1).map(nameOf));
});
