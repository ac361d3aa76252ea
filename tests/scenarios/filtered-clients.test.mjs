// The Kubernetes clients of Node.js and Python as restricted users: lists and watches hold what their roles show.
import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import * as k8s from '@kubernetes/client-node';
import { Running } from '../clients/run.mjs';
import { run, scenario, until } from './harness.mjs';
import { map, NAME, namesOf, PROD, startFiltered } from './filtered.mjs';
import { writeKubeconfig } from './tools.mjs';

const PYTHON = '/usr/bin/python3'; // Debian's, which has the package
const PROGRAM = fileURLToPath(new URL('../clients/python_client.py', import.meta.url));

async function checkNode(config, put) {
	const api = config.makeApiClient(k8s.CoreV1Api);
	assert.deepEqual(namesOf(await api.listPodForAllNamespaces()), ['web-1', 'web-2']);
	assert.deepEqual(namesOf(await api.listNamespace()), ['default', 'team-a']);
	await assert.rejects(api.listNamespacedSecret({ namespace: 'default' }), /cannot list secrets/);
	const seen = [];
	const watch = new k8s.Watch(config);
	const controller = await new Promise((resolve, reject) => {
		const begun = watch.watch('/api/v1/configmaps', {}, (type, { metadata }) => seen.push(`${type} ${metadata.name}`), () => {});
		begun.then(resolve, reject);
	});
	await until('the first is seen', () => seen.includes('ADDED of-team'));
	await put(map('secret-2'));
	await put(map('also-of-team', 'team-a'));
	await until('the change is seen', () => seen.includes('ADDED also-of-team'));
	controller.abort();
	assert.deepEqual(seen, ['ADDED of-team', 'ADDED also-of-team']);
}

async function checkPython(world, { wanda, albert }, put) {
	const options = { env: { PATH: process.env.PATH, HOME: world.directory } };
	const refused = await run(PYTHON, [PROGRAM, writeKubeconfig(wanda, NAME), 'list-names', 'default'], options);
	assert.equal(refused.code, 1);
	assert.match(refused.stderr, /ApiException: \(403\)[^]*user \\"wanda\\" cannot list configmaps/);
	const kubeconfig = writeKubeconfig(albert, NAME);
	const list = await run(PYTHON, [PROGRAM, kubeconfig, 'list-names', 'default'], options);
	assert.deepEqual(JSON.parse(list.stdout || 'null'), ['plain-1', 'plain-2', 'settings'], list.stderr);
	const watch = new Running(PYTHON, [PROGRAM, kubeconfig, 'watch', 'seen'], options);
	await watch.waitFor(/"settings"/, { stream: 'stdout' });
	await put(map('secret-3'));
	await put(map('seen'));
	assert.equal((await watch.ended).code, 0, watch.stderr);
	assert.doesNotMatch(watch.stdout, /secret/);
}

scenario('clients of restricted users', { clusters: [PROD] }, async (world) => {
	const { wanda, albert, put } = await startFiltered(world);
	const config = new k8s.KubeConfig();
	config.loadFromFile(writeKubeconfig(wanda, NAME));
	await checkNode(config, put);
	await checkPython(world, { wanda, albert }, put);
});
