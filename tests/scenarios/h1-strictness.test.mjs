// HTTP/1.1 as kubeproxyd reads it, row by row through a bare TLS connection (reference kube.md 2.2, 2.5 and 3.1): what is
// ambiguous is refused and never forwarded.
import assert from 'node:assert/strict';
import { CLUSTERS, nameOf, person, scenario, startBoth } from './harness.mjs';
import { FIELDS, TARGETS } from './strict_rows.mjs';

const base = `/clusters/${nameOf(CLUSTERS[0])}`;
const maps = `${base}/api/v1/namespaces/default/configmaps`;
const get = (...lines) => [`GET ${base}/version HTTP/1.1`, 'Host: x', ...lines, '', ''].join('\r\n');
const to = (target, version = 'HTTP/1.1') => `GET ${target}${version ? ` ${version}` : ''}\r\nHost: x\r\n\r\n`;
const body = '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"smuggled"}}';
const size = body.length;
const post = (headers, text) =>
	`POST ${maps} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n${headers}\r\n\r\n${text}`;
const chunk = `${size.toString(16)}\r\n${body}\r\n`;
const chunked = 'Transfer-Encoding: chunked';

// [what, bytes, statuses]
const REFUSED = [
	['obs-fold', get('X-A: one', ' two'), [400]],
	['bare LF line ends', `GET ${base}/version HTTP/1.1\nHost: x\n\n`, [400]],
	['one bare LF', `GET ${base}/version HTTP/1.1\r\nHost: x\r\nX-A: b\nImpersonate-User: root\r\n\r\n`, [400]],
	['NUL in a value', get('X-A: a\0b'), [400]],
	['space before the colon', get('X-A : b'), [400]],
	['bare CR', get('X-A: a\rb'), [400]],
	['empty name', get(': b'), [400]],
	['no colon', get('nonsense'), [400]],
	['two Hosts', get('Host: y'), [400]],
	['no Host', `GET ${base}/version HTTP/1.1\r\n\r\n`, [400]],
	['Content-Length twice, equal', post(`Content-Length: ${size}\r\nContent-Length: ${size}`, body), [400]],
	['Content-Length as a list', post(`Content-Length: ${size}, ${size}`, body), [400]],
	['Content-Length twice, different', post(`Content-Length: ${size}\r\nContent-Length: 3`, body), [400]],
	['Content-Length +N', post(`Content-Length: +${size}`, body), [400]],
	['Content-Length -1', post('Content-Length: -1', body), [400]],
	['Content-Length hexadecimal', post(`Content-Length: 0x${size.toString(16)}`, body), [400]],
	['Content-Length 2^64+3', post('Content-Length: 18446744073709551619', body), [400]],
	['Content-Length and Transfer-Encoding', post(`Content-Length: 4\r\n${chunked}`, `${chunk}0\r\n\r\n`), [400]],
	['Transfer-Encoding and Content-Length', post(`${chunked}\r\nContent-Length: 4`, `${chunk}0\r\n\r\n`), [400]],
	['xchunked', post('Transfer-Encoding: xchunked', chunk), [400, 501]],
	['chunked, identity', post('Transfer-Encoding: chunked, identity', chunk), [400, 501]],
	['gzip, chunked', post('Transfer-Encoding: gzip, chunked', chunk), [400, 501]],
	['Transfer-Encoding twice', post(`${chunked}\r\n${chunked}`, `${chunk}0\r\n\r\n`), [400, 501]],
	['tab before chunked', post('Transfer-Encoding: \x0bchunked', `${chunk}0\r\n\r\n`), [400, 501]],
	['chunked on HTTP/1.0', post(chunked, `${chunk}0\r\n\r\n`).replace('HTTP/1.1', 'HTTP/1.0'), [400]],
	['chunk lines with bare LF', post(chunked, `${size.toString(16)}\n${body}\n0\n\n`), [400]],
	['LF in a chunk extension', post(chunked, `${size.toString(16)};a=\nb\r\n${body}\r\n0\r\n\r\n`), [400]],
	['chunk size 0x3', post(chunked, '0x3\r\nabc\r\n0\r\n\r\n'), [400]],
	['chunk size that overflows', post(chunked, 'fffffffffffffffff\r\nabc\r\n0\r\n\r\n'), [400]],
	['chunk longer than it says', post(chunked, '1\r\nabc\r\n0\r\n\r\n'), [400]],
	['absolute-form', to(`http://x${base}/version`), [400]],
	['authority-form', 'CONNECT x:443 HTTP/1.1\r\nHost: x\r\n\r\n', [400, 405, 501]],
	['space in the target', to(`${base}/version x`), [400]],
	['HTTP/1.2', to(`${base}/version`, 'HTTP/1.2'), [400, 505]],
	['HTTP/2.0', to(`${base}/version`, 'HTTP/2.0'), [400, 505]],
	['HTTP/0.9', `GET ${base}/version\r\n`, [400]],
	['no HTTP at all', '\x16\x03\x01\x00\x05hello\r\n\r\n', [400]],
	['200 headers', get(...Array.from({ length: 200 }, (_, i) => `X-${i}: y`)), [431]],
	...TARGETS.map(([what, method, target, statuses]) => [what, `${method} ${base}${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`, statuses]),
	...FIELDS.map(([name, value, status]) => [`${name}: ${value}`, get(`${name}: ${value}`, 'Connection: close'), [status]]),
	['Connection names Content-Type', post(`Connection: Content-Type\r\nContent-Length: ${size}`, body), [400]],
	['Connection names Accept', get('Accept: application/json', 'Connection: close, accept'), [400]],
	['a header of 64 KiB', get(`X-A: ${'y'.repeat(66000)}`), [431]],
];

