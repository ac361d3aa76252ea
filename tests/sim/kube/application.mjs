// The application that runs in every simulated pod: HTTP with cookies, redirects, trailers, streams and WebSockets, and an
// echo port. It is reached by port-forward and through pods/proxy and services/proxy.
import { createHash } from 'node:crypto';
import { createServer as createHttpServer } from 'node:http';
import { createServer } from 'node:net';
import { WebSocketServer } from 'ws';

const COOKIES = ['session=secret; Path=/; HttpOnly', 'theme=dark; Path=/settings'];
const STREAM_MS = 50;

function sendText(response, code, text, headers = {}) {
	response.writeHead(code, { 'content-type': 'text/plain', ...headers });
	response.end(text);
}

// The checksum of the body is known only at its end.
function sendTrailers(response) {
	const body = 'a body with trailers\n';
	response.writeHead(200, { 'content-type': 'text/plain', trailer: 'x-checksum' });
	response.write(body);
	response.addTrailers({ 'x-checksum': createHash('sha256').update(body).digest('hex') });
	response.end();
}

function sendEvents(response) {
	let number = 0;
	response.writeHead(200, { 'content-type': 'text/event-stream' });
	const timer = setInterval(() => response.write(`data: ${number++}\n\n`), STREAM_MS);
	response.on('close', () => clearInterval(timer));
}

function answer(request, response) {
	const url = new URL(request.url, 'http://application');
	switch (url.pathname) {
		case '/':
			return sendText(response, 200, 'hello from the application\n', { 'set-cookie': COOKIES });
		case '/html':
			return sendText(response, 200, '<html><script>alert(1)</script></html>\n', { 'content-type': 'text/html' });
		case '/redirect':
			return sendText(response, 302, '', { location: url.searchParams.get('to') ?? '/there' });
		case '/headers':
			return sendText(response, 200, JSON.stringify(request.headers), { 'content-type': 'application/json' });
		case '/echo':
			response.writeHead(200, { 'content-type': 'application/octet-stream' });
			return request.pipe(response);
		case '/trailers':
			return sendTrailers(response);
		case '/events':
			return sendEvents(response);
		default:
			return sendText(response, 404, `no page ${url.pathname}\n`);
	}
}

function listen(server) {
	return new Promise((resolve, reject) => {
		server.once('error', reject);
		server.listen(0, '127.0.0.1', () => resolve(server.address().port));
	});
}

// {port, echoPort, close()}
export async function startApplication() {
	const sockets = new Set();
	const remember = (socket) => {
		sockets.add(socket);
		socket.on('error', () => {});
		socket.on('close', () => sockets.delete(socket));
	};
	const http = createHttpServer(answer);
	const webSockets = new WebSocketServer({ server: http });
	webSockets.on('connection', (ws) => {
		ws.send('welcome');
		ws.on('message', (data, isBinary) => ws.send(data, { binary: isBinary }));
	});
	const echo = createServer({ allowHalfOpen: true }, (socket) => socket.pipe(socket));
	for (const server of [http, echo]) server.on('connection', remember);
	return {
		port: await listen(http),
		echoPort: await listen(echo),
		close() {
			for (const server of [http, echo]) server.close();
			for (const socket of sockets) socket.destroy();
		},
	};
}
