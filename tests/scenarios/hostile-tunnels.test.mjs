// Execs that are recorded, and whose client or API server breaks the protocol: frames in a thousand fragments are read as a whole;
// what cannot be read ends the session with the reason where a role is strict, and is told where it is not; header bombs cost
// nothing; and whoever else is there goes on.
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import {
	block,
	control,
	data,
	ERROR,
	EVERY,
	fragments,
	frame,
	goodbye,
	lyingWord,
	message,
	opening,
	openStreams,
	readData,
	RESIZE,
	squeezed,
	STDERR,
	STDIN,
	STDOUT,
	SYN_REPLY,
	synStream,
	Tunnel,
} from '../clients/tunnel.mjs';
import { CLUSTERS, nameOf, person, scenario, startBoth, until } from './harness.mjs';
import { auditEvents, counter, readCast, recordingRole, writeRoles } from './recording.mjs';
import { isLong } from './tools.mjs';

const [prod] = CLUSTERS;
const EXEC = `/clusters/${nameOf(prod)}/api/v1/namespaces/default/pods/web-1/exec?stdin=true&stdout=true&command=cat`;
const PLAIN = `${EXEC}&stderr=true`;
const ON_TERMINAL = `${EXEC}&tty=true`;
const BY_CLIENT = 'what its client sends cannot be read any more';
const BY_SERVER = 'what the API server sends cannot be read any more';
const STRICT = 'this session must be recorded (record_session: strict in a role), and that is not possible: ';
const MIB = 1024 * 1024;
const [AT_ONCE, BURSTS] = isLong ? [100, 8] : [16, 2];
const GROWTH_MAX_KIB = 2048 + AT_ONCE * 64;

const FINAL_TEXT = 0x81;
const FINAL_BINARY = 0x82;
const PACKED = 0x40; // RSV1 (RFC 7692, 6)
const WORDS = Buffer.concat([Buffer.from([STDOUT]), Buffer.from('never read')]);
const TYPED = Buffer.concat([Buffer.from([STDIN]), Buffer.from('never read')]);

// What no WebSocket is, by whichever side it comes from; `isMasked` as that side must.
const frames = (payload, isMasked) => ({
	'a mask where none belongs': frame(FINAL_BINARY, payload, { isMasked: !isMasked }),
	deflate: frame(FINAL_BINARY | PACKED, payload, { isMasked }),
	'2^63 bytes': frame(FINAL_BINARY, payload, { isMasked, length: 2n ** 63n }),
	'a long ping': frame(0x89, Buffer.alloc(126), { isMasked }),
	'a ping in fragments': frame(0x09, payload, { isMasked }),
	'an opcode that is none': frame(0x83, payload, { isMasked }),
	'the rest of nothing': frame(0x80, payload, { isMasked }),
});

// Header blocks and frames that no SPDY is, behind four streams that are open.
const NEXT = 9;
const BLOCKS = {
	'a bomb': synStream(NEXT, squeezed(block([['streamtype', 'x'.repeat(8 * MIB)]]))),
	'more headers than there are': synStream(NEXT, squeezed(block([['streamtype', 'resize']], 2))),
	'2^32 headers': synStream(NEXT, squeezed(block([['streamtype', 'resize']], 2 ** 32 - 1))),
	'fewer headers than there are': synStream(NEXT, squeezed(block([['streamtype', 'resize']], 0))),
	'a name beyond its block': synStream(NEXT, squeezed(Buffer.concat([block([], 1), lyingWord('streamtype', 2 ** 32 - 16)]))),
	'a zlib stream that is cut': synStream(NEXT, squeezed(block([['streamtype', 'resize'.repeat(999)]])).subarray(0, 9)),
	'no zlib stream': synStream(NEXT, Buffer.from('streamtype: resize')),
	'a block of 16 MiB': synStream(NEXT, Buffer.alloc(100), 0xffffff),
	'a frame that is too short': control(1, Buffer.alloc(6)),
	'another version': Buffer.from([0x80, 2, 0, 6, 0, 0, 0, 4, 0, 0, 0, 1]),
};

