// What a restricted user is answered in every form there is, over both versions of HTTP: documents, tables, metadata alone,
// compressed; watches with initial events, compressed an event a member; and what cannot be filtered is refused. Then what
// is on record of it.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { request } from 'node:https';
import { createGunzip, gunzipSync, gzipSync } from 'node:zlib';
import { admin } from './daemons.mjs';
import { ended, scenario, until } from './harness.mjs';
import { map, NAME, namesOf, PROD, startFiltered } from './filtered.mjs';
import { encodeObject, PROTOBUF } from '../sim/kube/protobuf_answer.mjs';

const MAPS = `/clusters/${NAME}/api/v1/configmaps`;
const PARTIAL = 'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io';
const TABLE = 'application/json;as=Table;v=v1;g=meta.k8s.io';
const SHOWN = ['of-system', 'of-team', 'plain-1', 'plain-2', 'settings'];

// All that came, as bytes.
async function bytesOf(stream) {
	const parts = [];
	for await (const part of stream) parts.push(part);
	return Buffer.concat(parts);
}

async function checkLists(albert, session) {
	for (const ask of [(path, options) => albert.ask(session, path, options), (path, options) => albert.request(path, options)]) {
		const plain = await ask(MAPS);
		assert.equal(plain.status, 200);
		assert.equal(plain.headers['content-length'], undefined);
		assert.deepEqual(namesOf(plain.json), SHOWN);
		assert.equal(plain.json.kind, 'ConfigMapList');
		const partial = await ask(MAPS, { headers: { accept: PARTIAL } });
		assert.equal(partial.json.kind, 'PartialObjectMetadataList');
		assert.deepEqual(namesOf(partial.json), SHOWN);
		for (const include of ['Metadata', 'Object']) {
			const table = await ask(`${MAPS}?includeObject=${include}`, { headers: { accept: TABLE } });
			assert.deepEqual(table.json.rows.map(({ object }) => object.metadata.name).sort(), SHOWN);
			assert.deepEqual(table.json.rows.map(({ cells }) => cells[0]).sort(), SHOWN);
		}
		// There are no pages: where they end counts what is not shown, and their tokens name it.
		const page = await ask(`${MAPS}?limit=2`);
		assert.deepEqual(namesOf(page.json), SHOWN);
		assert.deepEqual(Object.keys(page.json.metadata), ['resourceVersion']);
		const token = Buffer.from('{"v":"meta.k8s.io/v1","rv":1,"start":"default/secret-1"}').toString('base64url');
		assert.equal((await ask(`${MAPS}?limit=1&continue=${token}`)).status, 410);
		assert.equal((await ask(MAPS, { method: 'HEAD' })).text, '');
		const refused = await ask(MAPS, { headers: { accept: 'application/yaml' } });
		assert.equal(refused.status, 406, refused.text);
		assert.match(refused.json.message, /application\/json/);
		const nameless = await ask(`${MAPS}?includeObject=None`, { headers: { accept: TABLE } });
		assert.equal(nameless.status, 403);
		assert.match(nameless.json.message, /includeObject=None/);
	}
}

// An API server that cannot read an object of its store says which.
async function checkErrors(world, albert, session) {
	const status = { kind: 'Status', apiVersion: 'v1', code: 500, message: 'unable to transform key "/registry/configmaps/default/secret-1"' };
	const base64 = Buffer.from(JSON.stringify(status)).toString('base64');
	await world.api(PROD)('POST', '/faults', { kind: 'status', path: '/configmaps', times: 1, code: 500, type: 'application/json', base64 });
	const failed = await albert.ask(session, MAPS);
	assert.equal(failed.status, 500);
	assert.match(failed.json.message, /is left out/);
	assert.doesNotMatch(failed.text, /secret-1/);
}

