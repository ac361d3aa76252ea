// Floods over HTTP/1.1 and HTTP/2, each against its limit: whoever sends more than that is cut off, with little CPU, and
// everybody else is served meanwhile.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { connect as connectTcp } from 'node:net';
import { connect } from 'node:tls';
import { END_HEADERS, FRAME, frame, headers, RawH2 } from '../clients/raw_h2.mjs';
import { CLUSTERS, nameOf, person, scenario, startBoth, until } from './harness.mjs';

const ENHANCE_YOUR_CALM = 11;
const LIMITS = {
	streams: 10,
	resets: 100,
	pings: 100,
	settings_frames: 20,
	empty_frames: 200,
	continuations: 4,
	header_count: 20,
	header_bytes: '8KiB',
	header_timeout: '1s',
	strangers_per_address: 20,
	handshake_timeout: '60s',
};
const PODS = `/clusters/${nameOf(CLUSTERS[0])}/api/v1/namespaces/default/pods`;
const pseudo = (method, ...more) => [[':method', method], [':scheme', 'https'], [':authority', 'x'], [':path', PODS], ...more];
const get = (stream) => headers(stream, pseudo('GET'));
const post = (stream) => headers(stream, pseudo('POST'), END_HEADERS);
const cancel = (stream) => frame(FRAME.RST_STREAM, 0, stream, Buffer.from([0, 0, 0, 8]));
const overflow = (stream) => frame(FRAME.WINDOW_UPDATE, 0, stream, Buffer.from([127, 255, 255, 255]));
const odd = (i) => 2 * i + 1;

// [what, how many, frames of the i-th, frames before]
const FLOODS = [
	['rapid reset', 150, (i) => [get(odd(i)), cancel(odd(i))]],
	['resets that are provoked', 150, (i) => [post(odd(i)), overflow(odd(i))]],
	['PING', 150, () => [frame(FRAME.PING, 0, 0, Buffer.alloc(8))]],
	['PING, acknowledged unasked', 150, () => [frame(FRAME.PING, 1, 0, Buffer.alloc(8))]],
	['SETTINGS', 50, () => [frame(FRAME.SETTINGS, 0, 0)]],
	['empty DATA', 300, () => [frame(FRAME.DATA, 0, 1)], [post(1)]],
	['PRIORITY', 300, () => [frame(FRAME.PRIORITY, 0, 1, Buffer.from([0, 0, 0, 0, 1]))]],
	['WINDOW_UPDATE for nothing', 300, () => [frame(FRAME.WINDOW_UPDATE, 0, 0, Buffer.from([0, 0, 0, 1]))]],
	['trailers of what is over', 300, () => [headers(1, [['x', 'y']])], [get(1), cancel(1)]],
	['GOAWAY', 300, () => [frame(FRAME.GOAWAY, 0, 0, Buffer.alloc(8))], [post(1)]],
	['CONTINUATION', 50, () => [frame(FRAME.CONTINUATION, 0, 1)], [headers(1, pseudo('GET'), 0)]],
];

function cpuMs(pid) {
	const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /, '').split(' ');
	return (Number(fields[11]) + Number(fields[12])) * 10;
}

scenario('floods', async (world) => {
	world.config.eksgate.proxy.limits = LIMITS;
	world.writeConfig();
	const { kubeproxyd } = await startBoth(world);
	const alice = await person(world, kubeproxyd, 'alice', ['engineering']);
	const bob = await person(world, kubeproxyd, 'bob', ['engineering']);
	const { port } = kubeproxyd;
	const options = { port, ca: alice.ca, cert: alice.certificate, key: alice.key };
	const bobs = bob.h2();
	const served = async (what) => assert.equal((await bob.ask(bobs, PODS)).status, 200, `others are served: ${what}`);

	for (const [what, count, make, before = []] of FLOODS) {
		const h2 = await new RawH2(options).open();
		h2.send(...before);
		for (let i = 0; i < count; i++) h2.send(...make(i));
		const end = await h2.end();
		assert.ok([ENHANCE_YOUR_CALM, 'closed'].includes(end) || (what === 'CONTINUATION' && end > 0) || (what === 'rapid reset' && end > 0), `${what}: ${end}`);
		await served(what);
		h2.destroy();
	}

	const crowd = await new RawH2(options).open();
	const watching = Object.assign(pseudo('GET'), { 3: [':path', `${PODS}?watch=1`] });
	const watches = Array.from({ length: 12 }, (_, i) => headers(odd(i), watching));
	crowd.send(...watches);
	assert.deepEqual([await crowd.outcome(1), await crowd.outcome(odd(10))], ['status 200', 'reset 7'], 'streams beyond the limit');
	crowd.destroy();

	const tooMany = Array.from({ length: 30 }, (_, i) => [`x-${i}`, 'y']);
	for (const fields of [tooMany, [['x-large', 'y'.repeat(9000)]]]) {
		const h2 = await new RawH2(options).open();
		h2.send(headers(1, pseudo('GET', ...fields)));
		assert.equal(await h2.outcome(1), 'status 431');
		h2.destroy();
	}

	// Slowloris: heads that never end, byte by byte.
	const slow = Array.from({ length: 20 }, () => connect({ host: '127.0.0.1', ...options }).on('error', () => {}));
	slow.forEach((socket) => socket.on('data', (data) => (socket.text = (socket.text ?? '') + data)));
	await Promise.all(slow.map((socket) => new Promise((done) => socket.on('secureConnect', done))));
	const drip = setInterval(() => slow.forEach((socket) => socket.writable && socket.write('G')), 100);
	await Promise.all(slow.map((socket) => new Promise((done) => socket.on('close', done))));
	clearInterval(drip);
	await served('slowloris');
	const half = await new RawH2(options).open();
	half.send(headers(1, pseudo('GET'), 0));
	await half.end();

	// Connections that say nothing: an address has its share of them, and the known are not among them.
	const silent = Array.from({ length: 60 }, () => connectTcp(port, '127.0.0.1').on('error', () => {}));
	await until('the oldest have made room', async () => silent.filter((socket) => socket.closed || socket.destroyed).length >= 40);
	await served('silent connections');
	assert.equal((await alice.request(PODS)).status, 200, 'newcomers too');
	silent.forEach((socket) => socket.destroy());

	const before = cpuMs(kubeproxyd.pid);
	await new Promise((done) => setTimeout(done, 1000));
	assert.ok(cpuMs(kubeproxyd.pid) - before < 300, 'nothing is left behind that spins');
	await until('nothing is left', async () => (await kubeproxyd.status()).exchanges === 0);
	bobs.destroy();
});
