// Rules for some names: a create is judged by the name in its body, in whatever encoding; what has none, or could be read
// in two ways, is refused and never sent. Lists hold what may be read and nothing else.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { CLUSTERS, nameOf, person, scenario, startBoth } from './harness.mjs';

const ROLE = `kind: role
version: v8
metadata: {name: names}
spec:
  allow:
    kubernetes_labels: {'*': '*'}
    kubernetes_groups: [developers]
    kubernetes_resources:
    - {kind: configmaps, namespace: default, name: 'app-*', verbs: ['*']}
    - {kind: pods, namespace: default, name: 'web-*', verbs: [get, list, watch, exec], commands: [cat, 'echo *']}
---
kind: role
version: v8
metadata: {name: changes}
spec:
  allow:
    kubernetes_labels: {'*': '*'}
    kubernetes_groups: [developers]
    kubernetes_resources:
    - {kind: configmaps, namespace: default, name: '*', verbs: [get, update, patch]}
    - {kind: configmaps, namespace: default, name: 'own-*', verbs: [create]}
---
kind: role_binding
version: v1
metadata: {name: names}
spec: {roles: [names], users: [nadia]}
---
kind: role_binding
version: v1
metadata: {name: changes}
spec: {roles: [changes], users: [carl]}
`;

const bytes = (number, data) => Buffer.concat([Buffer.from([(number << 3) | 2, data.length]), Buffer.from(data)]);
// A ConfigMap as client-go encodes it; `names` are fields of its metadata.
const protobuf = (...names) =>
	Buffer.concat([
		Buffer.from('k8s\0'),
		bytes(1, Buffer.concat([bytes(1, 'v1'), bytes(2, 'ConfigMap')])),
		bytes(2, bytes(1, Buffer.concat(names.map((name) => bytes(1, name))))),
	]);

scenario('objects by name', { clusters: CLUSTERS.slice(0, 1) }, async (world) => {
	writeFileSync(world.path('roles.d', 'names.yaml'), ROLE);
	const { kubeproxyd } = await startBoth(world, [nameOf(CLUSTERS[0])]);
	const cluster = nameOf(CLUSTERS[0]);
	const nadia = await person(world, kubeproxyd, 'nadia');
	const session = nadia.h2();
	const maps = `/clusters/${cluster}/api/v1/namespaces/default/configmaps`;
	const json = (name) => JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name } });
	const create = (type, body, headers = {}) =>
		nadia.ask(session, maps, { method: 'POST', headers: { 'content-type': type, ...headers }, body });

	const yaml = 'apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: app-4 # as it was typed\ndata: {a: "1"}\n';
	for (const [type, body, status, says] of [
		['application/json', json('app-1'), 201],
		['application/json; charset=utf-8', json('app-2'), 201],
		['application/vnd.kubernetes.protobuf', protobuf('app-3'), 201],
		['application/yaml', yaml, 201],
		['application/json', json('other'), 403, /cannot create configmaps/],
		['application/vnd.kubernetes.protobuf', protobuf('other'), 403, /cannot create configmaps/],
		['application/yaml', 'metadata:\n  name: other\n', 403, /cannot create configmaps/],
		['application/json', '{"metadata":{"generateName":"app-"}}', 403, /no metadata\.name/],
		['application/json', '{"metadata":{"name":"app-9","name":"other"}}', 403, /cannot be read/],
		['application/json', '{"metadata":{"name":"app-9"}} {}', 403, /cannot be read/],
		['application/json', '[]', 403, /cannot be read/],
		['application/json', 'metadata: {name: app-9}', 403, /cannot be read/],
		['application/yaml', 'metadata: &a {name: app-9}\n', 403, /cannot be read/],
		['application/vnd.kubernetes.protobuf', protobuf('app-9', 'other'), 403, /cannot be read/],
		['application/vnd.kubernetes.protobuf', json('app-9'), 403, /cannot be read/],
		['application/cbor', json('app-9'), 403, /its Content-Type is none of/],
	]) {
		const answer = await create(type, body);
		assert.equal(answer.status, status, `${type} ${body}: ${answer.text}`);
		if (says) assert.match(answer.json.message, says);
	}
	const packed = await create('application/json', json('app-8'), { 'content-encoding': 'gzip' });
	assert.equal(packed.status, 400);
	const large = await create('application/json', json('app-8') + ' '.repeat(300 * 1024));
	assert.equal(large.status, 413, large.text);
	assert.match(large.json.message, /body_in_hand/);
	// No byte of any other create was sent.
	const sent = (await world.received(CLUSTERS[0])).filter(({ method }) => method === 'POST');
	assert.deepEqual(sent.map(({ body }) => body), [json('app-1'), json('app-2'), protobuf('app-3').toString(), yaml], 'as they were sent');

	const narrow = await nadia.ask(session, maps);
	assert.equal(narrow.status, 200);
	assert.deepEqual(narrow.json.items.map(({ metadata }) => metadata.name).sort(), ['app-1', 'app-2', 'app-3', 'app-4']);
	assert.equal((await nadia.ask(session, `${maps}?fieldSelector=metadata.name%3Dapp-1`)).status, 200);
	session.close();

	assert.match(await nadia.kubectlOk(cluster, ['get', 'configmap', 'app-1', '-o', 'name']), /app-1/);
	await nadia.kubectlOk(cluster, ['create', 'configmap', 'app-k']);
	const refused = await nadia.kubectl(cluster, ['create', 'configmap', 'wrong']);
	assert.match(refused.stderr, /cannot create configmaps/);
	assert.match(await nadia.kubectlOk(cluster, ['exec', 'web-1', '--', 'echo', 'hello']), /hello/);
	const shell = await nadia.kubectl(cluster, ['exec', 'web-1', '--', 'sh', '-c', 'ls']);
	assert.match(shell.stderr, /allow other commands than this one/);

	// A command that is no longer allowed does not go on.
	const cat = nadia.startKubectl(cluster, ['exec', '-i', 'web-1', '--', 'cat'], { stdin: 'pipe' });
	cat.child.stdin.write('running\n');
	await cat.waitFor(/running/, { stream: 'stdout' });
	writeFileSync(world.path('roles.d', 'names.yaml'), ROLE.replace('commands: [cat, ', 'commands: ['));
	const started = Date.now();
	kubeproxyd.reload();
	await cat.ended;
	assert.ok(Date.now() - started < 5000, `${Date.now() - started} ms`);
	assert.match(cat.stderr, /the role that allowed this was withdrawn/);
});

