// The verbs that write: create, apply (twice), server-side apply, label, delete; bodies arrive whole.
import assert from 'node:assert/strict';
import { CLUSTERS, nameOf, person, scenario, startBoth } from './harness.mjs';

scenario('kubectl writes', async (world) => {
	const { kubeproxyd } = await startBoth(world);
	const name = nameOf(CLUSTERS[0]);
	const alice = await person(world, kubeproxyd, 'alice', ['engineering']);
	const ok = (words, input) => alice.kubectlOk(name, words, { input });
	const configMap = (data) =>
		JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'applied' }, data });
	const data = async () => JSON.parse(await ok(['get', 'cm', 'applied', '-o', 'json'])).data;

	assert.match(await ok(['create', 'configmap', 'made', '--from-literal=a=b']), /configmap\/made created/);
	assert.match(await ok(['apply', '-f', '-'], configMap({ a: '1' })), /created/);
	assert.match(await ok(['apply', '-f', '-'], configMap({ b: '2' })), /configured/);
	assert.deepEqual(await data(), { b: '2' });
	assert.match(
		await ok(['apply', '--server-side', '--force-conflicts', '-f', '-'], configMap({ c: '3' })),
		/serverside-applied/,
	);
	const large = 'x'.repeat(700 * 1024);
	assert.match(
		await ok(
			['create', '-f', '-'],
			JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'large' }, data: { large } }),
		),
		/created/,
	);
	assert.equal(JSON.parse(await ok(['get', 'cm', 'large', '-o', 'json'])).data.large.length, large.length);
	assert.match(await ok(['label', 'pod', 'web-1', 'seen=yes']), /labeled/);
	assert.match(await ok(['delete', 'cm', 'made', 'applied', 'large']), /configmap "made" deleted/);
	assert.match(
		(await alice.kubectl(name, ['create', 'namespace', 'forbidden'])).stderr,
		/cannot create resource "namespaces"/,
	);
});
