// `kubeproxyd can` explains what the proxy would do: from the files, with the labels of a running instance or given ones. It
// only looks.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { CLUSTERS, command, nameOf, person, scenario, startBoth, until } from './harness.mjs';

const STRICT = `kind: role
version: v8
metadata: {name: strict}
spec:
  allow:
    kubernetes_labels: {env: '{{external.env}}'}
    kubernetes_groups: [eyes]
    kubernetes_resources:
    - {kind: pods, namespace: dev, name: 'web-*', verbs: [get, list, exec]}
    kubernetes_impersonate: {users: ['*']}
---
kind: role_binding
version: v1
metadata: {name: strict}
spec: {roles: [strict], groups: [lookers]}
---
kind: role
version: v8
metadata: {name: access}
spec:
  allow:
    kubernetes_labels: {'*': '*'}
    kubernetes_resources:
    - {kind: clusterroles, api_group: rbac.authorization.k8s.io, name: '*', verbs: ['*']}
    - {kind: clusterroles, api_group: rbac.authorization.k8s.io, name: view, verbs: [bind]}
---
kind: role_binding
version: v1
metadata: {name: access}
spec: {roles: [access], users: [rita]}
`;

// Everything that somebody who changes something would leave behind: files, records, and requests to the API server.
async function traces(world, cluster) {
	const files = {};
	for (const place of ['.', 'roles.d', 'next', 'audit', 'tls', 'run', 'recordings']) {
		const names = existsSync(world.path(place)) ? readdirSync(world.path(place), { withFileTypes: true }) : [];
		for (const entry of names) {
			const path = world.path(place, entry.name);
			files[path] = entry.isFile() ? readFileSync(path, 'utf8') : null;
		}
	}
	return { files, requests: (await world.received(cluster)).map(({ target }) => target) };
}

