// Two discoveryds with one AWS account, of other hosts and other groups, do not undo each other: entries that one made and the
// other needs stay until nobody needs them, and both have their group on one entry.
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { addBare, assertNobodyIsAdmin, bare, entries, entryOf, HandProxy, setUpAccess, untilAccess } from './access.mjs';
import { scenario, startDiscoveryd, until } from './harness.mjs';

const shared = bare('shared-1');

// The same world for another host: its own state, bus and group, the same AWS.
function neighbour(world) {
	const config = structuredClone(world.config);
	const there = Object.create(world, {
		config: { value: config, writable: true },
		path: { value: (...names) => world.path('neighbour', ...names) },
	});
	for (const name of ['state', 'bus', 'admin']) mkdirSync(there.path(name), { recursive: true, mode: 0o700 });
	config.discovery_service.discovery_group = 'other';
	config.eksgate.state_dir = there.path('state');
	config.eksgate.bus.socket = there.path('bus', 'bus.sock');
	config.eksgate.discovery.admin_socket = there.path('admin', 'admin.sock');
	config.eksgate.access.group = 'other:proxy';
	there.writeConfig();
	return there;
}

scenario('two discoveryds and one entry', { clusters: [bare('seed')] }, async (world) => {
	await setUpAccess(world);
	world.authority = (await world.aws('GET', '/clusters'))[0].certificateAuthority;
	const other = neighbour(world);
	const rbac = new Set();
	await addBare(world, shared, { tags: { env: 'prod', host: 'both' } });
	const [here, there] = [await startDiscoveryd(world), await startDiscoveryd(other)];
	new HandProxy(world, 'here', [shared], { rbac });
	const guest = new HandProxy(other, 'there', [shared], { rbac });
	const ask = guest.ask.bind(guest);
	guest.ask = async (cluster, isPrincipal) => {
		const found = await ask(cluster, isPrincipal);
		const entry = (await entries(world, cluster)).find(isPrincipal);
		const isBound = (entry?.kubernetesGroups.includes('other:proxy') && rbac.has(found.key)) ?? false;
		return { ...found, isPermitted: found.isAdmin || isBound };
	};
	await untilAccess(here, shared, /^ready$/, { timeoutMs: 60000 });
	await untilAccess(there, shared, /^ready$/, { timeoutMs: 60000 });
	await until('both groups are on it, and both have marked it', async () => {
		const entry = await entryOf(world, shared);
		assert.deepEqual([...entry.kubernetesGroups].sort(), ['eksgate:proxy', 'other:proxy']);
		const users = Object.entries(entry.tags).filter(([key]) => key.startsWith('eksgate/used-by-'));
		assert.deepEqual(users.map(([, value]) => value), ['in-use', 'in-use']);
		return true;
	});
	await until('the temporary entries are gone', async () => (await entries(world, shared)).length === 1);
	await assertNobodyIsAdmin(world, [shared]);

	// One lets go: the entry stays for the other. The last one deletes it.
	for (const [who, discoveryd, stays] of [
		[world, here, true],
		[other, there, false],
	]) {
		for (const matcher of who.config.discovery_service.aws) matcher.tags = { env: 'nothing' };
		who.writeConfig();
		await discoveryd.stop();
		const again = await startDiscoveryd(who);
		await again.untilNames([], { timeoutMs: 30000 });
		assert.equal((await entryOf(world, shared)) !== undefined, stays);
		if (stays) {
			await untilAccess(there, shared, /^ready$/);
			await again.log('access', 'left-behind', /another discoveryd needs it/);
		}
	}
});
