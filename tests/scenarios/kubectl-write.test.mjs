// The verbs that write, on each kubectl: create, apply (client side and server side, with its conflicts), edit in place,
// patch, replace, label, scale, roll out and back, cordon and drain, delete; bodies arrive whole.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { CLUSTERS, nameOf, person, scenario, startBoth } from './harness.mjs';
import { FEW_MINORS, toolsOf } from './tools.mjs';

const [prod] = CLUSTERS;

const ADMINISTRATOR = `kind: role
version: v8
metadata: {name: administrator}
spec:
  allow:
    kubernetes_labels: {'*': '*'}
    kubernetes_groups: [administrators]
---
kind: role_binding
version: v1
metadata: {name: administrators}
spec: {roles: [administrator], users: [root]}
`;

const configMap = (data, name = 'applied') =>
	JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data });

function deployment(image, replicas) {
	const labels = { app: 'shop' };
	const template = { metadata: { labels }, spec: { containers: [{ name: 'main', image }] } };
	return JSON.stringify({
		apiVersion: 'apps/v1',
		kind: 'Deployment',
		metadata: { name: 'shop', labels },
		spec: { replicas, selector: { matchLabels: labels }, template },
	});
}

async function checkObjects({ ok, kubectl, minor }) {
	const data = async () => JSON.parse(await ok(['get', 'cm', 'applied', '-o', 'json'])).data;
	assert.match(await ok(['create', 'configmap', 'made', '--from-literal=a=b']), /configmap\/made created/);
	const apply = (document, ...more) => ok(['apply', ...more, '-f', '-'], { input: document });
	assert.match(await apply(configMap({ a: '1' }), '--dry-run=server'), /created \(server dry run\)/);
	assert.match(await apply(configMap({ a: '1' })), /created/);
	assert.match(await apply(configMap({ b: '2' })), /configured/);
	assert.deepEqual(await data(), { b: '2' });
	assert.match(
		await ok(['patch', 'cm', 'applied', '--type=json', '-p', '[{"op":"add","path":"/data/c","value":"3"}]']),
		/patched/,
	);
	assert.match(await ok(['patch', 'cm', 'applied', '--type=merge', '-p', '{"data":{"b":null}}']), /patched/);
	assert.deepEqual(await data(), { c: '3' });
	assert.match(await ok(['replace', '-f', '-'], { input: configMap({ d: '4' }) }), /replaced/);
	assert.match(await ok(['label', 'pod', 'web-1', `seen=by-${minor}`]), /labeled/);
	assert.match(await ok(['annotate', 'pod', 'web-1', `seen=by-${minor}`]), /annotated/);
	const again = await kubectl(['create', 'configmap', 'made']);
	assert.match(again.stderr, /configmaps "made" already exists/);
}

async function checkServerSide({ ok, kubectl }) {
	const apply = (manager, data, ...more) =>
		kubectl(['apply', '--server-side', `--field-manager=${manager}`, ...more, '-f', '-'], {
			input: configMap(data, 'shared'),
		});
	const data = async () => JSON.parse(await ok(['get', 'cm', 'shared', '-o', 'json'])).data;
	assert.match((await apply('one', { a: '1', b: '1' })).stdout, /serverside-applied/);
	const conflict = await apply('two', { a: '2' });
	assert.equal(conflict.code, 1);
	assert.match(conflict.stderr, /Apply failed with 1 conflict: conflict with "one"[^]*\.data\.a/);
	assert.match((await apply('two', { a: '2' }, '--force-conflicts')).stdout, /serverside-applied/);
	assert.match((await apply('one', {})).stdout, /serverside-applied/);
	assert.deepEqual(await data(), { a: '2' }, 'what nobody applies any more is gone');
}

async function checkRollout({ ok, minor }) {
	const image = async () =>
		ok(['get', 'deployment', 'shop', '-o', 'jsonpath={.spec.template.spec.containers[0].image}']);
	const status = () => ok(['rollout', 'status', 'deployment/shop', '--timeout=20s']);
	await ok(['apply', '-f', '-'], { input: deployment('shop:1', 2) });
	assert.match(await status(), /successfully rolled out/);
	assert.match(await ok(['set', 'image', 'deployment/shop', 'main=shop:2']), /image updated/);
	assert.match(await status(), /successfully rolled out/);
	assert.match(await ok(['rollout', 'history', 'deployment/shop']), /^1 [^]*^2 /m);
	assert.match(await ok(['rollout', 'undo', 'deployment/shop']), /rolled back/);
	await status();
	assert.equal(await image(), 'shop:1', `1.${minor}`);
	assert.match(await ok(['rollout', 'restart', 'deployment/shop']), /restarted/);
	assert.match(await ok(['scale', 'deployment/shop', '--replicas=3']), /scaled/);
	await status();
	assert.equal((await ok(['get', 'pods', '-l', 'app=shop', '-o', 'name'])).trim().split('\n').length, 3);
	assert.match(await ok(['exec', 'deploy/shop', '--', 'echo', 'inside']), /inside/);
	assert.match(await ok(['delete', 'deployment', 'shop']), /deleted/);
	await ok(['wait', '--for=delete', 'pod', '-l', 'app=shop', '--timeout=20s']);
}

async function checkGeneration(alice, minor) {
	const tools = toolsOf(alice, nameOf(prod), { minor });
	await checkObjects(tools);
	await checkServerSide(tools);
	await checkRollout(tools);
	assert.match(await tools.ok(['delete', 'cm', 'made', 'applied', 'shared']), /configmap "made" deleted/);
	await tools.ok(['label', 'pod', 'web-1', 'seen-']);
	await tools.ok(['annotate', 'pod', 'web-1', 'seen-']);
	assert.match(
		(await tools.kubectl(['create', 'namespace', 'forbidden'])).stderr,
		/cannot create resource "namespaces"/,
	);
}

async function checkNodes(world, root, minor) {
	await world.api(prod)('POST', '/fill', { count: 1, prefix: `evicted-by-${minor}` });
	const { ok } = toolsOf(root, nameOf(prod), { minor });
	assert.match(await ok(['cordon', 'node-1']), /cordoned/);
	const drained = await ok(['drain', 'node-1', '--force', '--disable-eviction=false', '--timeout=30s']);
	assert.match(drained, /evicted-by-[^]*node\/node-1 drained/);
	assert.match(await ok(['uncordon', 'node-1']), /uncordoned/);
	assert.match(await ok(['top', 'nodes']), /node-1 +12m/);
}

scenario('kubectl writes', async (world) => {
	writeFileSync(world.path('roles.d', 'administrator.yaml'), ADMINISTRATOR);
	const { kubeproxyd } = await startBoth(world);
	const alice = await person(world, kubeproxyd, 'alice', ['engineering']);
	for (const minor of FEW_MINORS) await checkGeneration(alice, minor);

	const { ok } = toolsOf(alice, nameOf(prod));
	const large = 'x'.repeat(700 * 1024);
	assert.match(await ok(['create', '-f', '-'], { input: configMap({ large }, 'large') }), /created/);
	assert.equal(JSON.parse(await ok(['get', 'cm', 'large', '-o', 'json'])).data.large.length, large.length);

	const root = await person(world, kubeproxyd, 'root');
	for (const minor of FEW_MINORS) await checkNodes(world, root, minor);
});
