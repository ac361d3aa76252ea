// Clusters come and go between the pages of a listing, so that one is missed or seen twice: nothing is removed for it.
import assert from 'node:assert/strict';
import { nameOf, OWN, scenario, startDiscoveryd, until } from './harness.mjs';

const REGION = 'eu-west-1';
const cluster = (name) => ({ account: OWN, region: REGION, name, tags: { env: 'prod' } });
const clusters = ['b', 'c', 'd', 'e', 'f'].map(cluster);

async function lists(world) {
	const calls = await world.aws('GET', '/calls');
	return calls.find(({ operation }) => operation === 'eks:ListClusters')?.calls ?? 0;
}

// Each page takes its time; `change` runs when the first was read and before the second is.
async function betweenPages(world, discoveryd, change) {
	await world.aws('POST', '/faults', { kind: 'delay', operation: 'eks:ListClusters', ms: 300 });
	await world.aws('DELETE', '/calls');
	discoveryd.reload();
	await until('the first page', async () => (await lists(world)) > 0);
	await change();
	await world.aws('DELETE', '/faults');
}

scenario('pages that shift while they are read', { clusters: [] }, async (world) => {
	world.config.discovery_service.aws = [{ ...world.config.discovery_service.aws[0], regions: [REGION] }];
	// One pass at a time, and only when it is asked for.
	world.config.discovery_service.poll_interval = '1h';
	world.writeConfig();
	await world.aws('PUT', '/settings', { pageSize: 2, shiftingPages: true });
	for (const one of clusters) await world.addCluster(one, { seed: false });
	const discoveryd = await startDiscoveryd(world);
	await discoveryd.untilNames(clusters.map(nameOf));
	const absences = async () => {
		const explained = await discoveryd.call(`/v1/explain?q=${nameOf(clusters[2])}`);
		return explained.clusters[0].wanted_by[0].absences;
	};

	// "b" goes once "b", "c" were read: the next page begins with "e", and "d" is in none.
	await betweenPages(world, discoveryd, () => world.deleteCluster(clusters[0]));
	await until('the listing lacked one', async () => (await absences()) === 1);
	assert.ok((await discoveryd.names()).includes(nameOf(clusters[2])), 'one listing without it is no evidence');
	discoveryd.reload();
	await until('it is there again', async () => (await absences()) === 0);
	discoveryd.reload();
	await discoveryd.untilNames(clusters.slice(1).map(nameOf));

	// "a" comes once "c", "d" were read: the next page begins with "d" again.
	await betweenPages(world, discoveryd, () => world.addCluster(cluster('a'), { seed: false }));
	await until('the pass is over', async () => (await discoveryd.status()).scopes[0].state === 'settled');
	assert.deepEqual(await discoveryd.names(), clusters.slice(1).map(nameOf));
	discoveryd.reload();
	await discoveryd.untilNames([cluster('a'), ...clusters.slice(1)].map(nameOf));
	assert.doesNotMatch(discoveryd.stderr, new RegExp(`event=removed name=${nameOf(clusters[2])}`));
});