// The recording and the last audit event of a session that is over.
async function recordOf(world, { id }) {
	const file = world.path('recordings', `${id}.cast`);
	await until(`the recording of ${id}`, () => existsSync(file));
	const event = await until('its audit event', () =>
		auditEvents(world).find(({ auditID, stage }) => auditID === id && stage === 'ResponseComplete'),
	);
	const cast = readCast(file);
	return {
		...cast,
		marks: cast.events.filter(([, code]) => code === 'm').map(([, , text]) => text),
		recorded: event.annotations['eksgate.io/recorded'],
		problem: event.annotations['eksgate.io/recording-problem'],
	};
}

// One session of which something cannot be read: everywhere the same is told of it.
async function checkRecord(world, kubeproxyd, tunnel, { problem, marks, output, what }) {
	const record = await recordOf(world, tunnel);
	assert.deepEqual([record.recorded, record.problem], ['in part', problem], what);
	assert.deepEqual(record.marks, marks, what);
	assert.equal(record.output, output, what);
	await kubeproxyd.log('recording', 'failed', new RegExp(`session=${tunnel.id} kind=protocol error="${problem}"`));
}

// The path of an exec for which the API server says `bytes`; others go on meanwhile.
let orders = 0;
async function orderTunnel(world, { bytes, ...fault }) {
	const command = `row-${orders++}`;
	const base64 = bytes.toString('base64');
	await world.api(prod)('POST', '/faults', { kind: 'tunnel', path: `command=${command}&`, times: 1, ...fault, base64 });
	return ON_TERMINAL.replace('command=cat', `command=${command}`);
}

const each = (rows, fn) => Promise.all(Object.entries(rows).map(([what, hostile]) => fn(what, hostile)));

// --- WebSocket ---

// With pings between, all of which are answered; in both kinds of messages, with a terminal and without.
async function checkFragments(world, sven) {
	// As many pings as a server answers together.
	const text = `zürich € ${'many fragments '.repeat(60)}\n`;
	const size = '{"Width":101,"Height":33}';
	for (const path of [PLAIN, ON_TERMINAL]) {
		const tunnel = await Tunnel.open(sven, path);
		// Compression is not asked for where frames must stay readable.
		assert.doesNotMatch(tunnel.head, /extensions/i);
		const [asked] = (await world.received(prod)).filter(({ upgrade }) => upgrade).slice(-1);
		assert.ok(asked.headers.every(([name]) => !/extensions/i.test(name)));
		const ping = frame(0x89, Buffer.from('here?'));
		if (path === ON_TERMINAL) tunnel.send(fragments(RESIZE, size, { first: 0x1 }));
		const bytes = Buffer.concat([fragments(STDIN, text, { between: ping }), fragments(STDIN, text, { first: 0x1, between: ping })]);
		for (let at = 0; at < bytes.length; at += 777) tunnel.send(bytes.subarray(at, at + 777));
		await tunnel.heard(STDOUT, text + text);
		await until('every pong', () => tunnel.frames().pongs === 2 * Math.ceil((Buffer.byteLength(text) + 1) / EVERY));
		tunnel.send(message(255, Buffer.from([STDIN])));
		await tunnel.heard(ERROR, 'Success');
		await tunnel.leave();
		const { header, input, output, marks, recorded } = await recordOf(world, tunnel);
		assert.deepEqual([input, output, marks, recorded], [text + text, text + text, ['exit 0'], 'yes']);
		if (path === ON_TERMINAL) assert.deepEqual([header.width, header.height], [101, 33]);
	}
}

// Nothing of it reaches the cluster, and the client is told: on its terminal or as an error, then as a Status.
async function checkStrictFrames(world, kubeproxyd, sven) {
	for (const [path, place] of [[PLAIN, STDERR], [ON_TERMINAL, STDOUT]])
		await each(frames(TYPED, true), async (what, hostile) => {
			const tunnel = await Tunnel.open(sven, path);
			tunnel.send(message(STDIN, 'before\n'));
			await tunnel.heard(STDOUT, 'before\n');
			tunnel.send(hostile);
			await tunnel.end();
			const { channels, isClosed, isWhole } = tunnel.frames();
			assert.ok(isClosed && isWhole, what);
			assert.ok(channels[place].includes(STRICT + BY_CLIENT), `${what}: ${channels[place]}`);
			assert.equal(JSON.parse(channels[ERROR]).message, STRICT + BY_CLIENT, what);
			const marks = [`ended: ${BY_CLIENT}`];
			await checkRecord(world, kubeproxyd, tunnel, { problem: BY_CLIENT, marks, output: 'before\n', what });
		});
}

