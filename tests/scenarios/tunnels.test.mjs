// Tunnels outlive every deadline of requests, lose nothing at their beginning and nothing at their end.
import assert from 'node:assert/strict';
import WebSocket from 'ws';
import { CLUSTERS, nameOf, person, scenario, startBoth, until } from './harness.mjs';

const STDOUT = 1;
const ERROR = 3;
const LINES = 300000;
const SILENCE_MS = 3500;
const pause = (ms) => new Promise((done) => setTimeout(done, ms));

function open(alice, path) {
	const { ca, certificate: cert, key } = alice;
	const socket = new WebSocket(`wss://127.0.0.1:${alice.proxy.port}${path}`, ['v5.channel.k8s.io'], { ca, cert, key });
	const exec = { socket, bytes: 0, text: '' };
	socket.on('message', (data) => {
		if (data[0] === STDOUT) {
			exec.bytes += data.length - 1;
			exec.text = (exec.text + data.subarray(1)).slice(-200);
		}
		if (data[0] === ERROR) exec.status = JSON.parse(data.subarray(1));
	});
	exec.opened = new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
	exec.closed = new Promise((resolve) => socket.once('close', resolve));
	return exec;
}

scenario('tunnels', async (world) => {
	world.config.eksgate.proxy.limits = { idle_timeout: '1s', header_timeout: '1s', response_timeout: '1s', body_grace: '1s' };
	world.writeConfig();
	const { kubeproxyd } = await startBoth(world);
	const alice = await person(world, kubeproxyd, 'alice', ['engineering']);
	const base = `/clusters/${nameOf(CLUSTERS[0])}/api/v1/namespaces/default/pods/web-1/exec?stdout=true`;
	const quiet = open(alice, `${base}&stdin=true&command=cat`);
	const slow = open(alice, `${base}&command=seq&command=${LINES}`);
	await Promise.all([quiet.opened, slow.opened]);

	// Nobody reads for longer than any deadline; then all of it is there, the exit status behind it.
	slow.socket.pause();
	await pause(SILENCE_MS);
	slow.socket.resume();
	await slow.closed;
	assert.equal(slow.bytes, Array.from({ length: LINES }, (_, i) => String(i + 1).length + 1).reduce((a, b) => a + b));
	assert.ok(slow.text.endsWith(`\n${LINES}\n`));
	assert.equal(slow.status.status, 'Success');

	quiet.socket.send(Buffer.from('\0still here\n'));
	await until('the echo after a silence', async () => quiet.text.includes('still here'));
	const pong = new Promise((resolve) => quiet.socket.once('pong', resolve));
	quiet.socket.ping('ping');
	assert.equal((await pong).toString(), 'ping', 'pings pass');
	quiet.socket.terminate();
	await until('nothing is left', async () => (await kubeproxyd.status()).exchanges === 0);
});
