// Who shows no credential cannot fill the disk with records of it: each answer costs a handshake, and no record holds more
// than a little of what a stranger wrote.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { connect as connectH2 } from 'node:http2';
import { connect } from 'node:tls';
import { FRAME, frame, headers, RawH2 } from '../clients/raw_h2.mjs';
import { CLUSTERS, nameOf, person, scenario, startBoth, until } from './harness.mjs';
import { addIssuer } from './tokens.mjs';

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

const get = (stream, path, token) =>
	headers(stream, [
		[':method', 'GET'],
		[':scheme', 'https'],
		[':authority', 'proxy'],
		[':path', path],
		...(token ? [['authorization', `Bearer ${token}`]] : []),
	]);
const cancel = (stream) => frame(FRAME.RST_STREAM, 0, stream, Buffer.from([0, 0, 0, 8]));

scenario('strangers and the audit log', { clusters: CLUSTERS.slice(0, 1) }, async (world) => {
	const issuer = await addIssuer(world);
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

	// Nor do bad tokens beside a good one have more, whether they are waited for or taken back at once.
	const good = issuer.token({ groups: ['engineering'] });
	for (const [bad, end] of [
		['/clusters/x/bad', () => []],
		['/clusters/x/taken-back', (stream) => [cancel(stream)]],
	]) {
		const mixed = await new RawH2({ port, rejectUnauthorized: false }).open();
		mixed.send(get(1, '/v1/clusters', good));
		assert.equal(await mixed.outcome(1), 'status 200');
		const streams = [3, 5, 7, 9];
		mixed.send(...streams.flatMap((stream) => [get(stream, bad, `${good}x`), ...end(stream)]), get(11, '/v1/clusters', good));
		await mixed.end();
		const has = (type, stream) => mixed.find(type, stream) !== undefined;
		const isWaited = end(1).length === 0;
		assert.deepEqual(streams.map((stream) => has(FRAME.HEADERS, stream)), [isWaited, false, false, false]);
		for (const stream of isWaited ? [5, 7, 9, 11] : []) assert.equal(await mixed.outcome(stream), 'reset 7', 'to be asked elsewhere');
		const records = () => lines().filter((line) => JSON.parse(line).requestURI === bad);
		await until('the record', async () => records().length > 0 || null);
		assert.deepEqual(records().map((line) => JSON.parse(line).responseStatus.code), [401]);
		mixed.destroy();
	}

	// Whom it knows keeps theirs.
	const alice = await person(world, kubeproxyd, 'alice', ['engineering']);
	const twice = await alice.raw(find.repeat(2));
	assert.equal(twice.text.match(/^HTTP\/1\.1 200/gm).length, 2);
	await issuer.close();
});
