// The API server of the tunnels: answers every WebSocket upgrade with 101 and writes as many bytes as "bytes" in the query says
// (messages on the channel of standard output, whole ones), then ends. With "listing" they are what `ls -lR --color` says on a
// terminal, in messages as long as a kubelet's. Started by stage.mjs as `node tunnel-upstream.mjs PORT CERTIFICATE KEY`; ends when its standard input does.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';

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
	pour(socket, searchParams.has('listing') ? LISTING : PLAIN, Number(searchParams.get('bytes')));
});
server.listen({ port: Number(port), host: '127.0.0.1' });
process.stdin.resume().on('close', () => process.exit(0));
