// discoveryd is killed at every step of its journal. Each time the next one begins with what was left: no entry with
// cluster-admin stays, and the end is reached.
import assert from 'node:assert/strict';
import { ACCESS_STEPS, addBare, assertNobodyIsAdmin, bare, entries, HandProxy, setUpAccess, untilAccess } from './access.mjs';
import { scenario, startDiscoveryd, until } from './harness.mjs';

scenario('discoveryd is killed at every step of access', { clusters: [bare('seed')] }, async (world) => {
	await setUpAccess(world, { delayMs: 200, settle: '800ms' });
	world.authority = (await world.aws('GET', '/clusters'))[0].certificateAuthority;
	const clusters = [];
	const proxy = new HandProxy(world, 'main', clusters);
	let discoveryd = await startDiscoveryd(world);
	let resumed = 0;
	// One cluster meets all steps, one death after the other; in the long run each step also meets a cluster of its own.
	const isLong = process.env.EKSGATE_LONG !== undefined;
	for (let round = 0; round < (isLong ? 4 : 1); round++) {
		for (const [at, [entry, stage]] of ACCESS_STEPS.entries()) {
			const cluster = bare(isLong ? `${entry}-${stage}-${round}` : 'one');
			const from = isLong ? discoveryd.stderr.length : 0;
			if (isLong || clusters.length === 0) {
				await addBare(world, cluster);
				clusters.push(cluster);
			}
			// Death may have come later than it was meant to, so a later step will do, or the end.
			const later = ACCESS_STEPS.slice(at).map(([e, s]) => `entry=${e} stage=${s}`);
			const step = new RegExp(`event=journal cluster=${cluster.name} .*(${later.join('|')})`);
			const isEnded = async () => (await discoveryd.status()).access.clusters.ready === clusters.length;
			await until(`${entry} ${stage}`, async () => step.test(discoveryd.stderr.slice(from)) || isEnded(), {
				everyMs: 5,
				timeoutMs: isLong ? 90000 : 20000,
			});
			await discoveryd.murder();
			discoveryd = await startDiscoveryd(world);
			resumed += /room=access event=bootstrap-unfinished/.test(discoveryd.stderr);
		}
	}
	assert.ok(resumed >= 3, `${resumed} of 5 interrupted bootstraps were found by the next run`);
	for (const cluster of clusters) {
		await untilAccess(discoveryd, cluster, /^ready$/);
		// Nothing but the proxy's own entry is left.
		await until(`${cluster.name} has one entry`, async () => (await entries(world, cluster)).length === 1);
	}
	await until('nothing temporary is left', async () => (await discoveryd.status()).access.temporary_entries === 0);
	await assertNobodyIsAdmin(world, clusters);
	assert.ok(proxy.tasks.length > 0);
});
