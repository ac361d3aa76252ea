// The verbs that read: get, describe, api-resources, version, auth can-i, get --raw; one name, lists, tables and JSON.
import assert from 'node:assert/strict';
import { CLUSTERS, nameOf, person, scenario, startBoth } from './harness.mjs';

scenario('kubectl reads', async (world) => {
	const { kubeproxyd } = await startBoth(world);
	const name = nameOf(CLUSTERS[0]);
	const alice = await person(world, kubeproxyd, 'alice', ['engineering']);
	const ok = (...words) => alice.kubectlOk(name, words);
	assert.match(await ok('version'), /Server Version: v1\.34/);
	assert.match(await ok('get', 'pods'), /NAME +READY[^]*web-1[^]*web-2/);
	assert.match(await ok('get', 'pods', '-A', '--chunk-size=2'), /team-a +job-1/);
	assert.equal(JSON.parse(await ok('get', 'pod', 'web-1', '-o', 'json')).metadata.name, 'web-1');
	assert.match(await ok('get', 'pods', '-l', 'app=web-2'), /web-2/);
	assert.match(await ok('describe', 'pod', 'web-1'), /Name: +web-1/);
	assert.match(await ok('api-resources'), /configmaps +cm/);
	assert.match(await ok('auth', 'can-i', 'create', 'pods'), /yes/);
	assert.match((await alice.kubectl(name, ['auth', 'can-i', 'create', 'nodes'])).stdout, /no/);
	assert.match(await ok('auth', 'whoami'), /alice/);
	assert.match(await ok('get', '--raw', '/version'), /gitVersion/);
	assert.match((await alice.kubectl(name, ['get', 'pod', 'none'])).stderr, /pods "none" not found/);
	assert.match(
		(await alice.kubectl(name, ['get', 'nodes'])).stderr,
		/nodes is forbidden: User "alice" cannot list resource "nodes"/,
	);

	await world.api(CLUSTERS[0])('POST', '/fill', { count: 3000 });
	assert.equal((await ok('get', 'pods', '-o', 'name')).trim().split('\n').length, 3002);
	assert.equal(JSON.parse(await ok('get', '--raw', '/api/v1/namespaces/default/pods')).items.length, 3002);
});
