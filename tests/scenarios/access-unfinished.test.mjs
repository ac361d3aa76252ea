// A temporary cluster-admin that is not ended in the usual way: discoveryd is stopped in the middle, somebody replaces the entry
// while it is away, or the cluster is another of the same name by then. None of ours stays, none of others goes.
import assert from 'node:assert/strict';
import { addBare, ADMIN, assertNobodyIsAdmin, bare, entries, entryOf, GROUP, HandProxy, setUpAccess, untilAccess } from './access.mjs';
import { command, nameOf, scenario, startDiscoveryd, until } from './harness.mjs';

const one = bare('one');

scenario('temporary entries that are left in the middle', { clusters: [bare('seed')] }, async (world) => {
	await setUpAccess(world, { settle: '1s' });
	world.authority = (await world.aws('GET', '/clusters'))[0].certificateAuthority;
	const self = world.discoveryUser.arn;
	const path = `/clusters/${one.account}/${one.region}/${one.name}/access-entries`;
	await addBare(world, one);
	let discoveryd = await startDiscoveryd(world);
	const proxy = new HandProxy(world, 'main', [one]);
	// Takes the task and says nothing, until it is let.
	const apply = proxy.apply_rbac.bind(proxy);
	proxy.apply_rbac = () => new Promise(() => {});
	const tasks = () => proxy.tasks.filter(({ kind }) => kind === 'apply_rbac').length;
	// The entry, once it is cluster-admin and one task more than `before` is given.
	const admin = (before) =>
		until('somebody is admin for a while', async () => {
			const entry = await entryOf(world, one, self);
			return entry?.policies.length > 0 && tasks() > before && entry;
		});
	const beginAnew = async () => {
		const before = tasks();
		await command(world, 'discoveryd', ['access', nameOf(one)]);
		return admin(before);
	};
	const temporary = async () => (await discoveryd.status()).access.temporary_entries;

	// It is stopped: what is temporary goes before.
	const first = await admin(0);
	assert.equal(first.tags['eksgate/purpose'], 'bootstrap');
	await discoveryd.stop();
	assert.equal(await entryOf(world, one, self), undefined, 'deleted before the end');
	await assertNobodyIsAdmin(world, [one]);

	// It is killed, and somebody makes an entry of their own for the same principal.
	const before = tasks();
	discoveryd = await startDiscoveryd(world);
	await admin(before);
	await discoveryd.murder();
	await world.aws('DELETE', path, { principalArn: self });
	await world.aws('PUT', path, { principalArn: self, kubernetesGroups: ['people'] });
	discoveryd = await startDiscoveryd(world);
	await discoveryd.log('access', 'entry-of-others', /cluster=one-/);
	await until('nothing of ours is left', async () => (await temporary()) === 0);
	assert.deepEqual((await entryOf(world, one, self)).kubernetesGroups, ['people']);
	await untilAccess(discoveryd, one, /^bootstrap-entry-existed/);

	// The cluster is another, and the entry was made in it before that was known; there the proxy is let in already.
	await world.aws('DELETE', path, { principalArn: self });
	const entry = await beginAnew();
	await world.deleteCluster(one);
	await addBare(world, one);
	proxy.rbac.add(`${one.account}/${one.region}/${one.name}`);
	await world.aws('PUT', path, { principalArn: world.serveArn, kubernetesGroups: [GROUP] });
	await world.aws('PUT', path, { principalArn: self, tags: entry.tags, policies: [ADMIN] });
	await until('the new one is without an admin', async () => (await entryOf(world, one, self)) === undefined);
	await untilAccess(discoveryd, one, /^ready$/);
	await until('nothing temporary is left', async () => (await temporary()) === 0);
	assert.equal((await entries(world, one)).length, 1);
	proxy.apply_rbac = apply;
});
