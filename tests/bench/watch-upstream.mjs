// The API server of the watches, for which nginx has no answer: every request gets a head and one line, and stays open; with
// flood=true in its query, as many lines as it takes. Lines of standard input: "beat MS" sends an event with "sent_ns":N to one watch after another, one every MS; "quiet" stops that. Started
// by stage.mjs as `node watch-upstream.mjs PORT CERTIFICATE KEY`; ends when its standard input does.
import { readFileSync } from 'node:fs';
import { createSecureServer } from 'node:http2';
import { createInterface } from 'node:readline';

const [port, certificate, key] = process.argv.slice(2);
const watches = new Set();
let turn = watches.values();
let timer;

const METADATA = '{"name":"web-1","namespace":"default","resourceVersion":"1"}';

function sendNext() {
	let next = turn.next();
	if (next.done) {
		turn = watches.values();
		next = turn.next();
	}
	if (!next.done) next.value.write(`{"type":"MODIFIED","object":{"metadata":${METADATA},"sent_ns":${process.hrtime.bigint()}}}\n`);
}

const LINE = `${JSON.stringify({ type: 'BOOKMARK', filler: 'x'.repeat(4000) })}\n`;

function flood(response) {
	while (!response.destroyed && response.write(LINE));
	if (!response.destroyed) response.once('drain', () => flood(response));
}

const server = createSecureServer(
	{ cert: readFileSync(certificate), key: readFileSync(key), allowHTTP1: true, ciphers: 'TLS_AES_128_GCM_SHA256' },
	(request, response) => {
		response.writeHead(200, { 'content-type': 'application/json' });
		response.write('{"type":"BOOKMARK"}\n');
		if (request.url.includes('flood=true')) flood(response);
		else watches.add(response);
		response.on('error', () => {});
		response.on('close', () => watches.delete(response));
	},
);
server.on('sessionError', () => {});
server.on('secureConnection', (socket) => socket.setNoDelay(true));
server.timeout = 0;
server.listen({ port: Number(port), host: '127.0.0.1', backlog: 4096 });

createInterface({ input: process.stdin })
	.on('line', (line) => {
		const [word, ms] = line.split(' ');
		clearInterval(timer);
		if (word === 'beat') timer = setInterval(sendNext, Number(ms));
	})
	.on('close', () => process.exit(0));
