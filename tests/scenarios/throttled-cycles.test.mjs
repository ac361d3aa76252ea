// Three of ten calls are throttled, in every account, region and operation, cycle after cycle: everything is found, nothing is
// removed, and the status and the metrics tell of it.
import assert from 'node:assert/strict';
import { CLUSTERS, MATCHED, nameOf, OTHER, OWN, REGIONS, rounds, scenario, startDiscoveryd, until } from './harness.mjs';

const CYCLES = process.env.EKSGATE_LONG ? 10 : rounds(3);
const many = [OWN, OTHER].flatMap((account) =>
	REGIONS.flatMap((region) => [1, 2].map((i) => ({ account, region, name: `many-${i}`, tags: { env: 'prod' } }))),
);

const throttlesOf = (status) => status.scopes.reduce((sum, scope) => sum + scope.throttles, 0);

scenario('thirty per cent of calls throttled', async (world) => {
	world.config.eksgate.discovery.describe_age = '2s';
	world.writeConfig();
	const { endpoint, certificateAuthority } = await world.api(CLUSTERS[0])('GET', '');
	for (const cluster of many) await world.putCluster(cluster, { tags: cluster.tags, endpoint, certificateAuthority });
	for (const [operation, code] of [
		['eks:ListClusters', 'ThrottlingException'],
		['eks:DescribeCluster', 'TooManyRequestsException'],
		['tag:GetResources', 'ThrottledException'],
		['sts:AssumeRole', 'Throttling'],
	])
		await world.aws('POST', '/faults', { kind: 'error', status: 429, code, message: 'Rate exceeded', operation, share: 0.3 });
	const all = [...MATCHED, ...many.map(nameOf)].sort();
	const discoveryd = await startDiscoveryd(world);
	await discoveryd.untilNames(all, { timeoutMs: 60000 });
	let throttles = 0;
	for (let cycle = 0; cycle < CYCLES; cycle++) {
		throttles += throttlesOf(await discoveryd.untilSwept());
		assert.deepEqual(await discoveryd.names(), all, `cycle ${cycle}`);
	}
	assert.ok(throttles > 0, 'scopes count what was throttled');
	const metrics = await discoveryd.call('/metrics');
	assert.doesNotMatch(metrics, /eksgate_discovery_changes_total\{kind="removed"\}/);
	for (const [operation, account] of [
		['eks:ListClusters', 'own'],
		['tag:GetResources', OTHER],
	])
		assert.match(
			metrics,
			new RegExp(`eksgate_discovery_aws_throttles_total\\{operation="${operation}",account="${account}",region="[a-z0-9-]+"\\} \\d`),
		);
	await world.aws('DELETE', '/faults');
	await until('calm again', async () => {
		const status = await discoveryd.status();
		return throttlesOf(status) === 0 && status.scopes.every((scope) => !scope.error);
	});
});
