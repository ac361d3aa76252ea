// kubeproxyd is killed at random moments: a new one serves at once from its cache and from the bus, and never from half a
// file.
import assert from 'node:assert/strict';
import { MATCHED, OWN, person, rounds, scenario, startBoth, startKubeproxyd } from './harness.mjs';

scenario('kubeproxyd is killed at any point', async (world) => {
	let { kubeproxyd } = await startBoth(world);
	const names = [...MATCHED];
	const alice = await person(world, kubeproxyd, 'alice', ['engineering']);
	for (let i = 0; i < rounds(4); i++) {
		names.push(
			await world.addCluster({ account: OWN, region: 'us-west-2', name: `round-${i}`, tags: { env: 'prod' } }),
		);
		await new Promise((resolve) => {
			setTimeout(resolve, Math.random() * 1500);
		});
		await kubeproxyd.murder();
		kubeproxyd = await startKubeproxyd(world);
		for (const name of MATCHED)
			assert.ok((await kubeproxyd.names()).includes(name), `${name} is there at once in round ${i}`);
		alice.proxy = kubeproxyd;
		assert.match(await alice.kubectlOk(MATCHED[0], ['get', 'pods']), /web-1/);
	}
	await kubeproxyd.untilServed(names);
});
