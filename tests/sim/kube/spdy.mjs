// The server's side of SPDY/3.1 as Kubernetes speaks it (moby/spdystream): framed streams over any duplex, no flow control
// but that of the connection, headers compressed with the dictionary of the SPDY/3 draft, section 2.6.10.1.
import { Duplex } from 'node:stream';
import { inflateSync, constants } from 'node:zlib';

const SYN_STREAM = 1;
const SYN_REPLY = 2;
const RST_STREAM = 3;
const PING = 6;
const GOAWAY = 7;
const FIN = 1;
const CANCEL = 5;
const VERSION = 3;
const HEADER_SIZE = 8;
const FRAME_MAX = 0xffffff;

// Words with their lengths before them, then text that stands as it is.
const WORDS =
	'options head post put delete trace accept accept-charset accept-encoding accept-language accept-ranges age allow ' +
	'authorization cache-control connection content-base content-encoding content-language content-length ' +
	'content-location content-md5 content-range content-type date etag expect expires from host if-match ' +
	'if-modified-since if-none-match if-range if-unmodified-since last-modified location max-forwards pragma ' +
	'proxy-authenticate proxy-authorization range referer retry-after server te trailer transfer-encoding upgrade ' +
	'user-agent vary via warning www-authenticate method get status';
const MORE_WORDS = ['200 OK', 'version', 'HTTP/1.1', 'url', 'public', 'set-cookie', 'keep-alive', 'origin'];
const TEXT =
	'100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505' +
	'203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request401 Unauthorized' +
	'403 Forbidden404 Not Found500 Internal Server Error501 Not Implemented503 Service Unavailable' +
	'Jan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, Tue, Wed, Thu, Fri, Sat, Sun, GMT' +
	'chunked,text/html,image/png,image/jpg,image/gif,application/xml,application/xhtml+xml,text/plain,' +
	'text/javascript,publicprivatemax-age=gzip,deflate,sdchcharset=utf-8charset=iso-8859-1,utf-,*,enq=0.';

function withLength(word) {
	const length = Buffer.alloc(4);
	length.writeUInt32BE(word.length);
	return Buffer.concat([length, Buffer.from(word)]);
}

export const DICTIONARY = Buffer.concat([...[...WORDS.split(' '), ...MORE_WORDS].map(withLength), Buffer.from(TEXT)]);

function adler32(data) {
	let a = 1;
	let b = 0;
	for (const byte of data) {
		a = (a + byte) % 65521;
		b = (b + a) % 65521;
	}
	return (b * 65536 + a) >>> 0;
}

// All header blocks of one direction are one zlib stream: what came before is inflated again, which short connections
// can afford.
class HeaderReader {
	constructor() {
		this.received = Buffer.alloc(0);
		this.read = 0;
	}

	// The headers of the next block, names in lower case.
	next(block) {
		this.received = Buffer.concat([this.received, block]);
		const text = inflateSync(this.received, { dictionary: DICTIONARY, finishFlush: constants.Z_SYNC_FLUSH });
		const fresh = text.subarray(this.read);
		this.read = text.length;
		const headers = {};
		let at = 4;
		const word = () => {
			const end = at + 4 + fresh.readUInt32BE(at);
			const value = fresh.toString('utf8', at + 4, end);
			at = end;
			return value;
		};
		for (let left = fresh.readUInt32BE(0); left > 0; left--) {
			const name = word().toLowerCase();
			headers[name] = word();
		}
		return headers;
	}
}

// An empty block makes readers hand out what came before it (Z_SYNC_FLUSH).
const FLUSH = Buffer.from([0, 0, 0, 0xff, 0xff]);

// A zlib stream may hold blocks that are stored as they are (RFC 1951, 3.2.4): nothing is compressed here.
export class HeaderWriter {
	constructor() {
		this.isOpen = false;
	}

	next(pairs) {
		const count = Buffer.alloc(4);
		count.writeUInt32BE(pairs.length);
		const text = Buffer.concat([count, ...pairs.flat().map(withLength)]);
		const stored = Buffer.alloc(5);
		stored.writeUInt16LE(text.length, 1);
		stored.writeUInt16LE(~text.length & 0xffff, 3);
		const parts = this.isOpen ? [] : [this.opening()];
		this.isOpen = true;
		return Buffer.concat([...parts, stored, text, FLUSH]);
	}

	// CMF and FLG with FDICT (RFC 1950, 2.2), and which dictionary.
	opening() {
		const head = Buffer.from([0x78, 0x20, 0, 0, 0, 0]);
		head[1] += 31 - ((head[0] * 256 + head[1]) % 31);
		head.writeUInt32BE(adler32(DICTIONARY), 2);
		return head;
	}
}

