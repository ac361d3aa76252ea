// Each permission that access needs is missing in turn: it is named, what does not need it goes on, nobody becomes admin without
// the way back, and once it is granted `discoveryd access` goes on at once.
import assert from 'node:assert/strict';
import { ACTIONS, addBare, assertNobodyIsAdmin, bare, entryOf, HandProxy, permit, setUpAccess, untilAccess } from './access.mjs';
import { command, nameOf, scenario, startDiscoveryd } from './harness.mjs';

// What happens from nothing without each of them: the entry of the proxy, the tags on it, the end.
const OUTCOMES = {
	'eks:DescribeAccessEntry': { entry: true, tags: true, access: /^denied: eks:DescribeAccessEntry / },
	'eks:CreateAccessEntry': { entry: false, access: /^denied: eks:CreateAccessEntry / },
	'eks:UpdateAccessEntry': { entry: true, tags: true, access: /^ready$/ },
	'eks:DeleteAccessEntry': { entry: true, tags: true, access: /^denied: eks:DeleteAccessEntry / },
	'eks:AssociateAccessPolicy': { entry: true, tags: true, access: /^denied: eks:AssociateAccessPolicy / },
	'eks:TagResource': { entry: true, tags: false, access: /^denied: eks:TagResource / },
};

const nameFor = (action) => `no-${action.split(':')[1]}`;

scenario('each permission of access denied', { clusters: [bare('seed')] }, async (world) => {
	await setUpAccess(world, { denied: ACTIONS.map((action) => [action, nameFor(action)]) });
	world.authority = (await world.aws('GET', '/clusters'))[0].certificateAuthority;
	const clusters = ACTIONS.map((action) => bare(nameFor(action)));
	for (const cluster of clusters) await addBare(world, cluster);
	const discoveryd = await startDiscoveryd(world);
	const proxy = new HandProxy(world, 'main', clusters);
	for (const [i, action] of ACTIONS.entries()) {
		const wanted = OUTCOMES[action];
		await untilAccess(discoveryd, clusters[i], wanted.access);
		const entry = await entryOf(world, clusters[i]);
		assert.equal(entry !== undefined, wanted.entry, `${action}: the entry of the proxy`);
		if (entry) assert.equal(Object.keys(entry.tags).length > 0, wanted.tags, `${action}: its tags`);
		const said = await command(world, 'discoveryd', ['access', nameOf(clusters[i]), '--dry-run']);
		if (wanted.access.test('ready')) continue;
		assert.equal(said.code, 1);
		assert.match(said.stdout, new RegExp(`what to do +add ${action} to its policy`));
	}
	await assertNobodyIsAdmin(world, clusters);
	assert.deepEqual([...proxy.rbac], ['111111111111/eu-west-1/no-UpdateAccessEntry']);

	await permit(world);
	for (const cluster of clusters) await command(world, 'discoveryd', ['access', nameOf(cluster)]);
	for (const cluster of clusters) await untilAccess(discoveryd, cluster, /^ready$/);
	await assertNobodyIsAdmin(world, clusters);
	assert.equal(proxy.tasks.filter((task) => task.kind === 'apply_rbac').length, ACTIONS.length);
	const metrics = await discoveryd.call('/metrics');
	assert.match(metrics, /eksgate_access_clusters\{reason="ready"\} 6/);
	assert.match(metrics, /eksgate_access_temporary_entries 0/);
});
