// Who shows no credential cannot fill the disk with records of it: each answer costs a handshake, and no record holds more
// than a little of what a stranger wrote.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { connect as connectH2 } from 'node:http2';
import { connect } from 'node:tls';
import { CLUSTERS, nameOf, person, scenario, startBoth, until } from './harness.mjs';

const RECORD_MAX = 32 * 1024;

// The statuses of what is answered until the proxy ends the connection.
function ask(port, bytes) {
	return new Promise((resolve) => {
		const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false, ALPNProtocols: ['http/1.1'] });
		let text = '';
		socket.setEncoding('latin1');
		socket.on('secureConnect', () => socket.write(bytes));
		socket.on('data', (part) => {
			text += part;
		});
		socket.on('error', () => {});
		socket.on('close', () => resolve([...text.matchAll(/^HTTP\/1\.1 (\d+)/gm)].map(([, status]) => Number(status))));
	});
}

function head(target, agent) {
	const start = `GET ${target} HTTP/1.1\r\nHost: proxy\r\nKubectl-Command: ${'c'.repeat(5000)}\r\nUser-Agent: `;
	return Buffer.concat([Buffer.from(start), agent, Buffer.from('\r\n\r\n')]);
}

scenario('strangers and the audit log', { clusters: CLUSTERS.slice(0, 1) }, async (world) => {
	const { kubeproxyd } = await startBoth(world, [nameOf(CLUSTERS[0])]);
	const { port } = kubeproxyd;
	const lines = () => readFileSync(world.path('audit', 'main.jsonl'), 'utf8').split('\n').filter(Boolean);
	const untilRecorded = (count) =>
		until(`${count} records`, async () => (lines().length >= count ? lines() : null));

	// Bytes that are not UTF-8 take six characters each in a record.
	const agent = Buffer.alloc(40000, 0xff);
	assert.deepEqual(await ask(port, head('/webapi/find', agent)), [200]);
	assert.deepEqual(await ask(port, head(`/${'x'.repeat(15000)}`, agent)), [401]);
	for (const line of await untilRecorded(2)) {
		assert.ok(line.length < RECORD_MAX, `${line.length} characters: ${line.slice(0, 200)}`);
		assert.match(JSON.parse(line).userAgent, /\.\.\.TRUNCATED$/);
	}

	// One answer a connection, whatever is pipelined.
	const find = 'GET /webapi/find HTTP/1.1\r\nHost: proxy\r\n\r\n';
	assert.deepEqual(await ask(port, find.repeat(50)), [200]);
	const h2 = connectH2(`https://127.0.0.1:${port}`, { rejectUnauthorized: false });
	const hasLeft = new Promise((resolve) => h2.on('goaway', resolve));
	h2.on('error', () => {});
	h2.request({ ':path': '/webapi/find' }).resume();
	await hasLeft;
	h2.destroy();

	// Not even of those that came with the first, in one packet.
	const many = connectH2(`https://127.0.0.1:${port}`, { rejectUnauthorized: false });
	const hasGone = new Promise((resolve) => many.on('close', resolve));
	let answered = 0;
	many.on('error', () => {});
	await new Promise((resolve) => many.on('connect', resolve));
	for (let i = 0; i < 50; i++) {
		const request = many.request({ ':path': '/clusters/x/api' });
		request.on('response', () => answered++);
		request.on('error', () => {});
		request.resume();
	}
	await hasGone;
	assert.equal(answered, 1);
	const refused = () => lines().filter((line) => JSON.parse(line).requestURI === '/clusters/x/api');
	await until('the record', async () => refused().length > 0 || null);
	assert.equal(refused().length, 1);

	// Whom it knows keeps theirs.
	const alice = await person(world, kubeproxyd, 'alice', ['engineering']);
	const twice = await alice.raw(find.repeat(2));
	assert.equal(twice.text.match(/^HTTP\/1\.1 200/gm).length, 2);
});
