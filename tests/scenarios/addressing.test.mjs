// The three ways to name a cluster, with each kubectl and helm 3 and 4: path prefix, server name, and a credential that is
// for that cluster alone. All of them carry everything, but for one thing: up to 1.33, kubectl get --raw drops the prefix.
import assert from 'node:assert/strict';
import { CLUSTERS, command, nameOf, Person, person, scenario, startBoth } from './harness.mjs';
import { FEW_MINORS, SUFFIX, toolsOf } from './tools.mjs';

const [prod] = CLUSTERS;
const FIRST_RAW_MINOR = 34; // kubernetes PR 131165

// Someone whose certificate is for one cluster.
async function scopedPerson(world, proxy, name, cluster) {
	const args = ['cert', name, '--group', 'engineering', '--cluster', cluster, '--out', '-'];
	const result = await command(world, 'kubeproxyd', args, world.proxyUser);
	assert.equal(result.code, 0, result.stderr);
	const pick = (kind) => new RegExp(`-----BEGIN ${kind}-----[^]*?-----END ${kind}-----\n`).exec(result.stdout)[0];
	return new Person(world, proxy, { name, certificate: pick('CERTIFICATE'), key: pick('(?:EC )?PRIVATE KEY') });
}

async function checkAddress({ ok, kubectl, helm, start, minor }, by) {
	const what = `1.${minor} by ${by}`;
	assert.match(await ok(['get', 'pods']), /web-1/, what);
	const exec = await kubectl(['exec', 'web-1', '--', 'sh', '-c', 'echo inside; exit 3']);
	assert.deepEqual([exec.code, exec.stdout], [3, 'inside\n'], `${what}: ${exec.stderr}`);
	const forward = start(['port-forward', 'pod/web-1', ':8080']);
	const [, port] = await forward.waitFor(/127\.0\.0\.1:(\d+) -> 8080/, { stream: 'stdout' });
	assert.equal((await fetch(`http://127.0.0.1:${port}/`)).status, 200, what);
	await forward.kill();
	if (minor > 29) assert.match(await helm(['list']), /^NAME/, what);
	const raw = await kubectl(['get', '--raw', '/api/v1/namespaces/default/pods']);
	if (by === 'path' && minor < FIRST_RAW_MINOR) assert.match(raw.stderr, /this path names no cluster/, what);
	else assert.equal(JSON.parse(raw.stdout || '{}').kind, 'PodList', `${what}: ${raw.stderr}`);
}

scenario('three ways to name a cluster', async (world) => {
	world.config.eksgate.proxy.sni_suffix = SUFFIX;
	world.writeConfig();
	const { kubeproxyd } = await startBoth(world);
	const name = nameOf(prod);
	const alice = await person(world, kubeproxyd, 'alice', ['engineering']);
	const sam = await scopedPerson(world, kubeproxyd, 'sam', name);
	for (const minor of FEW_MINORS) {
		await checkAddress(toolsOf(alice, name, { minor, by: 'path' }), 'path');
		await checkAddress(toolsOf(alice, name, { minor, by: 'sni' }), 'sni');
		await checkAddress(toolsOf(sam, name, { minor, by: 'credential' }), 'credential');
	}
	const other = await toolsOf(sam, nameOf(CLUSTERS[2])).kubectl(['get', 'pods']);
	assert.match(other.stderr, /only for cluster "prod-1-/, 'a scope is a restriction whatever the route');
	const nowhere = await toolsOf(alice, name, { by: 'credential' }).kubectl(['get', 'pods']);
	assert.match(nowhere.stderr, /this path names no cluster/, 'without a scope nothing is chosen');
});
