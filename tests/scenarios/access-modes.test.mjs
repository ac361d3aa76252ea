// One principal that discovers and serves: the bootstrap comes before its entry, and never after. The mode cluster-admin, whose
// policy is only for an entry that was made here. The mode manual, which calls nothing.
import assert from 'node:assert/strict';
import { ADMIN, addBare, bare, entries, entryOf, GROUP, HandProxy, setUpAccess, untilAccess } from './access.mjs';
import { OTHER, scenario, startDiscoveryd, until } from './harness.mjs';

const same = bare('same', OTHER, 'us-west-2');
const made = bare('made');
const found = bare('found');
const left = bare('left', OTHER, 'us-east-1');

scenario('modes of access', { clusters: [bare('seed')] }, async (world) => {
	await setUpAccess(world, { setup: false });
	const [own, other] = world.config.discovery_service.aws;
	own.setup_access_for_arn = world.serveArn;
	own.eksgate = { access: 'cluster-admin' };
	other.setup_access_for_arn = world.roleArn;
	other.tags = { env: 'prod' };
	const manual = { ...other, tags: { env: 'hands-off' }, eksgate: { access: 'manual' } };
	world.config.discovery_service.aws = [own, other, manual];
	world.writeConfig();
	world.authority = (await world.aws('GET', '/clusters'))[0].certificateAuthority;
	for (const cluster of [same, made, found]) await addBare(world, cluster);
	await addBare(world, left, { tags: { env: 'hands-off' } });
	await world.aws('PUT', `/clusters/${found.account}/${found.region}/${found.name}/access-entries`, {
		principalArn: world.serveArn,
		kubernetesGroups: ['others'],
	});
	const discoveryd = await startDiscoveryd(world);
	new HandProxy(world, 'main', [made, found]);
	// The same for the other account, where the proxy acts as the role that discovers.
	const there = Object.create(world, { serveArn: { value: world.roleArn } });
	const proxy = new HandProxy(there, 'there', [same, left]);

	await untilAccess(discoveryd, same, /^ready$/);
	await until('the temporary entry is gone', async () => (await entries(world, same)).length === 1);
	const entry = await entryOf(world, same, world.roleArn);
	assert.deepEqual(entry.kubernetesGroups, [GROUP]);
	assert.deepEqual(entry.policies, []);
	assert.equal(entry.tags['eksgate/purpose'], undefined);
	assert.equal(proxy.tasks.filter((task) => task.kind === 'apply_rbac').length, 1);

	await untilAccess(discoveryd, made, /^ready$/);
	assert.deepEqual((await entryOf(world, made)).policies.map((policy) => policy.policyArn), [ADMIN]);
	await untilAccess(discoveryd, found, /^entry-existed: /);
	assert.deepEqual((await entryOf(world, found)).policies, []);
	assert.deepEqual((await entryOf(world, found)).kubernetesGroups, ['others', GROUP]);

	await untilAccess(discoveryd, left, /^manual: /);
	assert.deepEqual(await entries(world, left), []);
});