// An API server that answers with one object where a list was asked for.
async function checkSingles(world, albert, session) {
	for (const [name, status] of [['secret-1', 403], ['plain-1', 200]]) {
		const body = ` ${JSON.stringify(map(name), null, 1)}\n`;
		await world.api(PROD)('POST', '/faults', { kind: 'status', path: '/configmaps', times: 1, code: 200, body });
		const answer = await albert.ask(session, MAPS);
		assert.equal(answer.status, status, answer.text);
		if (status === 200) assert.equal(answer.text, body, 'byte for byte');
		else assert.doesNotMatch(answer.text, /secret-1/);

		const packed = gzipSync(body);
		const whole = encodeObject(map(name));
		for (const [type, bytes, headers] of [['application/json', packed, { 'content-encoding': 'gzip' }], [PROTOBUF, whole, {}]]) {
			const base64 = bytes.toString('base64');
			await world.api(PROD)('POST', '/faults', { kind: 'status', path: '/configmaps', times: 1, code: 200, type, headers, base64 });
			const stream = await albert.open(session, MAPS, { headers: { accept: type, 'accept-encoding': 'gzip' } });
			const came = await bytesOf(stream);
			const shown = stream.head['content-encoding'] === 'gzip' ? gunzipSync(came) : came;
			assert.equal(stream.status, status, type);
			if (status === 200) assert.ok(shown.equals(type === PROTOBUF ? whole : Buffer.from(body)), type);
			else assert.ok(!shown.includes('secret-1'), type);
		}
	}
}

async function checkPackedLists(world, albert, session) {
	await world.api(PROD)('POST', '/compression', { isOn: true });
	const stream = await albert.open(session, MAPS, { headers: { 'accept-encoding': 'gzip' } });
	assert.equal(stream.head['content-encoding'], 'gzip');
	assert.deepEqual(namesOf(JSON.parse(gunzipSync(await bytesOf(stream)))), SHOWN);
	const plain = await albert.ask(session, MAPS);
	assert.equal(plain.headers['content-encoding'], undefined);
	assert.deepEqual(namesOf(plain.json), SHOWN);
}

// Events as they arrive, whatever they came in.
function follow(stream) {
	const events = [];
	const source = stream.head['content-encoding'] === 'gzip' ? stream.pipe(createGunzip()) : stream;
	let rest = '';
	source.setEncoding('utf8').on('data', (part) => {
		const lines = (rest + part).split('\n');
		rest = lines.pop();
		events.push(...lines.map((line) => JSON.parse(line)));
	});
	source.on('error', () => {});
	return events;
}

const shownBy = (events) => events.map(({ type, object }) => `${type} ${object.metadata.name ?? ''}`.trim());

async function checkWatches(albert, session, put) {
	const options = 'watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true';
	for (const encoding of ['identity', 'gzip']) {
		const stream = await albert.open(session, `${MAPS}?${options}`, { headers: { 'accept-encoding': encoding } });
		assert.equal(stream.head['content-encoding'], encoding === 'gzip' ? 'gzip' : undefined);
		const events = follow(stream);
		const isEnd = ({ type, object }) => type === 'BOOKMARK' && object.metadata.annotations?.['k8s.io/initial-events-end'];
		await until('the initial events have ended', () => events.some(isEnd));
		const initial = shownBy(events.slice(0, events.findIndex(isEnd)));
		assert.deepEqual(initial.sort(), SHOWN.map((name) => `ADDED ${name}`));
		await put(map('secret-1'));
		await put({ ...map('plain-1'), data: { value: encoding } });
		await until('the change is seen', () => shownBy(events).includes('MODIFIED plain-1'));
		assert.doesNotMatch(JSON.stringify(events), /secret/);
		stream.close();
	}
	const legacy = await albert.open(session, `/clusters/${NAME}/api/v1/watch/configmaps`);
	const events = follow(legacy);
	await until('all are seen', () => events.length === SHOWN.length);
	assert.deepEqual(shownBy(events).sort(), SHOWN.map((name) => `ADDED ${name}`));
	const table = await albert.open(session, `${MAPS}?watch=1`, { headers: { accept: TABLE } });
	const rows = follow(table);
	await until('all rows are seen', () => rows.length === SHOWN.length);
	assert.deepEqual(rows.map(({ object }) => object.rows[0].object.metadata.name).sort(), SHOWN);
	for (const stream of [legacy, table]) stream.close();
}

