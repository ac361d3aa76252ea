// A cluster addressed by server name: the connection is for it alone, paths have no prefix, and what names another is refused.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { run } from '../clients/run.mjs';
import { kubectlPath } from '../clients/kubectl.mjs';
import { CLUSTERS, nameOf, person, scenario, startBoth } from './harness.mjs';

const SUFFIX = 'k.example.test';

scenario('a cluster by server name', async (world) => {
	world.config.eksgate.proxy.sni_suffix = SUFFIX;
	world.writeConfig();
	const { kubeproxyd } = await startBoth(world);
	const name = nameOf(CLUSTERS[0]);
	const alice = await person(world, kubeproxyd, 'alice', ['engineering']);
	const ask = async (alias, path, host = `${alias}.${SUFFIX}`) => {
		const to = `${alias}.${SUFFIX}:${kubeproxyd.port}`;
		const args = ['-sS', '--max-time', '20', '--resolve', `${to}:127.0.0.1`, '-H', `Host: ${host}`];
		const files = ['--cacert', world.config.eksgate.proxy.tls.certificate, '--cert', alice.files.cert, '--key', alice.files.key];
		const result = await run('curl', [...args, ...files, `https://${to}${path}`]);
		assert.equal(result.code, 0, result.stderr);
		return JSON.parse(result.stdout);
	};
	const pods = '/api/v1/namespaces/default/pods';
	assert.equal((await ask(name, pods)).kind, 'PodList');
	assert.equal((await ask(name.toUpperCase(), pods)).kind, 'PodList');
	const misdirected = await ask(name, pods, `other.${SUFFIX}`);
	assert.deepEqual([misdirected.code, misdirected.reason, misdirected.status], [421, 'MisdirectedRequest', 'Failure']);
	assert.equal((await ask('nowhere', pods)).code, 404);
	assert.equal((await ask(name, `/clusters/${name}${pods}`)).code, 404);
	assert.equal((await alice.request(`/clusters/${name}${pods}`)).status, 200, 'the prefix without a server name');

	alice.writeKubeconfig(name);
	const config = JSON.parse(readFileSync(alice.files.kubeconfig, 'utf8'));
	const { cluster } = config.clusters[0];
	cluster.server = `https://127.0.0.1:${kubeproxyd.port}`;
	cluster['tls-server-name'] = `${name}.${SUFFIX}`;
	const file = world.path('sni.kubeconfig');
	writeFileSync(file, JSON.stringify(config));
	const kubectl = (...words) => run(kubectlPath(), ['--kubeconfig', file, '--cache-dir', world.path('sni-cache'), ...words]);
	const raw = await kubectl('get', '--raw', pods);
	assert.equal(JSON.parse(raw.stdout || '{}').kind, 'PodList', raw.stderr);
	const exec = await kubectl('exec', 'web-1', '--', 'echo', 'hello');
	assert.deepEqual([exec.code, exec.stdout], [0, 'hello\n'], exec.stderr);
});
