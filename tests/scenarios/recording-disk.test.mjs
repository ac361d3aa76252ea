// The disk below the recordings hangs: nobody else waits for it, and nothing is called kept that is not.
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { CLUSTERS, nameOf, scenario, until } from './harness.mjs';
import { counter, recordings, runOnTerminal, startAboveFaults } from './recording.mjs';

const name = nameOf(CLUSTERS[0]);

scenario('a finished recording waits for a disk that hangs', async (world) => {
	const { faults, kubeproxyd, sven, bea } = await startAboveFaults(world);
	faults.order('stall fsync .part');
	assert.match((await runOnTerminal(sven, name, 'exec -it web-1 -- echo said')).stdout, /^said/);
	await faults.untilStruck(/stall fsync .*\.cast\.part$/);
	assert.equal((await bea.request(`/clusters/${name}/api/v1/namespaces/default/pods`)).status, 200, 'others go on');
	assert.match((await runOnTerminal(bea, name, 'exec -it web-1 -- echo said')).stdout, /^said/);
	assert.ok(readdirSync(world.path('recordings')).every((file) => file.endsWith('.part')));
	assert.equal(await counter(kubeproxyd, 'eksgate_recordings_total'), 0);
	assert.doesNotMatch(kubeproxyd.stderr, /room=recording event=kept/);
	faults.order();
	const kept = await recordings(world, 2);
	for (const { output, ending } of kept) assert.deepEqual([output, ending], ['said\n', 'exit 0']);
	await until('both are counted', async () => (await counter(kubeproxyd, 'eksgate_recordings_total')) === 2);
});