async function checkWebSocket(albert) {
	const { text } = await albert.raw(
		`GET ${MAPS}?watch=1 HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
			'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n',
	);
	assert.match(text, /^HTTP\/1\.1 403 /);
	assert.match(text, /a watch over WebSocket cannot be filtered/);
}

async function checkRecords(world, kubeproxyd) {
	const metrics = await admin(world.path('run', 'main.sock'), '/metrics');
	for (const verdict of ['passed', 'dropped']) assert.match(metrics, new RegExp(`^eksgate_filtered_objects_total\\{verdict="${verdict}"\\} [1-9]`, 'm'));
	const line = kubeproxyd.stderr.split('\n').find((text) => /"?event"?[=:]"?request/.test(text) && /left_out/.test(text));
	assert.match(line ?? 'no such line', /passed"?[=:]\d+.*left_out"?[=:]\d+/);
	const directory = world.path('audit');
	const isFiltered = ({ annotations }) => annotations?.['eksgate.io/objects-left-out'] === '1' && annotations['eksgate.io/objects-passed'] === '5';
	await until('the audit log tells of it', () =>
		readdirSync(directory)
			.flatMap((file) => readFileSync(`${directory}/${file}`, 'utf8').trim().split('\n'))
			.filter(Boolean)
			.map((text) => JSON.parse(text))
			.some(isFiltered),
	);
}

// An answer over HTTP/1.1 of which nothing is read yet.
function begin({ proxy, ca, certificate, key }, path, headers = {}) {
	return new Promise((resolve, reject) => {
		const options = { host: '127.0.0.1', port: proxy.port, path, headers, ca, cert: certificate, key, agent: false };
		request(options, resolve).on('error', reject).end();
	});
}

// A list that the API server cuts is cut here, whatever came before; so is a watch.
async function checkCut(world, albert, session) {
	for (const accept of ['application/json', TABLE, PROTOBUF])
		for (const encoding of ['identity', 'gzip']) {
			const headers = { accept, 'accept-encoding': encoding };
			const watch = await albert.open(session, `${MAPS}?watch=1`, { headers });
			const older = await begin(albert, `${MAPS}?watch=1`, headers);
			watch.on('error', () => {});
			await Promise.all([watch, older].map((stream) => once(stream, 'readable')));
			watch.resume();
			await world.api(PROD)('POST', '/streams', { how: 'cut' });
			assert.notEqual(await ended(watch), 0, `${accept} ${encoding}`);
			await assert.rejects(bytesOf(older), /aborted/, `${accept} ${encoding}`);
		}
	await world.api(PROD)('POST', '/bulk', { namespace: 'bulk', count: 2000, bytes: 10000 });
	const stream = await albert.open(session, `/clusters/${NAME}/api/v1/namespaces/bulk/configmaps`);
	stream.on('error', () => {});
	stream.pause();
	await world.api(PROD)('POST', '/streams', { how: 'cut' });
	stream.resume();
	assert.notEqual(await ended(stream), 0);
	const response = await begin(albert, `/clusters/${NAME}/api/v1/namespaces/bulk/configmaps`);
	await world.api(PROD)('POST', '/streams', { how: 'cut' });
	await assert.rejects(bytesOf(response), /aborted/);
}

scenario('answers to restricted users', { clusters: [PROD] }, async (world) => {
	const { kubeproxyd, albert, put } = await startFiltered(world);
	const session = albert.h2();
	await checkLists(albert, session);
	await checkErrors(world, albert, session);
	await checkSingles(world, albert, session);
	await checkPackedLists(world, albert, session);
	await checkWatches(albert, session, put);
	await checkWebSocket(albert);
	await checkRecords(world, kubeproxyd);
	await checkCut(world, albert, session);
	session.close();
	await until('nothing is left', async () => (await kubeproxyd.status()).exchanges === 0);
});
