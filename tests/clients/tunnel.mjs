// The client's end of an exec, byte by byte: what no client would send, and what came back for it. Frames of WebSockets (RFC 6455)
// and of SPDY/3.1, of both sides.
import { randomBytes } from 'node:crypto';
import { constants, deflateRawSync } from 'node:zlib';
import { HeaderWriter } from '../sim/kube/spdy.mjs';
import { until } from './run.mjs';

export const [STDIN, STDOUT, STDERR, ERROR, RESIZE] = [0, 1, 2, 3, 4];
const [CONTINUATION, BINARY, CLOSE, PONG] = [0x0, 0x2, 0x8, 0xa];
const FINAL = 0x80;

// A number in so many bytes.
function number(value, bytes) {
	const data = Buffer.alloc(8);
	data.writeBigUInt64BE(BigInt(value));
	return data.subarray(8 - bytes);
}

// A frame whose first byte is `first`; `length` is what it says of its payload.
export function frame(first, payload, { isMasked = true, length = payload.length } = {}) {
	const mask = randomBytes(4);
	const words = length > 0xffff ? [127, number(length, 8)] : length > 125 ? [126, number(length, 2)] : [length, Buffer.alloc(0)];
	const head = Buffer.concat([Buffer.from([first, (isMasked ? 0x80 : 0) | words[0]]), words[1]]);
	if (!isMasked) return Buffer.concat([head, payload]);
	return Buffer.concat([head, mask, payload.map((byte, i) => byte ^ mask[i % 4])]);
}

// A message of a channel, as the server sends it when it is not masked.
export const message = (channel, text, options) =>
	frame(FINAL | BINARY, Buffer.concat([Buffer.from([channel]), Buffer.from(text)]), options);

export const goodbye = (options) => frame(FINAL | CLOSE, number(1000, 2), options);

export const EVERY = 40;

// The same message byte by byte, each in a frame of its own, with `between` before one of EVERY.
export function fragments(channel, text, { first = BINARY, between = Buffer.alloc(0) } = {}) {
	const bytes = Buffer.concat([Buffer.from([channel]), Buffer.from(text)]);
	const parts = [...bytes].map((byte, i) =>
		Buffer.concat([
			i % EVERY === 0 ? between : Buffer.alloc(0),
			frame((i === bytes.length - 1 ? FINAL : 0) | (i === 0 ? first : CONTINUATION), Buffer.from([byte])),
		]),
	);
	return Buffer.concat(parts);
}

// What a server sent: {channels: [text of each], pongs, isClosed, isWhole: no frame is cut}.
export function readFrames(data) {
	const read = { channels: ['', '', '', '', ''], pongs: 0, isClosed: false, isWhole: true };
	let channel = null;
	for (let at = 0; at < data.length; ) {
		const short = data[at + 1] & 0x7f;
		const begin = at + (short === 127 ? 10 : short === 126 ? 4 : 2);
		const length = short < 126 ? short : Number(short === 126 ? data.readUInt16BE(at + 2) : data.readBigUInt64BE(at + 2));
		if (begin + length > data.length) return { ...read, isWhole: false };
		const payload = data.subarray(begin, begin + length);
		const opcode = data[at] & 0xf;
		if (opcode === CLOSE) read.isClosed = true;
		if (opcode === PONG) read.pongs++;
		if (opcode < CLOSE) {
			const isFirst = channel === null && payload.length > 0;
			if (isFirst) channel = payload[0];
			read.channels[channel] += payload.subarray(isFirst ? 1 : 0).toString();
			if (data[at] & FINAL) channel = null;
		}
		at = begin + length;
	}
	return read;
}

// --- SPDY/3.1 ---

const SYN_STREAM = 1;
export const SYN_REPLY = 2;

// A frame that controls; `length` is what it says of its payload.
export function control(type, payload, length = payload.length) {
	return Buffer.concat([Buffer.from([0x80, 3]), number(type, 2), Buffer.from([0]), number(length, 3), payload]);
}

export const data = (stream, payload, { isLast = false, length = payload.length } = {}) =>
	Buffer.concat([number(stream, 4), Buffer.from([isLast ? 1 : 0]), number(length, 3), Buffer.from(payload)]);