// A client cannot switch off that what it is shown is recorded.
async function checkLenientFrames(world, kubeproxyd, bea) {
	await each(frames(TYPED, true), async (what, hostile) => {
		const shown = [message(STDOUT, 'shown\n', { isMasked: false }), message(ERROR, '{"status":"Success"}', { isMasked: false })];
		const bytes = Buffer.concat([...shown, goodbye({ isMasked: false })]);
		const tunnel = await Tunnel.open(bea, await orderTunnel(world, { bytes, behind: hostile.length }));
		tunnel.send(hostile);
		await tunnel.heard(ERROR, 'Success');
		await tunnel.leave();
		const marks = [`in part: ${BY_CLIENT}`, 'exit 0'];
		await checkRecord(world, kubeproxyd, tunnel, { problem: BY_CLIENT, marks, output: 'shown\n', what });
	});
}

// No frame of ours can stand behind such a one. What passes all the same, where a role is not strict, is what came.
async function checkServerFrames(world, kubeproxyd, sven, bea) {
	const before = message(STDOUT, 'before\n', { isMasked: false });
	const behind = message(STDOUT, 'behind\n', { isMasked: false });
	for (const who of [sven, bea])
		await each(frames(WORDS, false), async (what, hostile) => {
			const bytes = Buffer.concat([before, hostile, behind]);
			const tunnel = await Tunnel.open(who, await orderTunnel(world, { bytes, behind: 1, isCut: who === bea }));
			tunnel.send(message(STDIN, 'go\n'));
			await tunnel.end();
			// Of a piece that cannot be read to its end nothing passes where it must be recorded.
			assert.deepEqual(tunnel.bytes(), who === bea ? bytes : Buffer.alloc(0), what);
			const marks = [`ended: ${BY_SERVER}`];
			await checkRecord(world, kubeproxyd, tunnel, { problem: BY_SERVER, marks, output: 'before\n', what });
		});
}

// An API server that agrees to a compression of which it was not asked.
async function checkAgreed(world, kubeproxyd, sven) {
	const fields = ['Sec-WebSocket-Extensions: permessage-deflate'];
	const [what, bytes] = ['agreed', frame(FINAL_BINARY | PACKED, squeezed(WORDS), { isMasked: false })];
	const tunnel = await Tunnel.open(sven, await orderTunnel(world, { bytes, fields, behind: 1 }));
	tunnel.send(message(STDIN, 'go\n'));
	await tunnel.end();
	assert.equal(tunnel.bytes().length, 0);
	await checkRecord(world, kubeproxyd, tunnel, { problem: BY_SERVER, marks: [`ended: ${BY_SERVER}`], output: '', what });
}

// A length that is a lie, but could be true: what comes of it is recorded as it comes.
async function checkEndless(world, sven) {
	const begin = frame(FINAL_BINARY, Buffer.concat([Buffer.from([STDOUT]), Buffer.alloc(200000, 'x')]), { isMasked: false, length: 2n ** 62n });
	const tunnel = await Tunnel.open(sven, await orderTunnel(world, { bytes: begin, isCut: true }));
	await tunnel.end();
	assert.deepEqual(tunnel.bytes(), begin);
	const { output, recorded } = await recordOf(world, tunnel);
	assert.deepEqual([output.length, recorded], [200000, 'yes']);
}

// --- SPDY ---

async function openSpdy(who, path = PLAIN) {
	const tunnel = await Tunnel.open(who, path, { isSpdy: true });
	const streams = openStreams(['error', 'stdin', 'stdout', path === PLAIN ? 'stderr' : 'resize']);
	tunnel.send(streams.bytes);
	assert.equal(streams.next, NEXT);
	return { tunnel, ...streams };
}

