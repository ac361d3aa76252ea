// discoveryd is stopped and kubeproxyd restarted meanwhile: it serves from its cache and says that it is stale; when
// discoveryd is back, it is fresh again.
import assert from 'node:assert/strict';
import { MATCHED, person, scenario, startBoth, startDiscoveryd, startKubeproxyd } from './harness.mjs';

scenario('stale but serving', async (world) => {
	const { discoveryd, kubeproxyd } = await startBoth(world);
	await kubeproxyd.untilState('fresh');
	await discoveryd.stop();
	await kubeproxyd.untilState('stale');
	assert.deepEqual(await kubeproxyd.names(), MATCHED);
	await kubeproxyd.stop();

	const again = await startKubeproxyd(world);
	const directory = await again.untilState('stale');
	assert.equal(directory.from_cache, true);
	assert.deepEqual(await again.names(), MATCHED);
	const alice = await person(world, again, 'alice', ['engineering']);
	assert.match(await alice.kubectlOk(MATCHED[0], ['get', 'pods']), /web-1/);

	await startDiscoveryd(world);
	assert.equal((await again.untilState('fresh')).from_cache, false);
});
