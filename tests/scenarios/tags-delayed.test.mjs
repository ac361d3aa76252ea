// The tagging API's index lags behind: it is a hint to look, never the evidence, so nothing is removed by what it lacks or
// still says.
import assert from 'node:assert/strict';
import { CLUSTERS, MATCHED, nameOf, OWN, scenario, startDiscoveryd } from './harness.mjs';

scenario('the tag index lags behind', async (world) => {
	world.config.eksgate.discovery.describe_age = '1h';
	world.writeConfig();
	await world.aws('PUT', '/settings', { tagDelayMs: 3600000 });
	const discoveryd = await startDiscoveryd(world);
	await discoveryd.untilNames(MATCHED);
	await discoveryd.untilSwept();
	await discoveryd.untilSwept();
	assert.deepEqual(await discoveryd.names(), MATCHED, 'an index without any tags removes nothing');

	const place = await world.api(CLUSTERS[0])('GET', '');
	const newcomer = { account: OWN, region: 'us-west-2', name: 'newcomer', tags: { env: 'prod' } };
	await world.putCluster(newcomer, {
		tags: newcomer.tags,
		endpoint: place.endpoint,
		certificateAuthority: place.certificateAuthority,
	});
	await discoveryd.untilNames([...MATCHED, nameOf(newcomer)]);
	await world.aws('PUT', '/settings', { tagDelayMs: 0 });
	await discoveryd.untilSwept();
	await discoveryd.untilSwept();
	assert.deepEqual(await discoveryd.names(), [...MATCHED, nameOf(newcomer)].sort());
	assert.doesNotMatch(discoveryd.stderr, /event=removed/);
});