async function checkStrictBlocks(world, kubeproxyd, sven) {
	for (const [path, place] of [[PLAIN, 'stderr'], [ON_TERMINAL, 'stdout']])
		await each(BLOCKS, async (what, hostile) => {
			const { tunnel, ids } = await openSpdy(sven, path);
			const text = (type) => readData(tunnel.bytes()).texts[ids[type]] ?? '';
			tunnel.send(data(ids.stdin, 'before\n'));
			await until('the echo', () => text('stdout') === 'before\n');
			tunnel.send(hostile);
			await tunnel.end();
			assert.ok(readData(tunnel.bytes()).isWhole, what);
			assert.ok(text(place).includes(STRICT + BY_CLIENT), `${what}: ${text(place)}`);
			assert.equal(JSON.parse(text('error')).message, STRICT + BY_CLIENT, what);
			const marks = [`ended: ${BY_CLIENT}`];
			await checkRecord(world, kubeproxyd, tunnel, { problem: BY_CLIENT, marks, output: 'before\n', what });
		});
}

// Streams whose begin was not read are none that can be recorded: the others are.
async function checkLenientBlocks(world, kubeproxyd, bea) {
	await each(BLOCKS, async (what, hostile) => {
		const streams = openStreams(['error', 'stdin', 'stdout', 'resize']);
		const shown = [data(streams.ids.stdout, 'shown\n'), data(streams.ids.error, '{"status":"Success"}', { isLast: true })];
		const order = { bytes: Buffer.concat(shown), behind: streams.bytes.length + hostile.length, isCut: true };
		const tunnel = await Tunnel.open(bea, await orderTunnel(world, order), { isSpdy: true });
		tunnel.send(streams.bytes, hostile);
		await tunnel.end();
		assert.deepEqual(tunnel.bytes(), Buffer.concat(shown), what);
		const marks = [`in part: ${BY_CLIENT}`, 'exit 0'];
		await checkRecord(world, kubeproxyd, tunnel, { problem: BY_CLIENT, marks, output: 'shown\n', what });
	});
}

// A bomb in the header block of the API server's reply.
async function checkServerBomb(world, kubeproxyd, sven) {
	const streams = openStreams(['error', 'stdin', 'stdout', 'resize']);
	const bomb = squeezed(block([['x', 'x'.repeat(8 * MIB)]]));
	const bytes = control(SYN_REPLY, Buffer.concat([Buffer.from([0, 0, 0, 1]), opening(), bomb]));
	const path = await orderTunnel(world, { bytes, behind: streams.bytes.length });
	const tunnel = await Tunnel.open(sven, path, { isSpdy: true });
	tunnel.send(streams.bytes);
	await tunnel.end();
	assert.equal(tunnel.bytes().length, 0);
	await checkRecord(world, kubeproxyd, tunnel, { problem: BY_SERVER, marks: [`ended: ${BY_SERVER}`], output: '', what: 'a bomb' });
}

// The API server had begun a message: bytes of the proxy's complete it, none of the server's, since nobody records it any more.
async function checkWithin(world, kubeproxyd, sven) {
	const LENGTH = 1000;
	const told = `seen${'\0'.repeat(LENGTH - 4)}\r\n${STRICT}${BY_CLIENT}\r\n`;
	const marks = [`ended: ${BY_CLIENT}`];
	const check = (tunnel, what) => checkRecord(world, kubeproxyd, tunnel, { problem: BY_CLIENT, marks, output: 'seen', what });

	const begun = message(STDOUT, 'seen', { isMasked: false, length: 1 + LENGTH });
	const one = await Tunnel.open(sven, await orderTunnel(world, { bytes: begun }));
	await until('the begin', () => one.bytes().length === begun.length);
	one.send(frames(TYPED, true).deflate);
	await one.end();
	assert.ok(one.frames().isWhole && one.frames().isClosed);
	assert.equal(one.frames().channels[STDOUT], told);
	await check(one, 'WebSocket');

	const streams = openStreams(['error', 'stdin', 'stdout', 'resize']);
	const frameBegun = data(streams.ids.stdout, 'seen', { length: LENGTH });
	const path = await orderTunnel(world, { bytes: frameBegun, behind: streams.bytes.length });
	const other = await Tunnel.open(sven, path, { isSpdy: true });
	other.send(streams.bytes);
	await until('the begin', () => other.bytes().length === frameBegun.length);
	other.send(BLOCKS['a bomb']);
	await other.end();
	assert.ok(readData(other.bytes()).isWhole);
	assert.equal(readData(other.bytes()).texts[streams.ids.stdout], told);
	await check(other, 'SPDY');
}

