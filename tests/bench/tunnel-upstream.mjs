// The API server of the tunnels: answers every WebSocket upgrade with 101 and writes as many bytes as "bytes" in the query says
// (messages on the channel of standard output, whole ones), then ends. With "listing" they are what `ls -lR --color` says on a
// terminal, in messages as long as a kubelet's; with "rate" so many MiB come a second; with "echo" what is typed is said
// instead. Started by stage.mjs as `node tunnel-upstream.mjs PORT CERTIFICATE KEY`; ends when its standard input does.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';

const [port, certificate, key] = process.argv.slice(2);
// A binary message of RFC 6455, 5.2, with a length of 64 bits.
function message(length, text) {
	const piece = Buffer.alloc(length, text);
	piece.writeUInt16BE(0x827f, 0);
	piece.writeBigUInt64BE(BigInt(length - 10), 2);
	piece[10] = 1;
	return piece;
}

// A line of it is 64 characters long.
const PLAIN = message(64 * 1024, `${'x'.repeat(62)}\r\n`);
const LISTING = message(
	32 * 1024,
	[
		'./kubeproxyd/record:\r\ntotal 224',
		'drwxr-xr-x 2 root root  4096 Nov 28 02:19 \x1b[0m\x1b[01;34mscenarios\x1b[0m',
		'-rwxr-xr-x 1 root root 16384 Nov 28 02:19 \x1b[01;32mcheck-sizes.sh\x1b[0m',
		'-rw-r--r-- 1 root root   612 Nov 28 02:19 README.md',
		'-rw-r--r-- 1 root root 81920 Nov 28 02:19 \x1b[01;31mgrößen.tar.gz\x1b[0m',
		'lrwxrwxrwx 1 root root    11 Nov 28 02:19 \x1b[01;36mlatest\x1b[0m -> \x1b[01;34mscenarios\x1b[0m',
		'',
	].join('\r\n'),
);

function accept(request) {
	const text = `${request.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`;
	return createHash('sha1').update(text).digest('base64');
}

// As much as is due every few milliseconds.
async function pace(socket, piece, bytes, rate) {
	const begun = performance.now();
	for (let sent = 0; sent < bytes && !socket.destroyed; await sleep(5)) {
		const due = Math.min(bytes, ((performance.now() - begun) / 1000) * rate * 1024 * 1024);
		for (; sent < due; sent += piece.length) socket.write(piece);
	}
	socket.end();
}

// Each message of one byte, in a frame of its own: two bytes of a head, four of a mask, a channel, the byte.
const TYPED = 8;
function echo(socket) {
	let rest = Buffer.alloc(0);
	socket.on('data', (data) => {
		rest = Buffer.concat([rest, data]);
		for (; rest.length >= TYPED; rest = rest.subarray(TYPED))
			socket.write(Buffer.from([0x82, 2, 1, rest[7] ^ rest[3]]));
	});
	socket.on('end', () => socket.end());
}

async function pour(socket, piece, bytes) {
	for (let left = bytes; left > 0; left -= piece.length) {
		if (socket.write(left < piece.length ? piece.subarray(0, left) : piece)) continue;
		await new Promise((resolve) => socket.once('drain', resolve).once('close', resolve));
		if (socket.destroyed) return;
	}
	socket.end();
}

const server = createServer({ cert: readFileSync(certificate), key: readFileSync(key), ciphers: 'TLS_AES_128_GCM_SHA256' });
server.on('upgrade', (request, socket) => {
	socket.on('error', () => {});
	const fields = ['Connection: Upgrade', 'Upgrade: websocket', `Sec-WebSocket-Accept: ${accept(request)}`];
	const protocol = request.headers['sec-websocket-protocol'];
	if (protocol) fields.push(`Sec-WebSocket-Protocol: ${protocol}`);
	socket.write(`HTTP/1.1 101 Switching Protocols\r\n${fields.join('\r\n')}\r\n\r\n`);
	const { searchParams } = new URL(request.url, 'https://api');
	const [bytes, rate] = ['bytes', 'rate'].map((name) => Number(searchParams.get(name)));
	const piece = searchParams.has('listing') ? LISTING : PLAIN;
	if (searchParams.has('echo')) echo(socket);
	else if (rate) pace(socket, piece, bytes, rate);
	else pour(socket, piece, bytes);
});
server.listen({ port: Number(port), host: '127.0.0.1' });
process.stdin.resume().on('close', () => process.exit(0));
