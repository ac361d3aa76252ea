// A cycle in which nothing changed costs a listing and a call for the tags in each scope, and no describe, also behind a
// restart; what changes is described, and nothing else.
import assert from 'node:assert/strict';
import { CLUSTERS, MATCHED, nameOf, scenario, startDiscoveryd, until } from './harness.mjs';

async function callsOfTwoSweeps(world, discoveryd) {
	await discoveryd.untilSwept();
	await world.aws('DELETE', '/calls');
	await discoveryd.untilSwept();
	await discoveryd.untilSwept();
	return (await world.aws('GET', '/calls')).filter((call) => /^(eks|tag):/.test(call.operation));
}

function describesOf(calls) {
	return calls.filter((call) => call.operation === 'eks:DescribeCluster').reduce((sum, call) => sum + call.calls, 0);
}

scenario('a quiet cycle', async (world) => {
	world.config.eksgate.discovery.describe_age = '1h';
	world.writeConfig();
	const first = await startDiscoveryd(world);
	await first.untilNames(MATCHED);
	assert.equal(describesOf(await callsOfTwoSweeps(world, first)), 0);
	const { scopes } = await first.status();
	for (const scope of scopes) {
		assert.equal(scope.calls, 2, `${scope.id} costs two calls`);
		assert.deepEqual(scope.calls_by_operation, {
			'eks:ListClusters': 1,
			'tag:GetResources': 1,
			'eks:DescribeCluster': 0,
		});
		assert.equal(scope.tagging.state, 'used');
	}
	const dev = (await first.call(`/v1/explain?q=${CLUSTERS[1].name}`)) ?? {};
	assert.match(JSON.stringify(dev), /unmatched|env is/, 'what is not described is explained all the same');
	await first.stop();

	const second = await startDiscoveryd(world);
	await second.untilSwept();
	assert.equal(describesOf(await callsOfTwoSweeps(world, second)), 0, 'a restart knows what was described');
	assert.deepEqual(await second.names(), MATCHED);
	await world.aws('DELETE', '/calls');
	await world.putCluster(CLUSTERS[0], { tags: { env: 'prod', colour: 'green' } });
	await until('the new label', async () => {
		const found = (await second.clusters()).find((cluster) => cluster.metadata.name === nameOf(CLUSTERS[0]));
		return found.metadata.labels.colour === 'green';
	});
	assert.equal(describesOf(await world.aws('GET', '/calls')), 1, 'only the changed one is described');
});
