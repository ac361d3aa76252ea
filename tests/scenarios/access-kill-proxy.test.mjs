// The proxy is killed at every step of discoveryd's journal, and another takes its place: no entry with cluster-admin stays,
// and the end is reached.
import assert from 'node:assert/strict';
import { ACCESS_STEPS, addBare, assertNobodyIsAdmin, bare, entries, HandProxy, setUpAccess, untilAccess } from './access.mjs';
import { scenario, startDiscoveryd, until } from './harness.mjs';

scenario('the proxy is killed at every step of access', { clusters: [bare('seed')] }, async (world) => {
	await setUpAccess(world, { delayMs: 200, settle: '800ms' });
	world.authority = (await world.aws('GET', '/clusters'))[0].certificateAuthority;
	const clusters = [];
	const rbac = new Set(); // what was applied outlives whoever applied it
	let proxy = new HandProxy(world, 'main', clusters, { rbac });
	const discoveryd = await startDiscoveryd(world);
	let killed = 0;
	for (let round = 0; round < (process.env.EKSGATE_LONG ? 4 : 1); round++) {
		for (const [entry, stage] of ACCESS_STEPS) {
			const cluster = bare(`${entry}-${stage}-${round}`);
			await addBare(world, cluster);
			clusters.push(cluster);
			const step = new RegExp(`event=journal cluster=${cluster.name} .*entry=${entry} stage=${stage}`);
			await until(`${entry} ${stage}`, async () => step.test(discoveryd.stderr), { everyMs: 5 });
			await proxy.kill('SIGKILL');
			proxy.isDone = true;
			killed++;
			proxy = new HandProxy(world, 'main', clusters, { rbac });
			await untilAccess(discoveryd, cluster, /^ready$/);
		}
	}
	assert.ok(killed >= ACCESS_STEPS.length);
	for (const cluster of clusters)
		await until(`${cluster.name} has one entry`, async () => (await entries(world, cluster)).length === 1);
	await until('nothing temporary is left', async () => (await discoveryd.status()).access.temporary_entries === 0);
	await assertNobodyIsAdmin(world, clusters);
});
