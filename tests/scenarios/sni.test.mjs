// A cluster addressed by server name: the connection is for it alone, paths have no prefix, and what names another is refused.
import assert from 'node:assert/strict';
import { run } from '../clients/run.mjs';
import { kubectlPath } from '../clients/kubectl.mjs';
import { CLUSTERS, nameOf, person, scenario, startBoth } from './harness.mjs';
import { SUFFIX, writeKubeconfig } from './tools.mjs';

scenario('a cluster by server name', async (world) => {
	world.config.eksgate.proxy.sni_suffix = SUFFIX;
	world.writeConfig();
	const { kubeproxyd } = await startBoth(world);
	const name = nameOf(CLUSTERS[0]);
	const alice = await person(world, kubeproxyd, 'alice', ['engineering']);
	const ask = async (alias, path, { host = `${alias}.${SUFFIX}`, isStranger = false } = {}) => {
		const to = `${alias}.${SUFFIX}:${kubeproxyd.port}`;
		const args = ['-sS', '--max-time', '20', '--resolve', `${to}:127.0.0.1`, '-H', `Host: ${host}`];
		const files = ['--cacert', world.config.eksgate.proxy.tls.certificate];
		const mine = isStranger ? [] : ['--cert', alice.files.cert, '--key', alice.files.key];
		const result = await run('curl', [...args, ...files, ...mine, `https://${to}${path}`]);
		assert.equal(result.code, 0, result.stderr);
		return JSON.parse(result.stdout);
	};
	const pods = '/api/v1/namespaces/default/pods';
	assert.equal((await ask(name, pods)).kind, 'PodList');
	assert.equal((await ask(name.toUpperCase(), pods)).kind, 'PodList');
	const misdirected = await ask(name, pods, { host: `other.${SUFFIX}` });
	assert.deepEqual([misdirected.code, misdirected.reason, misdirected.status], [421, 'MisdirectedRequest', 'Failure']);
	assert.equal((await ask('nowhere', pods)).code, 404);
	assert.equal((await ask(name, `/clusters/${name}${pods}`)).code, 404);
	assert.equal((await alice.request(`/clusters/${name}${pods}`)).status, 200, 'the prefix without a server name');

	const own = ['/v1/clusters', '/v1/kubeconfig', '/v1/webapi/find', '/v1/webapi/ping', '/v1/else', '/webapi/find'];
	for (const path of own) {
		const answer = await ask(name, path);
		assert.equal(answer.code, 403, `${path}: ${JSON.stringify(answer)}`);
		assert.match(answer.message, /^forbidden: User "alice" cannot get path/, `${path}: the API server's own words`);
		assert.equal((await ask(name, path, { isStranger: true })).code, 401, `${path}: public nowhere but without an alias`);
		assert.equal((await ask('nowhere', path)).code, 404, `${path}: no cluster, and nothing else`);
	}
	const elsewhere = await ask('www', '/v1/webapi/find', { host: `www.${SUFFIX}`, isStranger: true });
	assert.equal(elsewhere.code, 401, 'a name that no cluster has is no way in, either');
	assert.equal((await alice.request('/v1/webapi/find')).status, 200, 'without a server name they exist');

	const file = writeKubeconfig(alice, name, { by: 'sni' });
	const kubectl = (...words) => run(kubectlPath(), ['--kubeconfig', file, '--cache-dir', world.path('sni-cache'), ...words]);
	const raw = await kubectl('get', '--raw', pods);
	assert.equal(JSON.parse(raw.stdout || '{}').kind, 'PodList', raw.stderr);
	const exec = await kubectl('exec', 'web-1', '--', 'echo', 'hello');
	assert.deepEqual([exec.code, exec.stdout], [0, 'hello\n'], exec.stderr);
});
