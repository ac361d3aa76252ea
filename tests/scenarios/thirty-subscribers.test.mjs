// Thirty subscribers on the bus: a few proxies and many taps; all see the same, in the same order, through a restart.
import assert from 'node:assert/strict';
import {
	MATCHED,
	nameOf,
	OWN,
	scenario,
	startBoth,
	startBustap,
	startDiscoveryd,
	startKubeproxyd,
	until,
} from './harness.mjs';

const PROXIES = 4;
const TAPS = 26;

scenario('thirty subscribers', async (world) => {
	const { discoveryd, kubeproxyd } = await startBoth(world);
	const proxies = [kubeproxyd];
	for (let i = 1; i < PROXIES; i++) proxies.push(await startKubeproxyd(world, `p${i}`));
	const taps = [];
	for (let i = 0; i < TAPS; i++) taps.push(startBustap(world));
	await until(
		'thirty in the inventory',
		async () => (await discoveryd.inventory()).subscribers.length === PROXIES + TAPS,
	);
	const cluster = { account: OWN, region: 'us-west-2', name: 'thirtieth', tags: { env: 'prod' } };
	const name = await world.addCluster(cluster);
	for (const proxy of proxies) await proxy.untilServed([...MATCHED, name]);
	for (const tap of taps) await tap.waitFor(new RegExp(`"${name}"`), { stream: 'stdout' });

	await discoveryd.murder();
	const again = await startDiscoveryd(world);
	await until('all are back', async () => (await again.inventory()).subscribers.length === PROXIES + TAPS);
	await world.deleteCluster(cluster);
	for (const proxy of proxies) await proxy.untilServed(MATCHED);
	await until('all applied the same', async () => {
		const { sequence, subscribers } = await again.inventory();
		return subscribers.every((subscriber) => subscriber.applied === sequence);
	});
	assert.ok(!(await again.names()).includes(nameOf(cluster)));
});
