// HTTP/2 as kubeproxyd reads it, row by row, frame by frame (RFC 9113 and 7541, reference kube.md 2.2, 2.5 and 3.2): what is
// malformed costs the stream or the connection as the RFC says, what is ambiguous is refused, and none of it is forwarded.
import assert from 'node:assert/strict';
import { block, END_HEADERS, END_STREAM, FRAME, frame, headers, RawH2 } from '../clients/raw_h2.mjs';
import { CLUSTERS, nameOf, person, scenario, startBoth } from './harness.mjs';
import { DROPPED, FIELDS, TARGETS } from './strict_rows.mjs';

const base = `/clusters/${nameOf(CLUSTERS[0])}`;
const PODS = `${base}/api/v1/namespaces/default/pods`;
const PROTOCOL = 1;
const FLOW = 3;
const CLOSED = 5;
const SIZE = 6;
const COMPRESSION = 9;
const pseudo = (method, path, authority = 'x') => [
	[':method', method],
	[':scheme', 'https'],
	[':authority', authority],
	[':path', path],
];
const get = (...fields) => [...pseudo('GET', PODS), ...fields];
const without = (name) => get().filter(([n]) => n !== name);
const bytes = (...numbers) => Buffer.from(numbers);
const BODY = '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"smuggled"}}';
const POST = [...pseudo('POST', `${base}/api/v1/namespaces/default/configmaps`), ['content-type', 'application/json']];
const post = (fields, ...pieces) => [
	headers(1, [...POST, ...fields], END_HEADERS),
	...pieces.map((text, i) => frame(FRAME.DATA, i === pieces.length - 1 ? END_STREAM : 0, 1, Buffer.from(text))),
];

// Malformed heads, a stream error each (8.1.1): [what, fields].
const MALFORMED = [
	['no :method', without(':method')],
	['no :scheme', without(':scheme')],
	['no :path', without(':path')],
	['two :path', [...get(), [':path', '/b']]],
	['two :method', [[':method', 'POST'], ...get()]],
	['two :authority', [[':authority', 'x'], ...get()]],
	['an empty :path', pseudo('GET', '')],
	['a pseudo field of answers', [[':status', '200'], ...get()]],
	['an unknown pseudo field', [[':other', 'a'], ...get()]],
	['a pseudo field behind others', [['a', 'b'], ...get()]],
	['an uppercase name', get(['X-Upper', 'a'])],
	['an uppercase letter in a name', get(['x-uppeR', 'a'])],
	['connection', get(['connection', 'close'])],
	['connection that lists a field of ours', get(['connection', 'impersonate-user'])],
	['keep-alive', get(['keep-alive', '5'])],
	['proxy-connection', get(['proxy-connection', 'close'])],
	['transfer-encoding', get(['transfer-encoding', 'chunked'])],
	['upgrade', get(['upgrade', 'websocket'])],
	['te: gzip', get(['te', 'gzip'])],
	['te: trailers, gzip', get(['te', 'trailers, gzip'])],
	['a space in a name', get(['a b', 'c'])],
	['a colon in a name', get(['a:b', 'c'])],
	['an empty name', get(['', 'b'])],
	['CR LF in a name', get(['a\r\nimpersonate-user', 'root'])],
	['NUL in a value', get(['a', 'b\0'])],
	['CR in a value', get(['a', 'b\rc'])],
	['LF in a value', get(['a', 'b\nimpersonate-user: root'])],
	['a space before a value', get(['a', ' b'])],
	['a space behind a value', get(['a', 'b '])],
	['a tab before a value', get(['a', '\tb'])],
	['a control character in :path', pseudo('GET', `${PODS}\x01`)],
	['a space in :path', pseudo('GET', `${PODS} HTTP/1.1`)],
	['CR LF in :path', pseudo('GET', `${PODS} HTTP/1.1\r\nImpersonate-User: root`)],
	['CR LF in :method', pseudo('GET / HTTP/1.1\r\nHost: x\r\n\r\nGET', PODS)],
	['CR LF in :authority', pseudo('GET', PODS, 'x\r\nImpersonate-User: root')],
	['neither Host nor :authority', without(':authority')],
	['an empty :authority', pseudo('GET', PODS, '')],
	['a path in :authority', pseudo('GET', PODS, 'x/y')],
	['absolute-form', pseudo('GET', `https://x${PODS}`)],
	['two Hosts', [...without(':authority'), ['host', 'x'], ['host', 'x']]],
	['content-length without a body', get(['content-length', '1'])],
	['content-length that is no number', get(['content-length', 'a'])],
	['two content-lengths', get(['content-length', '0'], ['content-length', '0'])],
	[
		'extended CONNECT, which was not offered (RFC 8441)',
		[[':method', 'CONNECT'], [':protocol', 'websocket'], [':scheme', 'https'], [':authority', 'x'], [':path', PODS]],
	],
];

