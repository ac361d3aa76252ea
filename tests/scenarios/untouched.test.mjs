// What passes as it is, over each pair of HTTP versions: trailers of answers, HEAD, 100-continue, bodies that are compressed or
// no JSON, repeated Warnings, Retry-After.
import assert from 'node:assert/strict';
import { request } from 'node:https';
import { gzipSync } from 'node:zlib';
import { CLUSTERS, nameOf, person, scenario, startBoth, until } from './harness.mjs';

const base = `/clusters/${nameOf(CLUSTERS[0])}/api/v1/namespaces/default`;
const BINARY = Buffer.from(Array.from({ length: 1024 }, (_, i) => (i * 7) & 255));
const ZIPPED = gzipSync('x'.repeat(100000));
const LIST = '{"kind":"PodList","apiVersion":"v1","items":[]}';

// {status, headers, body, trailers, hasContinued}
function overH1(alice, path, { method = 'GET', headers = {}, body } = {}) {
	return new Promise((resolve, reject) => {
		const { ca, certificate: cert, key } = alice;
		const call = request({ host: '127.0.0.1', port: alice.proxy.port, path, method, headers, ca, cert, key, agent: false });
		let hasContinued = false;
		call.on('continue', () => {
			hasContinued = true;
			call.end(body);
		});
		call.on('response', (answer) => {
			const parts = [];
			answer.on('data', (part) => parts.push(part)).on('error', reject);
			answer.on('end', () =>
				resolve({ status: answer.statusCode, headers: answer.headers, body: Buffer.concat(parts), trailers: answer.trailers, hasContinued }),
			);
		});
		call.on('error', reject);
		if (headers.expect) call.flushHeaders();
		else call.end(body);
	});
}

function overH2(alice, session, path, { method = 'GET', headers = {}, body } = {}) {
	return new Promise((resolve, reject) => {
		const stream = session.request({ ':method': method, ':path': path, ...headers }, { endStream: !body });
		const parts = [];
		const answer = { trailers: {}, hasContinued: false };
		stream.on('continue', () => {
			answer.hasContinued = true;
			stream.end(body);
		});
		if (body && !headers.expect) stream.end(body);
		stream.on('response', (head) => Object.assign(answer, { status: head[':status'], headers: head }));
		stream.on('trailers', (trailers) => Object.assign(answer.trailers, trailers));
		stream.on('data', (part) => parts.push(part)).on('error', reject);
		stream.on('end', () => resolve({ ...answer, body: Buffer.concat(parts) }));
	});
}

scenario('what passes untouched', async (world) => {
	const { kubeproxyd } = await startBoth(world);
	const alice = await person(world, kubeproxyd, 'alice', ['engineering']);
	const api = world.api(CLUSTERS[0]);
	const session = alice.h2();
	const versions = { 'HTTP/1.1': (...words) => overH1(alice, ...words), 'HTTP/2': (...words) => overH2(alice, session, ...words) };
	for (const isH1 of [false, true]) {
		if (isH1) {
			await api('POST', '/restart', { http1: true });
			await until('it serves again', async () => (await alice.request(`${base}/pods`)).status === 200);
		}
		for (const [version, ask] of Object.entries(versions)) {
			const what = `${version} to ${isH1 ? 'HTTP/1.1' : 'HTTP/2'}`;
			const once = async (fault, ...words) => {
				await api('POST', '/faults', { times: 1, path: '/pods', ...fault });
				return ask(...words);
			};
			const trailers = { 'x-checksum': 'abc', 'set-cookie': 'a=b', 'x-second': 'de f' };
			const trailed = await once({ kind: 'trailers', trailers }, `${base}/pods`);
			assert.deepEqual([trailed.status, trailed.body.toString()], [200, LIST], what);
			assert.deepEqual(JSON.parse(JSON.stringify(trailed.trailers)), { 'x-checksum': 'abc', 'x-second': 'de f' }, what);
			assert.match(trailed.headers.trailer, /x-checksum/, what);

			const zipped = await once(
				{ kind: 'status', code: 200, headers: { 'content-encoding': 'gzip' }, base64: ZIPPED.toString('base64') },
				`${base}/pods`,
				{ headers: { 'accept-encoding': 'gzip' } },
			);
			assert.deepEqual([zipped.headers['content-encoding'], zipped.body.equals(ZIPPED)], ['gzip', true], what);
			for (const type of ['application/cbor', 'application/vnd.kubernetes.protobuf']) {
				const fault = { kind: 'status', method: 'POST', code: 201, type, base64: BINARY.toString('base64') };
				const headers = { 'content-type': type, accept: `${type};q=1, application/json` };
				const answer = await once(fault, `${base}/pods`, { method: 'POST', headers, body: BINARY });
				assert.deepEqual([answer.status, answer.headers['content-type'], answer.body.equals(BINARY)], [201, type, true], what);
				const last = (await world.received(CLUSTERS[0])).at(-1);
				assert.equal(last.bodyLength, BINARY.length);
				assert.ok(last.headers.some(([name, value]) => name.toLowerCase() === 'accept' && value === headers.accept));
			}

			const warning = ['299 - "one"', '299 - "two, and more"'];
			const busy = await once({ kind: 'status', code: 429, headers: { warning, 'retry-after': '7' }, body: '{}' }, `${base}/pods`);
			assert.deepEqual([busy.status, busy.headers['retry-after'], busy.headers.warning], [429, '7', warning.join(', ')], what);

			const whole = await ask(`${base}/pods`);
			const head = await ask(`${base}/pods`, { method: 'HEAD' });
			assert.deepEqual([head.status, head.body.length], [200, 0], what);
			if (whole.headers['content-length']) assert.equal(head.headers['content-length'], whole.headers['content-length'], what);

			const name = `continued-${version.at(-1)}-${isH1}`.toLowerCase();
			const made = await ask(`${base}/configmaps`, {
				method: 'POST',
				headers: { 'content-type': 'application/json', expect: '100-continue' },
				body: JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name } }),
			});
			assert.deepEqual([made.status, made.hasContinued], [201, true], what);
		}
	}
	const denied = await overH1(alice, `${base}/../x`, { method: 'POST', headers: { expect: '100-continue', 'content-length': 5 }, body: '12345' });
	assert.deepEqual([denied.status, denied.hasContinued], [400, false], 'nobody is asked for a body that is refused');
	session.close();
});
