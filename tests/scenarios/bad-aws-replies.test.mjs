// AWS answers nonsense: truncated, wrong types, huge, HTML, without end. The scope's status says so, nothing is removed, and
// when AWS is itself again everything settles.
import assert from 'node:assert/strict';
import { CLUSTERS, MATCHED, nameOf, OWN, scenario, startDiscoveryd, until } from './harness.mjs';

const FAULTS = [
	{ operation: 'eks:ListClusters', kind: 'truncated' },
	{ operation: 'eks:ListClusters', kind: 'wrong-types' },
	{ operation: 'eks:ListClusters', kind: 'html' },
	{ operation: 'eks:ListClusters', kind: 'html', status: 503 },
	{ operation: 'eks:ListClusters', kind: 'huge' },
	{ operation: 'eks:ListClusters', kind: 'endless-pages' },
	{ operation: 'eks:ListClusters', kind: 'not-json' },
	{ operation: 'eks:ListClusters', kind: 'reset' },
	{ operation: 'eks:ListClusters', kind: 'duplicate-keys' },
	{ operation: 'eks:ListClusters', kind: 'error', status: 500, code: 'ServerException' },
	{ operation: 'eks:DescribeCluster', kind: 'truncated' },
	{ operation: 'eks:DescribeCluster', kind: 'wrong-types' },
	{ operation: 'eks:DescribeCluster', kind: 'html' },
	{ operation: 'eks:DescribeCluster', kind: 'error', status: 500, code: 'ServerException' },
];

scenario('bad replies of AWS', async (world) => {
	const discoveryd = await startDiscoveryd(world);
	await discoveryd.untilNames(MATCHED);
	const troubled = (scope) => scope.region === 'eu-west-1' && scope.error;
	for (const fault of FAULTS) {
		await world.aws('POST', '/faults', { ...fault, account: OWN, region: 'eu-west-1' });
		discoveryd.reload();
		const { error } = await until(`the status tells of ${fault.kind}`, async () =>
			(await discoveryd.status()).scopes.find(troubled),
		);
		assert.equal(error.operation, fault.operation, fault.kind);
		assert.ok(error.message, fault.kind);
		assert.deepEqual(await discoveryd.names(), MATCHED, `${fault.kind} removed something`);
		await world.aws('DELETE', '/faults');
		discoveryd.reload();
		await until(`recovery from ${fault.kind}`, async () => !(await discoveryd.status()).scopes.some(troubled));
	}
	await world.aws('POST', '/faults', { operation: 'eks:DescribeCluster', kind: 'wrong-types', cluster: 'prod-1' });
	const name = await world.addCluster({
		account: OWN,
		region: 'us-east-1',
		name: 'still-found',
		tags: { env: 'prod' },
	});
	await discoveryd.untilNames([...MATCHED, name]);
	assert.ok((await discoveryd.names()).includes(nameOf(CLUSTERS[0])));
});