// Well-formed, and answered: [what, fields, statuses].
const ANSWERED = [
	['CONNECT', [[':method', 'CONNECT'], [':authority', 'x:443']], [400, 405, 501]],
	['Host that differs from :authority', get(['host', 'y']), [400]],
	['Host alone', [...without(':authority'), ['host', 'x']], [200]],
	['user information in :authority', pseudo('GET', PODS, 'root@x'), [400]],
	['asterisk-form', pseudo('OPTIONS', '*'), [400, 404, 405]],
	['200 fields', get(...Array.from({ length: 200 }, (_, i) => [`x-${i}`, 'y'])), [431]],
];

// Frames that break the protocol: [what, frames, outcome].
const BROKEN = [
	['an even stream', [headers(2, get())], `goaway ${PROTOCOL}`],
	['stream 0 for a head', [headers(0, get())], `goaway ${PROTOCOL}`],
	['DATA on an idle stream', [frame(FRAME.DATA, 0, 1, bytes(1))], `goaway ${PROTOCOL}`],
	['RST_STREAM on an idle stream', [frame(FRAME.RST_STREAM, 0, 1, bytes(0, 0, 0, 8))], `goaway ${PROTOCOL}`],
	['WINDOW_UPDATE on an idle stream', [frame(FRAME.WINDOW_UPDATE, 0, 1, bytes(0, 0, 0, 8))], `goaway ${PROTOCOL}`],
	['PUSH_PROMISE from a client', [frame(FRAME.PUSH_PROMISE, END_HEADERS, 1, bytes(0, 0, 0, 2))], `goaway ${PROTOCOL}`],
	['CONTINUATION without HEADERS', [frame(FRAME.CONTINUATION, END_HEADERS, 1, block(get()))], `goaway ${PROTOCOL}`],
	[
		'another frame between HEADERS and CONTINUATION',
		[headers(1, get(), END_STREAM), frame(FRAME.PING, 0, 0, Buffer.alloc(8))],
		`goaway ${PROTOCOL}`,
	],
	['a PING of 7 bytes', [frame(FRAME.PING, 0, 0, Buffer.alloc(7))], `goaway ${SIZE}`],
	['a PING on a stream', [frame(FRAME.PING, 0, 1, Buffer.alloc(8))], `goaway ${PROTOCOL}`],
	['SETTINGS of 5 bytes', [frame(FRAME.SETTINGS, 0, 0, Buffer.alloc(5))], `goaway ${SIZE}`],
	['SETTINGS on a stream', [frame(FRAME.SETTINGS, 0, 1, Buffer.alloc(6))], `goaway ${PROTOCOL}`],
	['an acknowledgement with contents', [frame(FRAME.SETTINGS, 1, 0, Buffer.alloc(6))], `goaway ${SIZE}`],
	['ENABLE_PUSH 2', [frame(FRAME.SETTINGS, 0, 0, bytes(0, 2, 0, 0, 0, 2))], `goaway ${PROTOCOL}`],
	['a window of 2^31', [frame(FRAME.SETTINGS, 0, 0, bytes(0, 4, 128, 0, 0, 0))], `goaway ${FLOW}`],
	['frames of 100 bytes', [frame(FRAME.SETTINGS, 0, 0, bytes(0, 5, 0, 0, 0, 100))], `goaway ${PROTOCOL}`],
	['WINDOW_UPDATE by nothing', [frame(FRAME.WINDOW_UPDATE, 0, 0, bytes(0, 0, 0, 0))], `goaway ${PROTOCOL}`],
	['a connection window beyond 2^31', [frame(FRAME.WINDOW_UPDATE, 0, 0, bytes(127, 255, 255, 255))], `goaway ${FLOW}`],
	['a frame beyond 16 KiB', [frame(FRAME.DATA, 0, 1, Buffer.alloc(16385))], `goaway ${SIZE}`],
	['padding beyond the frame', [headers(1, POST, END_HEADERS), frame(FRAME.DATA, 8, 1, bytes(9, 1))], `goaway ${PROTOCOL}`],
	['a head for a stream that was passed over', [headers(3, get()), headers(1, get())], `goaway ${PROTOCOL}`],
	['RST_STREAM of 3 bytes', [headers(1, POST, END_HEADERS), frame(FRAME.RST_STREAM, 0, 1, bytes(0, 0, 8))], `goaway ${SIZE}`],
	['RST_STREAM on stream 0', [frame(FRAME.RST_STREAM, 0, 0, bytes(0, 0, 0, 8))], `goaway ${PROTOCOL}`],
	['WINDOW_UPDATE of 3 bytes', [frame(FRAME.WINDOW_UPDATE, 0, 0, bytes(0, 0, 1))], `goaway ${SIZE}`],
	['GOAWAY on a stream', [frame(FRAME.GOAWAY, 0, 1, Buffer.alloc(8))], `goaway ${PROTOCOL}`],
	['DATA on stream 0', [frame(FRAME.DATA, 0, 0, bytes(1))], `goaway ${PROTOCOL}`],
	['padding longer than a head', [frame(FRAME.HEADERS, 8 | END_HEADERS, 1, bytes(200, 0x82))], `goaway ${PROTOCOL}`],
	['an index that is not in the table', [frame(FRAME.HEADERS, 5, 1, bytes(0xff, 0x80, 0x01))], `goaway ${COMPRESSION}`],
	['index 0', [frame(FRAME.HEADERS, 5, 1, bytes(0x80))], `goaway ${COMPRESSION}`],
	['a block that ends in a field', [frame(FRAME.HEADERS, 5, 1, bytes(0x00, 0x05, 0x61))], `goaway ${COMPRESSION}`],
	['Huffman padding of ones too long', [frame(FRAME.HEADERS, 5, 1, bytes(0x00, 0x81, 0xff, 0x81, 0xff))], `goaway ${COMPRESSION}`],
	['a table size beyond the limit', [frame(FRAME.HEADERS, 5, 1, bytes(0x3f, 0xe2, 0x1f))], `goaway ${COMPRESSION}`],
	['no preface of HTTP/2', null, 'closed'],
];

