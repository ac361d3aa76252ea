// The API server of the tunnels: answers every WebSocket upgrade with 101 and writes as many bytes as "bytes" in the query says
// (messages on the channel of standard output, whole ones), then ends. Started by stage.mjs as `node tunnel-upstream.mjs PORT CERTIFICATE KEY`; ends when its standard input does.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';

const [port, certificate, key] = process.argv.slice(2);
// A binary message of RFC 6455, 5.2, with a length of 64 bits; a line of output is 64 characters long.
const PIECE = Buffer.alloc(64 * 1024, `${'x'.repeat(62)}\r\n`);
PIECE.writeUInt16BE(0x827f, 0);
PIECE.writeBigUInt64BE(BigInt(PIECE.length - 10), 2);
PIECE[10] = 1;

function accept(request) {
	const text = `${request.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`;
	return createHash('sha1').update(text).digest('base64');
}

async function pour(socket, bytes) {
	for (let left = bytes; left > 0; left -= PIECE.length) {
		if (socket.write(left < PIECE.length ? PIECE.subarray(0, left) : PIECE)) continue;
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
	pour(socket, Number(new URL(request.url, 'https://api').searchParams.get('bytes')));
});
server.listen({ port: Number(port), host: '127.0.0.1' });
process.stdin.resume().on('close', () => process.exit(0));
