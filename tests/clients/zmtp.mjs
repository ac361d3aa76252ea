// ZMTP 3.0 over a Unix socket with the NULL mechanism, as far as the bus needs it: one DEALER that connects, or a ROUTER that
// listens. A message is a list of Buffers. Written from the protocol (rfc.zeromq.org/spec/23), so that tests can be a peer of
// another version than the one that was built.
import { EventEmitter, once } from 'node:events';
import { createConnection, createServer } from 'node:net';
import { rmSync } from 'node:fs';

const MORE = 1;
const LONG = 2;
const COMMAND = 4;

function greeting() {
	const bytes = Buffer.alloc(64);
	bytes[0] = 0xff;
	bytes[8] = 1;
	bytes[9] = 0x7f;
	bytes[10] = 3;
	bytes.write('NULL', 12, 'latin1');
	return bytes;
}

function property(name, value) {
	const bytes = Buffer.alloc(1 + name.length + 4 + value.length);
	bytes[0] = name.length;
	bytes.write(name, 1, 'latin1');
	bytes.writeUInt32BE(value.length, 1 + name.length);
	bytes.write(value, 5 + name.length, 'latin1');
	return bytes;
}

function frame(flags, body) {
	if (body.length < 256) return Buffer.concat([Buffer.from([flags, body.length]), body]);
	const head = Buffer.alloc(9);
	head[0] = flags | LONG;
	head.writeBigUInt64BE(BigInt(body.length), 1);
	return Buffer.concat([head, body]);
}

// One connection: emits "ready", "message" (a list of Buffers) and "close".
class Connection extends EventEmitter {
	constructor(socket, type) {
		super();
		this.socket = socket;
		this.type = type;
		this.bytes = Buffer.alloc(0);
		this.isGreeted = false;
		this.parts = [];
		socket.on('data', (data) => {
			this.bytes = Buffer.concat([this.bytes, data]);
			while (this.take());
		});
		socket.on('close', () => this.emit('close'));
		socket.on('error', () => {});
		socket.write(greeting());
	}

	command(name, rest) {
		this.socket.write(frame(COMMAND, Buffer.concat([Buffer.from([name.length]), Buffer.from(name), rest])));
	}

	// True when something was taken.
	take() {
		if (!this.isGreeted) {
			if (this.bytes.length < 64) return false;
			this.bytes = this.bytes.subarray(64);
			this.isGreeted = true;
			this.command('READY', Buffer.concat([property('Socket-Type', this.type), property('Identity', '')]));
			return true;
		}
		const isLong = this.bytes.length > 0 && (this.bytes[0] & LONG) !== 0;
		const head = isLong ? 9 : 2;
		if (this.bytes.length < head) return false;
		const size = isLong ? Number(this.bytes.readBigUInt64BE(1)) : this.bytes[1];
		if (this.bytes.length < head + size) return false;
		const flags = this.bytes[0];
		const body = Buffer.from(this.bytes.subarray(head, head + size));
		this.bytes = this.bytes.subarray(head + size);
		if (flags & COMMAND) this.onCommand(body);
		else this.onPart(body, (flags & MORE) !== 0);
		return true;
	}

	onCommand(body) {
		const name = body.toString('latin1', 1, 1 + body[0]);
		if (name === 'READY') this.emit('ready');
		if (name === 'PING') this.command('PONG', body.subarray(1 + body[0] + 2));
	}

	onPart(body, hasMore) {
		this.parts.push(body);
		if (hasMore) return;
		this.emit('message', this.parts);
		this.parts = [];
	}

	send(parts) {
		parts.forEach((part, i) => this.socket.write(frame(i < parts.length - 1 ? MORE : 0, part)));
	}

	close() {
		this.socket.destroy();
	}
}

export async function connectDealer(path) {
	const connection = new Connection(createConnection(path), 'DEALER');
	await once(connection, 'ready');
	return connection;
}

// Calls `onConnection` for each peer once it is ready. Resolves to a function that ends everything.
export async function listenRouter(path, onConnection) {
	const connections = new Set();
	rmSync(path, { force: true });
	const server = createServer((socket) => {
		const connection = new Connection(socket, 'ROUTER');
		connections.add(connection);
		connection.on('ready', () => onConnection(connection));
		connection.on('close', () => connections.delete(connection));
	});
	server.listen(path);
	await once(server, 'listening');
	return () => {
		for (const connection of connections) connection.close();
		server.close();
	};
}