// Bodies that are not what was declared: [what, frames, outcome].
const BODIES = [
	['a body longer than declared', post([['content-length', '3']], BODY), `reset ${PROTOCOL}`],
	['a body shorter than declared', post([['content-length', '300']], BODY), `reset ${PROTOCOL}`],
	['a body in pieces, longer than declared', post([['content-length', '3']], 'ab', 'cd'), `reset ${PROTOCOL}`],
	['a stream window beyond 2^31', [...post([]), frame(FRAME.WINDOW_UPDATE, 0, 1, bytes(127, 255, 255, 255))], `reset ${FLOW}`],
	['WINDOW_UPDATE of a stream by nothing', [...post([]), frame(FRAME.WINDOW_UPDATE, 0, 1, bytes(0, 0, 0, 0))], `reset ${PROTOCOL}`],
	['a second head behind the end', [headers(1, get()), headers(1, get())], `reset ${CLOSED}`],
	['a pseudo field in trailers', [...post([]), headers(1, [[':path', '/b']])], `reset ${PROTOCOL}`],
	['trailers that do not end', [...post([]), headers(1, [['a', 'b']], END_HEADERS)], `reset ${PROTOCOL}`],
	['DATA behind the end', [...post([], '{'), frame(FRAME.DATA, 0, 1, bytes(1))], `reset ${CLOSED}`],
];

