// port-forward of several ports at once, over SPDY (kubectl up to 1.30) and over SPDY inside a WebSocket (from 1.31 on):
// many connections side by side, much data both ways, half-closed ones, a port where nothing listens, and in `make test-long`
// more than a minute of silence.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { CLUSTERS, nameOf, person, scenario, startBoth, until } from './harness.mjs';
import { isLong, MINORS, toolsOf } from './tools.mjs';

const [prod] = CLUSTERS;
const PARALLEL = 8;
const SILENT_MINORS = isLong ? [MINORS[0], MINORS.at(-1)] : [];
const SILENCE_MS = 70000;
const HELD_MS = 1000;
const PAYLOAD = Buffer.alloc((isLong ? 8192 : 512) * 1024, 'port-forward ');
const WANTED = createHash('sha1').update(PAYLOAD).digest('hex');

// Sends everything, ends its side, and gives the digest of what comes back before the other side ends.
function echoDigest(port) {
	return new Promise((resolve, reject) => {
		const hash = createHash('sha1');
		const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
		socket.on('data', (data) => hash.update(data));
		socket.on('end', () => resolve(hash.digest('hex')));
		socket.on('error', reject);
		socket.end(PAYLOAD);
	});
}

async function forward(tools, ports) {
	const running = tools.start(['port-forward', 'pod/web-1', ...ports.map((port) => `:${port}`)]);
	const lines = ports.map((port) => `127\\.0\\.0\\.1:(\\d+) -> ${port}\\n`).join('[^]*');
	const [, ...local] = await running.waitFor(new RegExp(lines), { stream: 'stdout' });
	return { running, local };
}

// The ports stand in the streams alone, and come to the audit log all the same.
async function checkAudit(world, what, { headers }, begun) {
	const [, id] = headers.find(([name]) => name.toLowerCase() === 'audit-id');
	const event = await until(`the event of the port-forward of ${what}`, async () =>
		readFileSync(world.path('audit', 'main.jsonl'), 'utf8')
			.split('\n')
			.filter(Boolean)
			.map((line) => JSON.parse(line))
			.find(({ auditID, stage }) => auditID === id && stage === 'ResponseComplete'),
	);
	const note = (name) => event.annotations[`eksgate.io/${name}`];
	assert.equal(event.objectRef.subresource, 'portforward');
	assert.deepEqual(JSON.parse(note('ports')).sort(), ['7', '8080'], what);
	for (const way of ['bytes-in', 'bytes-out']) assert.ok(Number(note(way)) > PARALLEL * PAYLOAD.length, `${what}: ${way}`);
	const lasted = Number(note('duration-ms'));
	assert.ok(lasted >= HELD_MS && lasted <= Date.now() - begun, `${what}: ${lasted} ms`);
}

// `isWebSocket`: whether that kubectl tunnels SPDY in a WebSocket.
async function checkGeneration(world, tools, isWebSocket = tools.minor >= 31) {
	const { minor } = tools;
	const begun = Date.now();
	const { running, local } = await forward(tools, [8080, 7]);
	const [page, ...digests] = await Promise.all([
		fetch(`http://127.0.0.1:${local[0]}/`).then((answer) => answer.text()),
		...Array.from({ length: PARALLEL }, () => echoDigest(local[1])),
	]);
	assert.equal(page, 'hello from the application\n', `1.${minor}`);
	assert.deepEqual(digests, Array(PARALLEL).fill(WANTED), `1.${minor}: what was echoed`);
	await new Promise((resolve) => {
		setTimeout(resolve, SILENT_MINORS.includes(minor) ? SILENCE_MS : HELD_MS);
	});
	assert.equal(await echoDigest(local[1]), WANTED, `1.${minor}: after a silence`);
	await running.kill();
	const [upgrade] = (await world.received(prod)).filter((entry) => entry.upgrade);
	const expected = isWebSocket ? ['websocket', 'SPDY/3.1+portforward.k8s.io'] : ['SPDY/3.1', 'portforward.k8s.io'];
	assert.deepEqual([upgrade.upgrade, upgrade.protocol], expected, `1.${minor}`);
	assert.deepEqual(upgrade.ports.sort(), [...Array(PARALLEL + 1).fill(7), 8080]);
	await checkAudit(world, `1.${minor}`, upgrade, begun);
	await world.api(prod)('DELETE', '/requests');
}

scenario('kubectl port-forward', async (world) => {
	const { kubeproxyd } = await startBoth(world);
	const alice = await person(world, kubeproxyd, 'alice', ['engineering']);
	for (const minor of MINORS) await checkGeneration(world, toolsOf(alice, nameOf(prod), { minor }));

	const plain = toolsOf(alice, nameOf(prod), { env: { KUBECTL_PORT_FORWARD_WEBSOCKETS: 'false' } });
	await checkGeneration(world, plain, false);

	const refused = await forward(toolsOf(alice, nameOf(prod)), [9]);
	await assert.rejects(fetch(`http://127.0.0.1:${refused.local[0]}/`));
	await refused.running.waitFor(/error forwarding port 9 to pod web-1: dial tcp4/);
	await refused.running.kill();
	await until('no tunnel is left', async () => (await kubeproxyd.status()).exchanges === 0);

	const victor = await person(world, kubeproxyd, 'victor');
	for (const minor of MINORS) {
		const denied = await toolsOf(victor, nameOf(prod), { minor }).kubectl(['port-forward', 'pod/web-1', ':7']);
		assert.match(
			denied.stderr,
			/pods "web-1" is forbidden: User "victor" cannot (get|create) resource "pods\/portforward"/,
		);
	}
});