scenario('can', { clusters: CLUSTERS.slice(0, 1) }, async (world) => {
	const [prod] = CLUSTERS;
	const cluster = ['--cluster', nameOf(prod)];
	const can = async (code, pattern, ...words) => {
		const result = await command(world, 'kubeproxyd', ['can', ...words], world.proxyUser);
		assert.equal(result.code, code, `can ${words.join(' ')}: ${result.stdout}${result.stderr}`);
		assert.match(result.stdout + result.stderr, pattern, `can ${words.join(' ')}`);
	};
	const label = ['--label', 'env=prod'];
	const untouched = await traces(world, prod);
	await can(1, /no instance runs here[^]*--label/, 'victor', 'list', 'pods', ...cluster);
	await can(0, /^yes\nby: role viewer allow\nas: user victor, groups viewers\n/, 'victor', 'list', 'pods', ...cluster, ...label);
	await can(0, /^yes\nby: role viewer allow\nas: user victor\n$/, 'victor', 'impersonate', 'users', '--name', 'victor', ...cluster, ...label);
	await can(1, /^no: [^\n]*kubernetes_impersonate\.users\nby: no role allows\n$/, 'victor', 'impersonate', 'users', '--name', 'bob', ...cluster, ...label);
	await can(1, /no role is bound/, 'mallory', 'list', 'pods', ...cluster, ...label);
	await can(2, /usage/, 'victor', 'list', ...cluster);
	await can(2, /--cluster is missing/, 'victor', 'list', 'pods');
	await can(2, /--label "x": must be KEY=VALUE/, 'victor', 'list', 'pods', ...cluster, '--label', 'x');
	assert.deepEqual(await traces(world, prod), untouched, 'without an instance');

	const { kubeproxyd } = await startBoth(world, [nameOf(prod)]);
	mkdirSync(world.path('next'));
	writeFileSync(world.path('next', 'strict.yaml'), STRICT);
	const locked = await command(world, 'kubeproxyd', ['lock', 'user', 'eve'], world.proxyUser);
	assert.equal(locked.code, 0, locked.stderr);
	const victor = await person(world, kubeproxyd, 'victor');
	assert.equal((await victor.request(`/clusters/${nameOf(prod)}/api/v1/namespaces/default/pods`)).status, 200);
	const record = () => readFileSync(world.path('audit', 'main.jsonl'), 'utf8');
	await until('what victor did is on record', async () => record().includes('"victor"'));
	const before = await traces(world, prod);
	assert.match(before.files[world.path('locks.json')], /eve/);
	assert.equal(before.requests.length, 1);
	await can(0, /role viewer allow/, 'victor', 'get', 'deployments.apps/scale', ...cluster);
	await can(0, /role developer allow/, 'anyone', 'get', '/metrics', '--group', 'engineering', ...cluster);
	await can(1, /no cluster is called "nowhere"/, 'victor', 'list', 'pods', '--cluster', 'nowhere');
	// Roles before they are in force.
	const strict = ['--roles', world.path('next'), '--group', 'lookers', '--namespace', 'dev', ...cluster];
	await can(1, /kubernetes_labels that match/, 'lee', 'get', 'pods', '--name', 'web-1', ...strict);
	const trait = ['--trait', 'env=prod'];
	await can(0, /kubernetes_resources\[0\]/, 'lee', 'get', 'pods', '--name', 'web-1', ...strict, ...trait);
	await can(0, /groups eyes/, 'lee', 'exec', 'pods', '--name', 'web-1', ...strict, ...trait);
	await can(0, /as: user bob\n/, 'lee', 'get', 'pods', '--name', 'web-1', '--as', 'bob', ...strict, ...trait);
	await can(1, /acting as user "system:admin"/, 'lee', 'get', 'pods', '--name', 'web-1', '--as', 'system:admin', ...strict, ...trait);
	await can(1, /kind: pods\/eviction/, 'lee', 'create', 'pods/eviction', '--name', 'web-1', ...strict, ...trait);
	// Rights of their own, which only such questions name: every verb does not give them.
	const clusterRole = ['clusterroles.rbac.authorization.k8s.io', '--roles', world.path('next'), ...cluster, '--name'];
	await can(0, /^yes/, 'rita', 'update', ...clusterRole, 'view');
	await can(0, /kubernetes_resources\[1\]/, 'rita', 'bind', ...clusterRole, 'view');
	await can(1, /verbs: \[bind\]/, 'rita', 'bind', ...clusterRole, 'admin');
	await can(1, /verbs: \[escalate\]/, 'rita', 'escalate', ...clusterRole, 'view');
	// For programs: the same words, and the same exit status.
	const document = async (code, ...words) => {
		const result = await command(world, 'kubeproxyd', ['can', ...words, '--format', 'json'], world.proxyUser);
		assert.equal(result.code, code, result.stderr);
		return JSON.parse(result.stdout);
	};
	const rule = /role strict allow: kubernetes_resources\[0\]/;
	const yes = await document(0, 'lee', 'get', 'pods', '--name', 'web-1', ...strict, ...trait);
	assert.match(yes.rule, rule);
	assert.deepEqual({ ...yes, rule: '' }, { allowed: true, in_part: false, rule: '', user: 'lee', groups: ['eyes'], message: null });
	const no = await document(1, 'lee', 'create', 'pods/eviction', '--name', 'web-1', ...strict, ...trait);
	assert.deepEqual([no.allowed, no.in_part, no.user, no.groups], [false, false, null, []]);
	assert.match(no.message, /kind: pods\/eviction/);
	const part = await document(0, 'lee', 'list', 'pods', ...strict, ...trait);
	assert.deepEqual([part.allowed, part.in_part, part.user, part.message], [true, true, 'lee', null]);
	await can(0, /^yes, in part: /, 'lee', 'list', 'pods', ...strict, ...trait);
	await can(0, /^allowed: true\n[^]*\ngroups:\n *- viewers\n/, 'victor', 'list', 'pods', ...cluster, '--format', 'yaml');
	await can(2, /--format "xml": must be table, json or yaml/, 'victor', 'list', 'pods', ...cluster, '--format', 'xml');
	assert.deepEqual(await traces(world, prod), before, 'beside an instance');

	writeFileSync(world.path('next', 'strict.yaml'), 'kind: role\n');
	await can(1, /strict\.yaml:1:1: /, 'lee', 'get', 'pods', ...strict);
});