scenario('HTTP/2 is read strictly', async (world) => {
	const { kubeproxyd } = await startBoth(world);
	const alice = await person(world, kubeproxyd, 'alice', ['engineering']);
	const options = { port: kubeproxyd.port, ca: alice.ca, cert: alice.certificate, key: alice.key };
	const open = () => new RawH2(options).open();
	const failed = [];
	// Sends `frames` on a connection of their own; the outcome of their stream.
	const expect = async (what, frames, outcomes, stream = 1) => {
		const h2 = await open();
		h2.send(...frames);
		const got = await h2.outcome(stream).catch((error) => error.message);
		if (!outcomes.includes(got)) failed.push(`${what}: ${got}, wanted ${outcomes.join(' or ')}`);
		if (/^reset|^status/.test(got)) {
			h2.send(headers(101, pseudo('GET', `${base}/version`)));
			const next = await h2.outcome(101).catch((error) => error.message);
			if (next !== 'status 200') failed.push(`${what}: the connection does not go on: ${next}`);
		}
		h2.destroy();
	};
	const statuses = (list) => list.map((status) => `status ${status}`);

	const harmless = [frame(0x20, 0, 0, bytes(1)), frame(FRAME.SETTINGS, 0, 0, bytes(0, 99, 0, 0, 0, 1)), frame(FRAME.PRIORITY, 0, 1, bytes(0, 0, 0, 0, 1))];
	await expect('what is to be ignored', [...harmless, headers(1, get())], ['status 200']);
	await expect('a good one', [headers(1, get(['te', 'trailers'], ['cookie', 'a=b']))], ['status 200']);
	for (const [what, fields] of MALFORMED) await expect(what, [headers(1, fields)], [`reset ${PROTOCOL}`]);
	for (const [what, fields, wanted] of ANSWERED) await expect(what, [headers(1, fields)], statuses(wanted));
	for (const [what, method, target, wanted] of TARGETS) {
		if (target.length > 16000) continue;
		await expect(what, [headers(1, pseudo(method, base + target))], [...statuses(wanted), `reset ${PROTOCOL}`]);
	}
	for (const [name, value, status] of FIELDS) await expect(`${name}: ${value}`, [headers(1, get([name, value]))], [`status ${status}`]);
	for (const [what, frames, outcome] of BODIES) await expect(what, frames, [outcome]);
	for (const [what, frames, outcome] of BROKEN) {
		const h2 = await (frames ? open() : new RawH2(options));
		if (!frames) h2.socket.on('secureConnect', () => h2.socket.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n'));
		else h2.send(...frames);
		const got = await h2.outcome(1).catch((error) => error.message);
		if (![outcome, frames ? outcome : `goaway ${PROTOCOL}`].includes(got)) failed.push(`${what}: ${got}, wanted ${outcome}`);
		h2.destroy();
	}
	assert.deepEqual(failed, []);

	const before = await world.received(CLUSTERS[0]);
	assert.ok(before.every(({ target, method, status }) => method === 'GET' || status !== 201), `nothing was smuggled`);
	assert.deepEqual([...new Set(before.filter(({ method }) => method === 'GET').map(({ target }) => target))].sort(), [
		'/api/v1/namespaces/default/pods',
		'/version',
	]);
	await expect('what is dropped', [headers(1, get(...DROPPED))], ['status 200']);
	const trailed = [
		headers(1, POST, END_HEADERS),
		frame(FRAME.DATA, 0, 1, Buffer.from(BODY.replace('smuggled', 'trailed'))),
		headers(1, [['impersonate-group', 'system:masters']]),
	];
	await expect('trailers of requests are dropped', trailed, ['status 201']);
	for (const { headers: fields, user } of await world.received(CLUSTERS[0])) {
		assert.equal(user, 'alice');
		for (const [name, value] of fields) {
			assert.notEqual(value, 'system:masters');
			assert.ok(!DROPPED.some(([n, v]) => n === name.toLowerCase() && v === value), `${name}: ${value}`);
			assert.ok(!['te', 'cookie'].includes(name.toLowerCase()), name);
		}
	}
});
