// The Kubernetes client of Node.js through the proxy: HTTP/1.1, a connection a request, WebSocket alone. List, watch, logs,
// exec with input and exit code, and port-forward.
import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { PassThrough, Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import * as k8s from '@kubernetes/client-node';
import { CLUSTERS, nameOf, person, scenario, startBoth, until } from './harness.mjs';
import { writeKubeconfig } from './tools.mjs';

const [prod] = CLUSTERS;

async function checkLists(api) {
	const { items } = await api.listNamespacedPod({ namespace: 'default' });
	assert.deepEqual(
		items.map(({ metadata }) => metadata.name),
		['web-1', 'web-2'],
	);
	const selected = await api.listPodForAllNamespaces({ labelSelector: 'app in (job-1, none)' });
	assert.equal(selected.items[0].metadata.namespace, 'team-a');
	await assert.rejects(api.listNode(), /nodes is forbidden/);
}

async function checkWrites(api) {
	const made = { metadata: { name: 'by-node' }, data: { a: '1' } };
	await api.createNamespacedConfigMap({ namespace: 'default', body: made });
	const read = await api.readNamespacedConfigMap({ namespace: 'default', name: 'by-node' });
	await api.replaceNamespacedConfigMap({
		namespace: 'default',
		name: 'by-node',
		body: { ...read, data: { a: '2' } },
	});
	const stale = api.replaceNamespacedConfigMap({ namespace: 'default', name: 'by-node', body: read });
	await assert.rejects(stale, /the object has been modified/);
	await api.deleteNamespacedConfigMap({ namespace: 'default', name: 'by-node' });
}

async function checkWatch(world, config) {
	const seen = [];
	const watch = new k8s.Watch(config);
	const ended = new Promise((resolve) => {
		watch
			.watch(
				'/api/v1/namespaces/default/configmaps',
				{},
				(type, { metadata }) => seen.push(`${type} ${metadata.name}`),
				resolve,
			)
			.then((controller) => until('the watch has begun', () => seen.length > 0).then(() => controller))
			.then(async (controller) => {
				const object = {
					apiVersion: 'v1',
					kind: 'ConfigMap',
					metadata: { name: 'seen', namespace: 'default' },
				};
				await world.api(prod)('POST', '/objects', object);
				await until('the change is seen', () => seen.includes('ADDED seen'));
				controller.abort();
			});
	});
	await ended;
	assert.deepEqual(seen, ['ADDED settings', 'ADDED seen']);
}

async function checkLogs(world, config) {
	const output = new PassThrough();
	await new k8s.Log(config).log('default', 'web-1', 'main', output, { follow: true });
	const whole = text(output);
	await world.api(prod)('POST', '/logs', { pod: 'web-1', line: 'said to node' });
	await world.api(prod)('POST', '/logs/end', { pod: 'web-1' });
	assert.equal(await whole, 'starting\nlistening\nsaid to node\n');
}

async function execute(config, command, input) {
	const [stdout, stderr] = [new PassThrough(), new PassThrough()];
	const [out, err] = [text(stdout), text(stderr)];
	const stdin = input === undefined ? null : Readable.from([input]);
	const exec = new k8s.Exec(config);
	const status = await new Promise((resolve, reject) => {
		exec.exec('default', 'web-1', 'main', command, stdout, stderr, stdin, false, resolve).catch(reject);
	});
	stdout.end();
	stderr.end();
	return { status, stdout: await out, stderr: await err };
}

async function checkExec(config) {
	const both = await execute(config, ['sh', '-c', 'echo good; echo bad >&2; exit 7']);
	assert.deepEqual([both.stdout, both.stderr], ['good\n', 'bad\n']);
	assert.equal(both.status.details.causes[0].message, '7');
	const input = await execute(config, ['head', '-c', '6'], 'typed in');
	assert.deepEqual([input.stdout, input.status.status], ['typed ', 'Success']);
}

async function checkPortForward(config) {
	const forward = new k8s.PortForward(config);
	const server = createServer((socket) => {
		forward.portForward('default', 'web-1', [8080], socket, null, socket);
	});
	await new Promise((resolve) => {
		server.listen(0, '127.0.0.1', resolve);
	});
	const page = await fetch(`http://127.0.0.1:${server.address().port}/`, { headers: { connection: 'close' } });
	assert.equal(await page.text(), 'hello from the application\n');
	await new Promise((resolve) => {
		server.close(resolve);
	});
}

scenario('@kubernetes/client-node', async (world) => {
	const { kubeproxyd } = await startBoth(world);
	const alice = await person(world, kubeproxyd, 'alice', ['engineering']);
	const config = new k8s.KubeConfig();
	config.loadFromFile(writeKubeconfig(alice, nameOf(prod)));
	const api = config.makeApiClient(k8s.CoreV1Api);
	await checkLists(api);
	await checkWrites(api);
	await checkWatch(world, config);
	await checkLogs(world, config);
	await checkExec(config);
	await checkPortForward(config);
	const upgrades = (await world.received(prod)).filter((entry) => entry.upgrade);
	assert.deepEqual(
		upgrades.map(({ upgrade, protocol }) => `${upgrade} ${protocol}`),
		['websocket v5.channel.k8s.io', 'websocket v5.channel.k8s.io', 'websocket v4.channel.k8s.io'],
	);
	await until('no tunnel is left', async () => (await kubeproxyd.status()).exchanges === 0);
});