// Who may change things but not create them does not create one by a write to a name that is not taken.
scenario('writes that could create', { clusters: CLUSTERS.slice(0, 1) }, async (world) => {
	const [prod] = CLUSTERS;
	writeFileSync(world.path('roles.d', 'names.yaml'), ROLE);
	const { kubeproxyd } = await startBoth(world, [nameOf(prod)]);
	const put = (name) =>
		world.api(prod)('POST', '/objects', {
			apiVersion: 'v1',
			kind: 'ConfigMap',
			metadata: { name, namespace: 'default' },
			data: { a: '1' },
		});
	await put('there');
	const carl = await person(world, kubeproxyd, 'carl');
	const session = carl.h2();
	const maps = `/clusters/${nameOf(prod)}/api/v1/namespaces/default/configmaps`;
	const ask = (method, name, type, metadata) =>
		carl.ask(session, `${maps}/${name}`, {
			method,
			headers: { 'content-type': type },
			body: JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, ...metadata }, data: { a: '2' } }),
		});
	const json = 'application/json';
	const apply = 'application/apply-patch+yaml';
	const { metadata } = (await carl.ask(session, `${maps}/there`)).json;
	assert.ok(metadata.uid);
	const from = (await world.received(prod)).length;

	for (const [method, name, type, fields, says] of [
		['PUT', 'there', json, {}, /an update may create .*cannot create configmaps.*metadata\.uid/],
		['PUT', 'new', json, { resourceVersion: '7' }, /metadata\.uid/],
		['PUT', 'new', json, { uid: '' }, /metadata\.uid/],
		['PUT', 'new', 'text/plain', { uid: 'x' }, /Content-Type/],
		['PATCH', 'there?fieldManager=me', apply, {}, /server-side apply creates .*cannot create configmaps/],
		['PATCH', 'new?fieldManager=me', 'application/apply-patch+cbor', {}, /server-side apply/],
		['PATCH', 'new', 'APPLICATION/merge-patch+json', {}, /server-side apply/],
	]) {
		const answer = await ask(method, name, type, fields);
		assert.equal(answer.status, 403, `${method} ${name} ${type}: ${answer.text}`);
		assert.match(answer.json.message, says);
	}
	assert.equal((await world.received(prod)).length, from, 'nothing of it was sent');

	assert.equal((await ask('PUT', 'there', json, { uid: metadata.uid })).status, 200);
	assert.equal((await ask('PATCH', 'there', 'application/merge-patch+json', {})).status, 200);
	assert.equal((await ask('PATCH', 'own-1?fieldManager=me', apply, {})).status, 201);
	assert.equal((await ask('PUT', 'own-1', json, {})).status, 200);
	session.close();
});