scenario('HTTP/1.1 is read strictly', async (world) => {
	const { kubeproxyd } = await startBoth(world);
	const alice = await person(world, kubeproxyd, 'alice', ['engineering']);
	const failed = [];
	for (const [what, bytes, statuses] of REFUSED) {
		const answer = await alice.raw(bytes, { silenceMs: 100 });
		if (!statuses.includes(answer.status))
			failed.push(`${what}: ${answer.status}, wanted ${statuses.join(' or ')}: ${answer.text.slice(0, 120)}`);
		else if (!/"kind": ?"Status"/.test(answer.text)) failed.push(`${what}: the answer is no Status`);
		else if (
			!answer.isClosed &&
			[400, 431, 505].includes(answer.status) &&
			/^(Content-Length|Transfer|chunk|LF|bare|obs)/.test(what)
		)
			failed.push(`${what}: the connection stays open`);
	}
	assert.deepEqual(failed, []);
	const received = await world.received(CLUSTERS[0]);
	assert.deepEqual(
		received.filter((entry) => entry.status === 201 || entry.method === 'GET').map((entry) => entry.target),
		[],
	);

	const good = [
		['chunk extension', post(chunked, `${size.toString(16)};name=value\r\n${body}\r\n0\r\n\r\n`), 201],
		[
			'trailers are dropped',
			`${post(chunked, chunk).replace('smuggled', 'trailed1')}0\r\nImpersonate-Group: system:masters\r\n\r\n`,
			201,
		],
		[
			'h2c is dropped',
			get('Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA'),
			200,
		],
		['Connection names a field of its own', get('Connection: X-Hop, keep-alive', 'X-Hop: 1'), 200],
		[
			'Expect: 100-continue',
			post(`Content-Length: ${size}\r\nExpect: 100-continue`, body).replace('smuggled', 'expected'),
			100,
		],
	];
	for (const [what, bytes, status] of good) assert.equal((await alice.raw(bytes)).status, status, what);
	const pipelined = await alice.raw(get() + get('X-Second: yes') + to(`${base}/api/v1/nodes`));
	assert.deepEqual(
		[...pipelined.text.matchAll(/HTTP\/1\.1 (\d+)/g)].map((m) => m[1]),
		['200', '200', '403'],
		'pipelined requests are answered in order',
	);
	for (const { headers } of await world.received(CLUSTERS[0])) {
		const names = headers.map(([name]) => name.toLowerCase());
		for (const name of ['http2-settings', 'upgrade', 'trailer', 'x-hop']) assert.ok(!names.includes(name), name);
		assert.ok(!headers.some(([, value]) => value === 'system:masters'));
	}
});
