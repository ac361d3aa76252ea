// Half of many clusters do not leave at once: the guard holds them back until somebody confirms it or they are wanted again.
import assert from 'node:assert/strict';
import { command, nameOf, OWN, scenario, startDiscoveryd, until } from './harness.mjs';

const PEM = '-----BEGIN CERTIFICATE-----\nMIIBAA==\n-----END CERTIFICATE-----\n';
const many = [...Array(12).keys()].map((i) => ({ account: OWN, region: 'eu-west-1', name: `c${i}` }));

function tag(world, clusters, env) {
	return Promise.all(
		clusters.map((cluster) =>
			world.putCluster(cluster, {
				tags: { env },
				endpoint: `https://${cluster.name}.gr7.eu-west-1.eks.amazonaws.com`,
				certificateAuthority: Buffer.from(PEM).toString('base64'),
			}),
		),
	);
}

scenario('a mass removal', { clusters: [] }, async (world) => {
	await tag(world, many, 'prod');
	const discoveryd = await startDiscoveryd(world);
	await discoveryd.untilNames(many.map(nameOf));
	const held = () => until('the guard', async () => (await discoveryd.status()).guard.held === 8);
	const confirm = () => command(world, 'discoveryd', ['confirm-removal']);
	assert.deepEqual([(await confirm()).code, (await discoveryd.names()).length], [1, 12]);

	await tag(world, many.slice(0, 8), 'retired');
	await held();
	const explained = await discoveryd.call(`/v1/explain?q=${nameOf(many[0])}`);
	assert.match(explained.clusters[0].removal_held, /^unmatched/);
	assert.match((await command(world, 'discoveryd', ['status'])).stdout, /8 removals are held back.*confirm-removal/);

	// They are wanted again: nothing is held any more, and nothing was lost.
	await tag(world, many.slice(0, 8), 'prod');
	await until('nothing held', async () => (await discoveryd.status()).guard.held === 0);
	await discoveryd.untilNames(many.map(nameOf));

	await tag(world, many.slice(0, 8), 'retired');
	await held();
	const done = await confirm();
	assert.deepEqual([done.code, done.stdout], [0, '8 clusters removed\n']);
	await discoveryd.untilNames(many.slice(8).map(nameOf));

	// What was confirmed does not count: a few more may go.
	await tag(world, many.slice(8, 9), 'retired');
	await discoveryd.untilNames(many.slice(9).map(nameOf));
});
