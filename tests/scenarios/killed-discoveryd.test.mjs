// discoveryd is killed at random moments while clusters come and go: nothing that was committed is lost, and the proxy ends
// up with exactly what is there.
import assert from 'node:assert/strict';
import { MATCHED, nameOf, OWN, rounds, scenario, startBoth, startDiscoveryd, until } from './harness.mjs';

scenario('discoveryd is killed at any point', async (world) => {
	let { discoveryd, kubeproxyd } = await startBoth(world);
	const names = new Set(MATCHED);
	let epoch = (await discoveryd.status()).epoch;
	for (let i = 0; i < rounds(4); i++) {
		const cluster = { account: OWN, region: 'us-west-2', name: `round-${i}`, tags: { env: 'prod' } };
		names.add(await world.addCluster(cluster));
		if (i % 2 === 1) {
			const old = { ...cluster, name: `round-${i - 1}` };
			await world.deleteCluster(old);
			names.delete(nameOf(old));
		}
		discoveryd.reload();
		await new Promise((resolve) => {
			setTimeout(resolve, Math.random() * 400);
		});
		await discoveryd.murder();
		discoveryd = await startDiscoveryd(world);
		const now = (await discoveryd.status()).epoch;
		assert.ok(now > epoch, 'every start has a higher epoch');
		epoch = now;
		const after = await discoveryd.names();
		for (const name of MATCHED) assert.ok(after.includes(name), `${name} survived round ${i}`);
	}
	await discoveryd.untilNames(names);
	await kubeproxyd.untilServed(names);
	await until(
		'digest agrees',
		async () => (await kubeproxyd.status()).directory.sequence === (await discoveryd.status()).sequence,
	);
});
