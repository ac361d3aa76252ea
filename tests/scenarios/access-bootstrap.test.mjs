// The bootstrap with the real proxy: nothing of eksgate is in the cluster, neither an entry nor RBAC objects. discoveryd makes
// the proxy's entry and a temporary cluster-admin, the proxy applies the objects, the admin goes, and alice's kubectl works.
// Without looks of the proxy's own (probe_interval 0s) as well, and when the proxy is killed while it applies.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { assertNobodyIsAdmin, bare, entries, setUpAccess, setUpServing, untilAccess } from './access.mjs';
import { nameOf, person, scenario, startBustap, startDiscoveryd, startKubeproxyd, until } from './harness.mjs';

const RBAC = /^\/apis\/rbac\.authorization\.k8s\.io\/v1\/(clusterroles|clusterrolebindings)\/eksgate\?/;
const fresh = { ...bare('fresh'), tags: { env: 'prod' } };

// P is a role that the proxy assumes.
async function setUp(world, interval) {
	await setUpAccess(world, { delayMs: 200, settle: '5s' });
	await setUpServing(world);
	world.config.eksgate.proxy.probe_interval = interval;
	world.writeConfig();
	await world.addCluster(fresh, { seed: false, rbac: false, authenticationMode: 'API' });
}

// What the bootstrap's token was used for.
async function applied(world) {
	return (await world.received(fresh)).filter(({ method, target }) => method === 'PATCH' && RBAC.test(target));
}

async function assertDone(world, discoveryd, kubeproxyd) {
	await untilAccess(discoveryd, fresh, /^ready$/, { timeoutMs: 60000 });
	await until('the temporary entry is gone', async () => (await entries(world, fresh)).length === 1);
	await assertNobodyIsAdmin(world, [fresh]);
	const [entry] = await entries(world, fresh);
	assert.equal(entry.principalArn, world.serveArn);
	assert.deepEqual(entry.kubernetesGroups, ['eksgate:proxy']);
	const alice = await person(world, kubeproxyd, 'alice', ['engineering']);
	assert.match(await alice.kubectlOk(nameOf(fresh), ['get', 'pods']), /web-1/);
}

function filesUnder(directory) {
	return readdirSync(directory, { recursive: true, withFileTypes: true })
		.filter((item) => item.isFile())
		.map((item) => `${item.parentPath ?? item.path}/${item.name}`);
}

async function tokensOf(world) {
	const values = (await applied(world)).map(
		({ headers }) => headers.find(([name]) => name.toLowerCase() === 'authorization')[1],
	);
	assert.ok(values.length > 0);
	return values.map((value) => value.slice('Bearer k8s-aws-v1.'.length));
}

// They are in nothing that was written or told: logs, tap, audit, cache, state.
function assertNowhere(world, tokens) {
	const texts = world.daemons.flatMap(({ name, stdout, stderr }) => [[`${name}, told`, stdout], [`${name}, log`, stderr]]);
	for (const file of filesUnder(world.directory)) texts.push([file, readFileSync(file, 'latin1')]);
	for (const token of new Set(tokens)) {
		// Any part of what only the token has: its signature is at the end.
		for (const part of [token.slice(0, 60), token.slice(-40)])
			for (const [where, text] of texts) assert.ok(!text.includes(part), `the token is in ${where}`);
	}
}

for (const interval of ['1s', '0s']) {
	scenario(`a bootstrap by the real proxy, probe_interval ${interval}`, { clusters: [] }, async (world) => {
		await setUp(world, interval);
		const discoveryd = await startDiscoveryd(world);
		const tap = startBustap(world, []);
		const kubeproxyd = await startKubeproxyd(world);
		await kubeproxyd.untilServed([nameOf(fresh)]);
		await assertDone(world, discoveryd, kubeproxyd);

		const done = (await applied(world)).filter(({ status }) => status < 300);
		assert.deepEqual(
			done.map(({ target, status }) => [RBAC.exec(target)[1], status]),
			[
				['clusterroles', 201],
				['clusterrolebindings', 201],
			],
		);
		for (const { headers } of done) assert.ok(!headers.some(([name]) => /^impersonate/i.test(name)));
		await discoveryd.log('access', 'bootstrap-ended', /cluster=fresh-/);
		assert.equal(discoveryd.stderr.match(/event=bootstrap-began /g).length, 1);
		await tap.waitFor(/SNAPSHOT_END/, { stream: 'stdout' });
		assertNowhere(world, await tokensOf(world));
	});
}

// At the first object, with nothing applied, and at the second, with half of it: the bootstrap is given up, its admin goes
// while no proxy is there, and the next proxy lets it be begun anew.
scenario('the proxy is killed while it applies', { clusters: [] }, async (world) => {
	await setUp(world, '1s');
	const api = world.api(fresh);
	const tokens = [];
	const discoveryd = await startDiscoveryd(world);
	for (const kind of ['clusterroles', 'clusterrolebindings']) {
		await api('POST', '/faults', { kind: 'slow', method: 'PATCH', path: `/${kind}/`, ms: 1000 });
		await api('DELETE', '/requests');
		const kubeproxyd = await startKubeproxyd(world);
		// Admitted, its body read, the answer on its way.
		await until(`${kind} is being applied`, async () =>
			(await applied(world)).some(({ target, bodyLength }) => RBAC.exec(target)[1] === kind && bodyLength > 0),
		);
		assert.equal((await entries(world, fresh)).filter(({ policies }) => policies.length > 0).length, 1);
		tokens.push(...(await tokensOf(world)));
		await kubeproxyd.murder();
		await until('nobody is admin', async () => {
			await assertNobodyIsAdmin(world, [fresh]);
			return true;
		});
		await api('DELETE', '/faults');
	}
	await assertDone(world, discoveryd, await startKubeproxyd(world));
	assertNowhere(world, [...tokens, ...(await tokensOf(world))]);
});
