// What was there before stays: groups of other people's entries, the bootstrap principal's own entry, aws-auth mappings, entries
// of other types; and when a cluster leaves, only what was made here is deleted.
import assert from 'node:assert/strict';
import { addBare, assertNobodyIsAdmin, bare, entries, entryOf, GROUP, HandProxy, setUpAccess, untilAccess } from './access.mjs';
import { nameOf, OTHER, scenario, startDiscoveryd, until } from './harness.mjs';

const united = bare('united');
const mine = bare('mine');
const occupied = bare('occupied', OTHER, 'us-west-2');
const mapped = bare('mapped');
const extended = bare('extended');

function give(world, { account, region, name }, entry) {
	return world.aws('PUT', `/clusters/${account}/${region}/${name}/access-entries`, entry);
}

scenario('access entries that existed before', { clusters: [bare('seed')] }, async (world) => {
	await setUpAccess(world);
	world.authority = (await world.aws('GET', '/clusters'))[0].certificateAuthority;
	const all = [united, mine, occupied, mapped, extended];
	for (const cluster of all)
		await addBare(world, cluster, { authenticationMode: cluster === mapped ? 'API_AND_CONFIG_MAP' : 'API' });
	await give(world, united, { principalArn: world.serveArn, kubernetesGroups: ['auditors', 'team:web'] });
	await give(world, occupied, { principalArn: world.roleArn, kubernetesGroups: ['discoverers'] });
	const discoveryd = await startDiscoveryd(world);
	const proxy = new HandProxy(world, 'main', all);
	// aws-auth lets the proxy in, without its rights.
	const find = proxy.find.bind(proxy);
	proxy.find = async (cluster) => {
		const report = await find(cluster);
		return cluster === mapped ? { ...report, authenticated: 'yes', permitted: 'no', code: 'forbidden' } : report;
	};

	await untilAccess(discoveryd, united, /^ready$/);
	assert.deepEqual((await entryOf(world, united)).kubernetesGroups, ['auditors', 'team:web', GROUP]);
	assert.deepEqual((await entryOf(world, united)).tags, {});
	// The role that discovers there would be the bootstrap principal, and has an entry of somebody else.
	const blocked = await untilAccess(discoveryd, occupied, /^bootstrap-entry-existed: /);
	assert.match(blocked.state.remedy, /bootstrap_role_arn/);
	assert.deepEqual((await entryOf(world, occupied, world.roleArn)).kubernetesGroups, ['discoverers']);
	await untilAccess(discoveryd, mapped, /^aws-auth: /);
	assert.deepEqual(await entries(world, mapped), [], 'an entry would replace the mapping');
	await untilAccess(discoveryd, mine, /^ready$/);
	await untilAccess(discoveryd, extended, /^ready$/);
	await until('the temporary entries are gone', async () => (await entries(world, extended)).length === 1);
	await assertNobodyIsAdmin(world, all);
	// Somebody relies on an entry that was made here.
	const { tags } = await entryOf(world, extended);
	await give(world, extended, { principalArn: world.serveArn, kubernetesGroups: [GROUP, 'auditors'], tags });

	// They leave: no matcher wants them any more.
	for (const cluster of [united, mine, occupied, extended]) await world.putCluster(cluster, { tags: { env: 'dev' } });
	await until('they have left', async () => {
		const names = await discoveryd.names();
		if ([united, mine, occupied, extended].some((cluster) => names.includes(nameOf(cluster)))) throw new Error(`${names}`);
		return true;
	});
	assert.deepEqual(await entries(world, mine), []);
	assert.equal(await entryOf(world, occupied), undefined);
	assert.deepEqual((await entryOf(world, occupied, world.roleArn)).kubernetesGroups, ['discoverers']);
	assert.deepEqual((await entryOf(world, united)).kubernetesGroups, ['auditors', 'team:web', GROUP]);
	await discoveryd.log('access', 'left-behind', /cluster=united/);
	assert.deepEqual((await entryOf(world, extended)).kubernetesGroups, [GROUP, 'auditors']);
	await discoveryd.log('access', 'left-behind', /cluster=extended [^\n]*more groups/);
});
