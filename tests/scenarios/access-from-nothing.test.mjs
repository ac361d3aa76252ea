// From discovered to reachable without a person's help: a proxy's role gets its entries, a bootstrap creates what they are
// bound to, and nothing that could do more stays. EKS shows changes late. A CONFIG_MAP cluster is told how to be helped.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { addBare, assertNobodyIsAdmin, bare, entries, entryOf, HandProxy, setUpAccess, untilAccess } from './access.mjs';
import { command, OTHER, nameOf, scenario, startBustap, startDiscoveryd, until } from './harness.mjs';

const api = bare('api');
const both = bare('both', OTHER, 'us-west-2');
const old = bare('old');

scenario('access from nothing', { clusters: [bare('seed')] }, async (world) => {
	await setUpAccess(world, { delayMs: 300 });
	world.authority = (await world.aws('GET', '/clusters'))[0].certificateAuthority;
	await addBare(world, api);
	await addBare(world, both, { authenticationMode: 'API_AND_CONFIG_MAP' });
	await addBare(world, old, { authenticationMode: 'CONFIG_MAP' });
	const discoveryd = await startDiscoveryd(world);
	const tap = startBustap(world, []);
	// Without a proxy the entry is made, and nothing else.
	await untilAccess(discoveryd, api, /^no-proxy/);
	assert.deepEqual((await entryOf(world, api)).kubernetesGroups, ['eksgate:proxy']);
	const proxy = new HandProxy(world, 'main', [api, both, old]);
	await untilAccess(discoveryd, api, /^ready$/);
	await untilAccess(discoveryd, both, /^ready$/);
	await untilAccess(discoveryd, old, /^config-map: /);

	// In each cluster one entry of ours is left, by its full ARN, with our group and our tags, without a policy.
	await until('the temporary entries are gone', async () => (await entries(world, api)).length === 1);
	for (const cluster of [api, both]) {
		const [entry, ...others] = await entries(world, cluster);
		assert.deepEqual(others, []);
		assert.equal(entry.principalArn, `${world.serveArn}`);
		assert.match(entry.principalArn, /role\/team\/eksgate-serve$/);
		assert.equal(entry.tags['eksgate/managed-by'], 'eksgate');
		assert.equal(entry.tags['eksgate/purpose'], undefined);
	}
	await assertNobodyIsAdmin(world, [api, both, old]);
	assert.deepEqual(await entries(world, old), []);

	// What people see.
	const shown = (await discoveryd.clusters()).find((item) => item.metadata.name === nameOf(api));
	assert.equal(shown.state.reached, 'healthy');
	assert.equal(shown.state.served_by, 1);
	const got = await command(world, 'discoveryd', ['get', 'kube_cluster']);
	assert.match(got.stdout, /REACHED/);
	const good = await command(world, 'discoveryd', ['access', nameOf(api), '--dry-run']);
	assert.equal(good.code, 0, good.stderr);
	assert.match(good.stdout, /wanted for +arn:aws:iam::\d+:role\/team\/eksgate-serve/);
	assert.match(good.stdout, /made by this discoveryd/);
	const bad = await command(world, 'discoveryd', ['access', nameOf(old), '--dry-run']);
	assert.equal(bad.code, 1);
	assert.match(bad.stdout, /kubeproxyd rbac \S+ --format aws-auth/);
	const explained = await command(world, 'discoveryd', ['explain', nameOf(old)]);
	assert.match(explained.stdout, /CONFIG_MAP/);
	const status = await command(world, 'discoveryd', ['status']);
	assert.match(status.stdout, /access: .*ready/);

	// The token was in the task and nowhere else.
	const tokens = proxy.tasks.filter((task) => task.kind === 'apply_rbac').map((task) => task.body.token);
	assert.equal(tokens.length, 2);
	await tap.stop();
	const files = readdirSync(world.path('state')).map((name) => readFileSync(world.path('state', name), 'latin1'));
	for (const token of tokens) {
		for (const text of [discoveryd.stderr, tap.stdout, tap.stderr, ...files]) {
			assert.ok(!text.includes(token.slice(0, 60)));
		}
	}
	// Somebody deletes the entry: the proxy is sent away, and it is made anew.
	await world.aws('DELETE', `/clusters/${api.account}/${api.region}/${api.name}/access-entries`, {
		principalArn: world.serveArn,
	});
	await discoveryd.log('access', 'entry-created', /cluster=api-/, { from: discoveryd.stderr.length });
	await until('it is healthy again', async () => {
		const { state } = (await discoveryd.clusters()).find((item) => item.metadata.name === nameOf(api));
		return state.reached === 'healthy';
	});

	// Nothing more is done, and a restart does nothing either.
	await world.aws('DELETE', '/calls');
	await discoveryd.stop();
	const again = await startDiscoveryd(world);
	await again.log('bus', 'subscriber');
	await again.untilSwept();
	const calls = (await world.aws('GET', '/calls')).filter((call) => /AccessEntry|AccessPolicy|TagResource/.test(call.operation));
	assert.deepEqual(calls, []);
});