const word = (text) => Buffer.concat([number(text.length, 4), Buffer.from(text)]);
// A header block that says it had `count` headers.
export const block = (pairs, count = pairs.length) => Buffer.concat([number(count, 4), ...pairs.flat().map(word)]);
export const lyingWord = (text, length) => Buffer.concat([number(length, 4), Buffer.from(text)]);
// Squeezed as one more piece of the stream in which all blocks of a direction are.
export const squeezed = (text) => deflateRawSync(text, { level: 9, finishFlush: constants.Z_SYNC_FLUSH });

export const synStream = (stream, packed, length) =>
	control(SYN_STREAM, Buffer.concat([number(stream, 4), number(0, 4), Buffer.alloc(2), packed]), length);

// The streams that a client opens first: {bytes, ids: {error, stdin, ...}, next: an id that is free}.
export function openStreams(types) {
	const writer = new HeaderWriter();
	const ids = Object.fromEntries(types.map((type, i) => [type, 2 * i + 1]));
	const bytes = Buffer.concat(types.map((type) => synStream(ids[type], writer.next([['streamtype', type]]))));
	return { bytes, ids, next: 2 * types.length + 1 };
}

// The begin of a direction's header blocks.
export const opening = () => new HeaderWriter().next([]);

// What a server sent on each stream: {texts: {id: text}, isWhole}.
export function readData(bytes) {
	const read = { texts: {}, isWhole: true };
	for (let at = 0; at < bytes.length; ) {
		const end = at + 8 + (at + 8 <= bytes.length ? bytes.readUIntBE(at + 5, 3) : 0);
		if (at + 8 > bytes.length || end > bytes.length) return { ...read, isWhole: false };
		if ((bytes[at] & 0x80) === 0) {
			const id = bytes.readUInt32BE(at);
			read.texts[id] = (read.texts[id] ?? '') + bytes.toString('utf8', at + 8, end);
		}
		at = end;
	}
	return read;
}

// --- the connection ---

const WEBSOCKET = {
	Upgrade: 'websocket',
	'Sec-WebSocket-Version': '13',
	'Sec-WebSocket-Key': 'AAAAAAAAAAAAAAAAAAAAAA==',
	'Sec-WebSocket-Protocol': 'v5.channel.k8s.io',
	'Sec-WebSocket-Extensions': 'permessage-deflate; client_max_window_bits',
};
const SPDY = { Upgrade: 'SPDY/3.1', 'X-Stream-Protocol-Version': 'v4.channel.k8s.io' };

export class Tunnel {
	constructor(socket) {
		Object.assign(this, { socket, received: Buffer.alloc(0), isClosed: false });
		socket.on('data', (part) => {
			this.received = Buffer.concat([this.received, part]);
		});
		socket.on('error', () => {});
		socket.on('close', () => {
			this.isClosed = true;
		});
	}

	// Once the server has switched.
	static async open(person, path, { isSpdy = false } = {}) {
		const tunnel = new Tunnel(person.connect());
		const fields = { Host: 'x', Connection: 'Upgrade', ...(isSpdy ? SPDY : WEBSOCKET) };
		const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`);
		tunnel.socket.write(`${isSpdy ? 'POST' : 'GET'} ${path} HTTP/1.1\r\n${lines.join('')}${isSpdy ? 'Content-Length: 0\r\n' : ''}\r\n`);
		const end = await until('the answer', () => tunnel.received.indexOf('\r\n\r\n') + 1 || tunnel.isClosed);
		tunnel.head = tunnel.received.toString('latin1', 0, end - 1);
		tunnel.begin = end + 3;
		tunnel.id = /^audit-id: (\S+)/im.exec(tunnel.head)?.[1];
		if (!/^HTTP\/1\.1 101 /.test(tunnel.head)) throw new Error(`${path}: ${tunnel.head}`);
		return tunnel;
	}

	send(...parts) {
		this.socket.write(Buffer.concat(parts));
	}

	bytes() {
		return this.received.subarray(this.begin);
	}

	frames() {
		return readFrames(this.bytes());
	}

	// A whole text has come on a channel.
	heard(channel, text) {
		return until(`${text.slice(0, 40)} on channel ${channel}`, () => this.frames().channels[channel].includes(text));
	}

	// The other side has closed.
	end() {
		return until(`the end of ${this.id}`, () => this.isClosed);
	}

	leave() {
		this.socket.destroy();
		return this.end();
	}
}