class SpdyStream extends Duplex {
	constructor(connection, id, headers) {
		super({ allowHalfOpen: true, autoDestroy: false });
		Object.assign(this, { connection, id, headers });
	}

	_read() {
		this.connection.unblock(this);
	}

	_write(data, _encoding, done) {
		this.connection.sendData(this.id, data, 0, done);
	}

	_final(done) {
		this.connection.sendData(this.id, Buffer.alloc(0), FIN, done);
	}

	_destroy(error, done) {
		this.connection.forget(this, !this.writableFinished || !this.readableEnded);
		done(error);
	}
}

// `onStream(stream)` gets each stream that the client opens, already accepted: a Duplex with `headers` and `id`.
// `socket` is any duplex; it belongs to the connection from here on.
export class SpdyConnection {
	constructor(socket, onStream) {
		Object.assign(this, { socket, onStream, streams: new Map(), blocked: new Set(), pending: Buffer.alloc(0) });
		this.headerReader = new HeaderReader();
		this.headerWriter = new HeaderWriter();
		socket.on('data', (data) => this.onData(data));
		socket.on('error', () => {});
		socket.on('end', () => this.onEnd());
		socket.on('close', () => this.onEnd());
	}

	onEnd() {
		for (const stream of this.streams.values()) stream.destroy();
		this.socket.end();
	}

	onData(data) {
		this.pending = this.pending.length === 0 ? data : Buffer.concat([this.pending, data]);
		for (;;) {
			if (this.pending.length < HEADER_SIZE) return;
			const size = HEADER_SIZE + this.pending.readUIntBE(5, 3);
			if (this.pending.length < size) return;
			const frame = this.pending.subarray(0, size);
			this.pending = this.pending.subarray(size);
			if (frame[0] & 0x80) this.onControl(frame);
			else this.onStreamData(frame);
		}
	}

	onControl(frame) {
		const body = frame.subarray(HEADER_SIZE);
		switch (frame.readUInt16BE(2)) {
			case SYN_STREAM:
				this.onSynStream(body, frame[4]);
				break;
			case RST_STREAM:
				this.streams.get(body.readUInt32BE(0))?.destroy();
				break;
			case PING:
				this.sendControl(PING, 0, body);
				break;
			case GOAWAY:
				this.isGoing = true;
				break;
			default:
			// SETTINGS, HEADERS and WINDOW_UPDATE change nothing here.
		}
	}

	onSynStream(body, flags) {
		const id = body.readUInt32BE(0) & 0x7fffffff;
		const stream = new SpdyStream(this, id, this.headerReader.next(body.subarray(10)));
		this.streams.set(id, stream);
		stream.on('error', () => {});
		const head = Buffer.alloc(4);
		head.writeUInt32BE(id);
		this.sendControl(SYN_REPLY, 0, Buffer.concat([head, this.headerWriter.next([])]));
		if (flags & FIN) stream.push(null);
		this.onStream(stream);
	}

	onStreamData(frame) {
		const stream = this.streams.get(frame.readUInt32BE(0));
		if (!stream || stream.readableEnded) return;
		const data = frame.subarray(HEADER_SIZE);
		const isLast = (frame[4] & FIN) !== 0;
		// Nobody asks for more behind the end.
		if (data.length > 0 && !stream.push(data) && !isLast) this.block(stream);
		if (!isLast) return;
		stream.push(null);
		this.unblock(stream);
	}

	// One stream that is not read holds back all: there is no flow control of streams.
	block(stream) {
		this.blocked.add(stream);
		this.socket.pause();
	}

	unblock(stream) {
		if (this.blocked.delete(stream) && this.blocked.size === 0) this.socket.resume();
	}

	forget(stream, isAborted) {
		this.streams.delete(stream.id);
		this.unblock(stream);
		if (!isAborted || this.socket.destroyed) return;
		const body = Buffer.alloc(8);
		body.writeUInt32BE(stream.id);
		body.writeUInt32BE(CANCEL, 4);
		this.sendControl(RST_STREAM, 0, body);
	}

	sendControl(type, flags, body) {
		const head = Buffer.alloc(HEADER_SIZE);
		head.writeUInt16BE(0x8000 | VERSION);
		head.writeUInt16BE(type, 2);
		head.writeUInt32BE(flags * (FRAME_MAX + 1) + body.length, 4);
		this.socket.write(Buffer.concat([head, body]));
	}

	sendData(id, data, flags, done) {
		const head = Buffer.alloc(HEADER_SIZE);
		head.writeUInt32BE(id);
		head.writeUInt32BE(flags * (FRAME_MAX + 1) + data.length, 4);
		if (this.socket.destroyed || this.socket.writableEnded) done();
		else this.socket.write(Buffer.concat([head, data]), () => done());
	}

	// What was written leaves first.
	end() {
		this.socket.end();
	}
}