// --- many at once ---

const memory = (pid, what) => Number(new RegExp(`${what}:\\s+(\\d+)`).exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]);

// All are open at the same time, and what is told is told to each; the client of none leaves.
async function burst(sven, count) {
	const opened = await Promise.all(
		Array.from({ length: count }, async (_, i) => {
			if (i % 2 === 0) return { tunnel: await Tunnel.open(sven, PLAIN) };
			return openSpdy(sven);
		}),
	);
	const hostile = Object.values(frames(TYPED, true));
	opened.forEach(({ tunnel, next }, i) => {
		const rows = next === undefined ? hostile : Object.values(BLOCKS);
		tunnel.send(rows[(i >> 1) % rows.length]);
	});
	await Promise.all(opened.map(({ tunnel }) => tunnel.end()));
	for (const { tunnel } of opened) assert.ok(tunnel.bytes().includes(STRICT + BY_CLIENT));
}

async function checkMemory(kubeproxyd, sven) {
	const idle = () => until('only the neighbour is left', async () => (await kubeproxyd.status()).exchanges === 1);
	await burst(sven, AT_ONCE);
	await idle();
	const before = memory(kubeproxyd.pid, 'VmRSS');
	writeFileSync(`/proc/${kubeproxyd.pid}/clear_refs`, '5'); // the peak counts from here
	for (let i = 0; i < BURSTS; i++) await burst(sven, AT_ONCE);
	await idle();
	const grown = memory(kubeproxyd.pid, 'VmHWM') - before;
	assert.ok(grown < GROWTH_MAX_KIB, `${AT_ONCE * BURSTS} hostile sessions cost ${grown} KiB`);
}

scenario('hostile tunnels, recorded', { clusters: [prod] }, async (world) => {
	// The sanitizer keeps what was freed; here memory is what is measured.
	world.asanOptions = 'quarantine_size_mb=1:thread_local_quarantine_size_kb=64';
	const all = { non_interactive: true, input: true };
	writeRoles(
		world,
		recordingRole('sven', { default: 'strict', ...all }),
		recordingRole('bea', { default: 'best_effort', ...all }),
	);
	const { kubeproxyd } = await startBoth(world, [nameOf(prod)]);
	const [sven, bea] = await Promise.all(['sven', 'bea'].map((who) => person(world, kubeproxyd, who)));

	const neighbour = await Tunnel.open(sven, ON_TERMINAL);
	let said = '';
	const goesOn = async (after) => {
		said += `after ${after}\n`;
		neighbour.send(message(STDIN, `after ${after}\n`));
		await neighbour.heard(STDOUT, said);
	};
	await goesOn('nothing');
	for (const check of [checkFragments, checkEndless]) await check(world, sven);
	for (const check of [checkStrictFrames, checkAgreed, checkStrictBlocks, checkServerBomb, checkWithin]) {
		await check(world, kubeproxyd, sven);
		await goesOn(check.name);
	}
	for (const check of [checkLenientFrames, checkLenientBlocks]) {
		await check(world, kubeproxyd, bea);
		await goesOn(check.name);
	}
	await checkServerFrames(world, kubeproxyd, sven, bea);
	await goesOn('the API server');
	const failures = await counter(kubeproxyd, 'eksgate_recording_failures_total{kind="protocol"}');
	const [ofFrames, ofBlocks] = [Object.keys(frames(TYPED, true)).length, Object.keys(BLOCKS).length];
	assert.equal(failures, 5 * ofFrames + 3 * ofBlocks + 4, 'each is counted once');

	await checkMemory(kubeproxyd, sven);
	await goesOn('them all');
	neighbour.send(message(255, Buffer.from([STDIN])));
	await neighbour.heard(ERROR, 'Success');
	await neighbour.leave();
	const { output, input, marks, recorded } = await recordOf(world, neighbour);
	assert.deepEqual([output, input, marks, recorded], [said, said, ['exit 0'], 'yes']);
	await until('nothing is left', async () => (await kubeproxyd.status()).exchanges === 0);
	assert.equal(await counter(kubeproxyd, 'eksgate_recordings_live'), 0);
	assert.ok(readdirSync(world.path('recordings')).every((file) => file.endsWith('.cast')));
});
