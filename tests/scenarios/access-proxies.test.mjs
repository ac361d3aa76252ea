// Three proxies, one of which cannot reach the endpoint: it is not asked, the others suffice, and people see which one it is. A
// cluster that nobody reaches gets no admin. Forged results change nothing. A throttled API is waited for in mid-flow.
import assert from 'node:assert/strict';
import { addBare, assertNobodyIsAdmin, bare, entries, HandProxy, setUpAccess, untilAccess } from './access.mjs';
import { command, nameOf, scenario, startDiscoveryd, until } from './harness.mjs';

const seen = bare('seen');
const dark = bare('dark');
const slow = bare('slow');

scenario('three proxies and access', { clusters: [bare('seed')] }, async (world) => {
	await setUpAccess(world);
	world.authority = (await world.aws('GET', '/clusters'))[0].certificateAuthority;
	const discoveryd = await startDiscoveryd(world);
	const rbac = new Set();
	const clusters = [seen, dark];
	const reaches = (cluster) => cluster !== dark;
	const blind = new HandProxy(world, 'blind', clusters, { rbac, reaches: () => false });
	await discoveryd.log('bus', 'subscriber', /instance=blind/);
	const others = ['one', 'two'].map((name) => new HandProxy(world, name, clusters, { rbac, reaches }));
	await addBare(world, seen);
	await addBare(world, dark);
	await untilAccess(discoveryd, seen, /^ready$/);
	const shown = await untilAccess(discoveryd, dark, /^(unreachable|no-proxy)/);
	assert.equal((await entries(world, dark)).length, 1, 'its entry is made, and nothing more is tried');
	assert.deepEqual(blind.tasks, []);
	await until('the state names who cannot', async () => {
		const { state } = (await discoveryd.clusters()).find((item) => item.metadata.name === nameOf(seen));
		const by = Object.fromEntries(state.proxies.map((proxy) => [proxy.instance, proxy.reachable]));
		assert.deepEqual(by, { blind: 'no', one: 'yes', two: 'yes' });
		assert.equal(state.reached, 'healthy');
		return true;
	});
	assert.equal(shown.metadata.name, nameOf(dark));
	const explained = await command(world, 'discoveryd', ['explain', nameOf(dark)]);
	assert.match(explained.stdout, /not yet +reachable/);
	assert.match(explained.stdout, /proxy +blind as arn\S+: timeout: the hand proxy says timeout/);

	// The nonce of a task that another proxy has, an old one, and one out of thin air.
	const [task] = others.flatMap((proxy) => proxy.tasks);
	const before = (await discoveryd.clusters()).find((item) => item.metadata.name === nameOf(dark)).metadata.revision;
	for (const nonce of [task.nonce, '0'.repeat(32)]) {
		const from = blind.stdout.length;
		blind.say('result', { nonce, ok: true, code: 'ok', text: 'done' });
		await blind.waitFor(/"reject":\{"code":"task"/, { stream: 'stdout', from });
	}
	const after = (await discoveryd.clusters()).find((item) => item.metadata.name === nameOf(dark)).metadata.revision;
	assert.equal(after, before);

	// Throttled in mid-flow: the temporary entry is there, its policy is not yet.
	await world.aws('POST', '/faults', {
		kind: 'error',
		operation: 'eks:AssociateAccessPolicy',
		status: 429,
		code: 'ThrottlingException',
		message: 'Rate exceeded',
		times: 4,
	});
	await addBare(world, slow);
	clusters.push(slow);
	await untilAccess(discoveryd, slow, /^ready$/, { timeoutMs: 40000 });
	await assertNobodyIsAdmin(world, [seen, dark, slow]);

	// Nobody is left to serve them: that is said, and nothing is taken back.
	for (const proxy of [blind, ...others]) await proxy.stop();
	await until('no proxy serves it', async () => {
		const { state, status } = (await discoveryd.clusters()).find((item) => item.metadata.name === nameOf(seen));
		assert.equal(status.access, 'ready');
		assert.equal(state.served_by, 0);
		assert.match(state.text, /no proxy serves it/);
		return true;
	});
});
