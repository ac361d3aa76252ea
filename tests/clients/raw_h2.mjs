// HTTP/2 frame by frame, for what no client would send: fields are literals without Huffman coding, nothing is checked.
import { connect } from 'node:tls';

export const FRAME = {
	DATA: 0,
	HEADERS: 1,
	PRIORITY: 2,
	RST_STREAM: 3,
	SETTINGS: 4,
	PUSH_PROMISE: 5,
	PING: 6,
	GOAWAY: 7,
	WINDOW_UPDATE: 8,
	CONTINUATION: 9,
};
export const END_STREAM = 1;
export const END_HEADERS = 4;
const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';
// RFC 7541, appendix A: statuses with an index of their own, and what the digits of others are in appendix B.
const INDEXED = { 8: 200, 9: 204, 10: 206, 11: 304, 12: 400, 13: 404, 14: 500 };
const DIGITS = ['00000', '00001', '00010', '011001', '011010', '011011', '011100', '011101', '011110', '011111'];

export function frame(type, flags, stream, payload = Buffer.alloc(0)) {
	const head = Buffer.alloc(9);
	head.writeUIntBE(payload.length, 0, 3);
	head[3] = type;
	head[4] = flags;
	head.writeUInt32BE(stream, 5);
	return Buffer.concat([head, payload]);
}

function string(text) {
	const bytes = Buffer.from(text, 'latin1');
	if (bytes.length < 127) return Buffer.concat([Buffer.from([bytes.length]), bytes]);
	const length = [127];
	let rest = bytes.length - 127;
	for (; rest >= 128; rest >>= 7) length.push((rest & 127) | 128);
	return Buffer.concat([Buffer.from([...length, rest]), bytes]);
}

// A block of [name, value] pairs as they stand.
export function block(fields) {
	return Buffer.concat(fields.flatMap(([name, value]) => [Buffer.from([0]), string(name), string(value)]));
}

export function headers(stream, fields, flags = END_STREAM | END_HEADERS) {
	return frame(FRAME.HEADERS, flags, stream, block(fields));
}

// The status at the beginning of a header block.
function statusOf(payload) {
	if (payload[0] & 0x80) return INDEXED[payload[0] & 0x7f];
	const at = (payload[0] & 0x3f) === 0x3f || (payload[0] & 0x0f) === 0x0f ? 2 : 1;
	const length = payload[at] & 0x7f;
	const value = payload.subarray(at + 1, at + 1 + length);
	if (!(payload[at] & 0x80)) return Number(value.toString('latin1'));
	let bits = [...value].map((byte) => byte.toString(2).padStart(8, '0')).join('');
	let text = '';
	while (text.length < 3) {
		const digit = DIGITS.findIndex((code) => bits.startsWith(code));
		if (digit < 0) return NaN;
		text += digit;
		bits = bits.slice(DIGITS[digit].length);
	}
	return Number(text);
}

export class RawH2 {
	// `options` as for tls.connect: {port, ca, cert, key}.
	constructor(options) {
		this.frames = []; // as they came: {type, flags, stream, payload}
		this.rest = Buffer.alloc(0);
		this.waiters = new Set();
		this.socket = connect({ host: '127.0.0.1', ALPNProtocols: ['h2'], ...options });
		this.socket.on('data', (data) => this.take(data));
		this.socket.on('error', () => {});
		for (const event of ['end', 'close'])
			this.socket.on(event, () => {
				this.isClosed = true;
				this.wake();
			});
	}

	// Ready for requests.
	async open() {
		await new Promise((done, fail) => this.socket.once('secureConnect', done).once('error', fail));
		this.send(Buffer.from(PREFACE), frame(FRAME.SETTINGS, 0, 0));
		return this;
	}

	send(...buffers) {
		if (!this.socket.destroyed) this.socket.write(Buffer.concat(buffers));
	}

	take(data) {
		this.rest = Buffer.concat([this.rest, data]);
		while (this.rest.length >= 9 && this.rest.length >= 9 + this.rest.readUIntBE(0, 3)) {
			const size = 9 + this.rest.readUIntBE(0, 3);
			this.frames.push({
				type: this.rest[3],
				flags: this.rest[4],
				stream: this.rest.readUInt32BE(5),
				payload: this.rest.subarray(9, size),
			});
			this.rest = this.rest.subarray(size);
		}
		this.wake();
	}

	wake() {
		for (const waiter of this.waiters) waiter();
	}

	// What `look` returns once it returns something; rejects after 10 s.
	until(what, look) {
		return new Promise((resolve, reject) => {
			const finish = (settle, value) => {
				clearTimeout(timer);
				this.waiters.delete(check);
				settle(value);
			};
			const check = () => {
				const value = look();
				if (value !== undefined) finish(resolve, value);
			};
			const timer = setTimeout(() => finish(reject, new Error(`${what}: nothing came in 10 s`)), 10000);
			this.waiters.add(check);
			check();
		});
	}

	find(type, stream) {
		return this.frames.find((f) => f.type === type && f.stream === stream);
	}

	// What became of a stream: "status 200", "reset 1", "goaway 1" or "closed".
	outcome(stream) {
		return this.until(`stream ${stream}`, () => {
			const goaway = this.frames.find((f) => f.type === FRAME.GOAWAY && f.payload.readUInt32BE(4) !== 0);
			const reset = this.find(FRAME.RST_STREAM, stream);
			const head = this.find(FRAME.HEADERS, stream);
			if (goaway) return `goaway ${goaway.payload.readUInt32BE(4)}`;
			if (head) return `status ${statusOf(head.payload)}`;
			if (reset) return `reset ${reset.payload.readUInt32BE(0)}`;
			return this.isClosed ? 'closed' : undefined;
		});
	}

	// The code of the GOAWAY that ends the connection, or "closed" without one.
	end() {
		return this.until('the end of the connection', () => {
			if (!this.isClosed) return undefined;
			const goaway = this.frames.findLast((f) => f.type === FRAME.GOAWAY);
			return goaway ? goaway.payload.readUInt32BE(4) : 'closed';
		});
	}

	destroy() {
		this.socket.destroy();
	}
}
