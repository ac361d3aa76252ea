// AWS throttles: discovery slows down, finishes all the same, and removes nothing; a region throttled for long says so.
import assert from 'node:assert/strict';
import { CLUSTERS, MATCHED, OWN, scenario, startDiscoveryd, until } from './harness.mjs';

const many = Array.from({ length: 25 }, (_, i) => ({
	account: OWN,
	region: 'us-west-2',
	name: `many-${i}`,
	tags: { env: 'prod' },
}));

scenario('throttling', async (world) => {
	const { endpoint, certificateAuthority } = await world.api(CLUSTERS[0])('GET', '');
	for (const cluster of many) await world.putCluster(cluster, { tags: cluster.tags, endpoint, certificateAuthority });
	await world.aws('PUT', '/settings', { pageSize: 10 });
	await world.aws('POST', '/throttles', { operation: 'eks:DescribeCluster', account: OWN, rate: 8, burst: 5 });
	const discoveryd = await startDiscoveryd(world);
	const all = MATCHED.length + many.length;
	await until('everything in spite of throttling', async () => (await discoveryd.names()).length === all, {
		timeoutMs: 60000,
	});

	await world.aws('POST', '/throttles', {
		operation: 'eks:ListClusters',
		account: OWN,
		region: 'us-west-2',
		rate: 0.001,
		burst: 0,
		code: 'TooManyRequestsException',
	});
	discoveryd.reload();
	const { error } = await until(
		'the status tells',
		async () => (await discoveryd.status()).scopes.find((scope) => scope.region === 'us-west-2' && scope.error),
		{ timeoutMs: 60000 },
	);
	assert.deepEqual([error.operation, error.code], ['eks:ListClusters', 'TooManyRequestsException']);
	assert.equal((await discoveryd.names()).length, all);
});
