// Debian's python3-kubernetes through the proxy: HTTP/1.1 with keep-alive, WebSocket v4 channels with an Origin. List, write,
// watch, logs, exec with input and exit code, and port-forward.
import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { Running } from '../clients/run.mjs';
import { CLUSTERS, nameOf, person, run, scenario, startBoth, until } from './harness.mjs';
import { writeKubeconfig } from './tools.mjs';

const PYTHON = '/usr/bin/python3'; // Debian's, which has the package
const PROGRAM = fileURLToPath(new URL('../clients/python_client.py', import.meta.url));
const [prod] = CLUSTERS;

scenario('python3-kubernetes', async (world) => {
	const { kubeproxyd } = await startBoth(world);
	const api = world.api(prod);
	const alice = await person(world, kubeproxyd, 'alice', ['engineering']);
	const kubeconfig = writeKubeconfig(alice, nameOf(prod));
	const options = { env: { PATH: process.env.PATH, HOME: world.directory } };
	const start = (...words) => new Running(PYTHON, [PROGRAM, kubeconfig, ...words], options);
	const ask = async (...words) => {
		const result = await run(PYTHON, [PROGRAM, kubeconfig, ...words], options);
		assert.equal(result.code, 0, `${words.join(' ')}: ${result.stderr}`);
		return JSON.parse(result.stdout);
	};

	assert.deepEqual(await ask('list'), ['web-1', 'web-2']);
	assert.deepEqual(await ask('write', 'by-python'), { a: '1', b: '2' });

	const watch = start('watch', 'seen');
	await watch.waitFor(/"settings"/, { stream: 'stdout' });
	await api('POST', '/objects', {
		apiVersion: 'v1',
		kind: 'ConfigMap',
		metadata: { name: 'seen', namespace: 'default' },
	});
	assert.equal((await watch.ended).code, 0, watch.stderr);

	const logs = start('logs');
	await logs.waitFor(/listening/, { stream: 'stdout' });
	await api('POST', '/logs', { pod: 'web-1', line: 'said to python' });
	await logs.waitFor(/said to python/, { stream: 'stdout' });
	await api('POST', '/logs/end', { pod: 'web-1' });
	assert.equal((await logs.ended).code, 0, logs.stderr);

	const result = await ask('exec', 'read line; echo "got $line"; echo bad >&2; exit 7');
	assert.deepEqual(result, { stdout: 'got typed in\n', stderr: 'bad\n', code: 7 });
	const forwarded = await ask('port-forward', '8080');
	assert.match(forwarded.answer, /200 OK[^]*hello from the application\n/);
	assert.equal(forwarded.error, null);

	const upgrades = (await world.received(prod)).filter((entry) => entry.upgrade);
	for (const { upgrade, protocol } of upgrades)
		assert.deepEqual([upgrade, protocol], ['websocket', 'v4.channel.k8s.io']);
	assert.equal(upgrades.length, 2);
	await until('no tunnel is left', async () => (await kubeproxyd.status()).exchanges === 0);
});
