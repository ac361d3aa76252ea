// The pure parts of the API-server simulator: who owns applied fields, patches, selectors, pages, and the codecs of SPDY's
// headers and of protobuf.
import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { constants, createDeflate } from 'node:zlib';
import { applyDocument } from './kube/apply.mjs';
import { pageOf } from './kube/pages.mjs';
import { patchObject } from './kube/patch.mjs';
import { readProtobuf } from './kube/protobuf.mjs';
import { fields, text } from './kube/protobuf_writer.mjs';
import { parseQuery } from './kube/request_info.mjs';
import { makeFilter } from './kube/selectors.mjs';
import { DICTIONARY, SpdyConnection } from './kube/spdy.mjs';

const map = (data) => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'm' }, data });

test('applied fields have owners', () => {
	const one = applyDocument(undefined, map({ a: '1', b: '1' }), { manager: 'one' });
	const same = applyDocument(one, map({ a: '1' }), { manager: 'two' });
	assert.deepEqual(same.data, { a: '1', b: '1' }, 'agreeing is no conflict');
	assert.throws(() => applyDocument(same, map({ b: '2' }), { manager: 'two' }), /conflict with "one": \.data\.b/);
	const forced = applyDocument(same, map({ b: '2' }), { manager: 'two', force: true });
	assert.deepEqual(forced.data, { a: '1', b: '2' });
	assert.deepEqual(applyDocument(forced, map({}), { manager: 'one' }).data, { b: '2' });
	assert.deepEqual(applyDocument(forced, map({}), { manager: 'two' }).data, { a: '1' });
});

test('patches', () => {
	const object = { list: [{ name: 'a', x: 1 }, { name: 'b' }], data: { k: 'v' } };
	const patch = (type, document) => patchObject(`application/${type}+json`, object, document);
	assert.deepEqual(patch('merge-patch', { data: { k: null }, list: [] }), { list: [], data: {} });
	assert.deepEqual(patch('strategic-merge-patch', { list: [{ name: 'a', y: 2 }] }).list, [
		{ name: 'a', x: 1, y: 2 },
		{ name: 'b' },
	]);
	const json = patch('json-patch', [
		{ op: 'test', path: '/data/k', value: 'v' },
		{ op: 'remove', path: '/list/0' },
		{ op: 'add', path: '/data/a~1b', value: 1 },
	]);
	assert.deepEqual(json, { list: [{ name: 'b' }], data: { k: 'v', 'a/b': 1 } });
	assert.throws(() => patch('json-patch', [{ op: 'test', path: '/data/k', value: 'w' }]), /failed/);
	assert.throws(() => patch('json-patch', [{ op: 'remove', path: '/none/x' }]), /no \/none\/x/);
	assert.throws(() => patch('unheard-of', {}), /unknown format/);
});

test('selectors', () => {
	const object = { metadata: { name: 'x', labels: { app: 'web', env: 'prod' } } };
	const selects = (selector, field = '') =>
		makeFilter(
			parseQuery(`labelSelector=${encodeURIComponent(selector)}&fieldSelector=${encodeURIComponent(field)}`),
		)(object);
	for (const selector of [
		'app',
		'app=web',
		'app==web',
		'app!=x',
		'none!=x',
		'!none',
		'app in (x, web),env',
		'app notin (x)',
	])
		assert.ok(selects(selector), selector);
	for (const selector of ['none', '!app', 'app=x', 'app!=web', 'app in (x,y)', 'app notin (web)', 'app,none'])
		assert.ok(!selects(selector), selector);
	assert.ok(selects('', 'metadata.name=x') && !selects('', 'metadata.name!=x'));
});

test('pages', () => {
	const first = pageOf(parseQuery('limit=4'), 10);
	assert.deepEqual([first.from, first.to, first.remaining.remainingItemCount], [0, 4, 6]);
	const last = pageOf(parseQuery(`limit=8&continue=${first.remaining.continue}`), 10);
	assert.deepEqual(last, { from: 4, to: 10, remaining: {} });
	assert.throws(() => pageOf(parseQuery('continue=nonsense'), 10), /not valid/);
});

test('protobuf', () => {
	const metadata = fields([
		[1, text('s')],
		[
			11,
			fields([
				[1, text('k')],
				[2, text('v')],
			]),
		],
	]);
	const secret = fields([
		[1, metadata],
		[
			2,
			fields([
				[1, text('a')],
				[2, Buffer.from([0xff, 0])],
			]),
		],
		[3, text('Opaque')],
	]);
	const envelope = fields([
		[
			1,
			fields([
				[1, text('v1')],
				[2, text('Secret')],
			]),
		],
		[2, secret],
	]);
	const document = readProtobuf(Buffer.concat([Buffer.from([0x6b, 0x38, 0x73, 0]), envelope]));
	assert.deepEqual(document, {
		apiVersion: 'v1',
		kind: 'Secret',
		metadata: { name: 's', labels: { k: 'v' } },
		data: { a: '/wA=' },
		type: 'Opaque',
	});
});

// A client's frames, headers compressed as one stream.
async function synStream(deflate, id, headers) {
	const word = (value) => {
		const length = Buffer.alloc(4);
		length.writeUInt32BE(value.length);
		return Buffer.concat([length, Buffer.from(value)]);
	};
	const count = Buffer.alloc(4);
	count.writeUInt32BE(headers.length);
	deflate.write(Buffer.concat([count, ...headers.flat().map(word)]));
	await new Promise((resolve) => {
		deflate.flush(constants.Z_SYNC_FLUSH, resolve);
	});
	const head = Buffer.alloc(18);
	head.writeUInt32BE(0x80030001);
	head.writeUInt32BE(id, 8);
	const frame = Buffer.concat([head, deflate.read()]);
	frame.writeUInt32BE(frame.length - 8, 4);
	return frame;
}

test('SPDY frames, split anywhere', async () => {
	const socket = new PassThrough({ allowHalfOpen: true });
	socket.write = () => true; // what the server says is not looked at
	const seen = [];
	new SpdyConnection(socket, (stream) => {
		seen.push([stream.id, stream.headers.streamtype]);
		stream.on('data', (data) => seen.push([stream.id, data.toString()]));
		stream.on('end', () => seen.push([stream.id, 'end']));
	});
	const deflate = createDeflate({ dictionary: DICTIONARY });
	const data = (id, value, flags = 0) => {
		const head = Buffer.alloc(8);
		head.writeUInt32BE(id);
		head.writeUInt32BE(flags * 0x1000000 + value.length, 4);
		return Buffer.concat([head, Buffer.from(value)]);
	};
	const bytes = Buffer.concat([
		await synStream(deflate, 1, [['streamType', 'error']]),
		await synStream(deflate, 3, [
			['streamType', 'data'],
			['port', '80'],
		]),
		data(3, 'hello'),
		data(3, '', 1),
		data(99, 'nobody'),
	]);
	for (const byte of bytes) socket.emit('data', Buffer.from([byte]));
	await new Promise((resolve) => {
		setImmediate(resolve);
	});
	assert.deepEqual(seen, [
		[1, 'error'],
		[3, 'data'],
		[3, 'hello'],
		[3, 'end'],
	]);
});
