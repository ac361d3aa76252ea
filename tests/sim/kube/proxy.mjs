// pods/NAME/proxy and services/NAME/proxy: the request goes on to the application, as kube-apiserver sends it.
import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { StatusError } from './status.mjs';

const TARGET = /^(\/api\/v1\/namespaces\/[^/?]+\/(?:pods|services)\/[^/?]+\/proxy)(\/[^?]*)?(\?.*)?$/;
// What ends at the API server (httputil.ReverseProxy drops them, and a user's credentials are not for applications).
const NOT_FORWARDED =
	/^(connection|keep-alive|transfer-encoding|upgrade|te|authorization|impersonate-.*|audit-id|:.*)$/;
const NOT_RETURNED = ['connection', 'keep-alive', 'transfer-encoding'];

function split(target) {
	const m = TARGET.exec(target);
	if (!m) throw new StatusError(404, 'the server could not find the requested resource');
	return { prefix: m[1], path: `${m[2] ?? '/'}${m[3] ?? ''}` };
}

function forwardedHeaders(raw) {
	const headers = {};
	for (const [name, value] of raw)
		if (!NOT_FORWARDED.test(name.toLowerCase()))
			headers[name] = headers[name] ? [headers[name], value].flat() : value;
	return headers;
}

// The API server knows its own path to the application, and nothing in front of itself.
function returnedHeaders(headers, prefix) {
	const kept = Object.entries(headers).filter(([name]) => !NOT_RETURNED.includes(name));
	const result = Object.fromEntries(kept);
	if (result.location?.startsWith('/')) result.location = prefix + result.location;
	return result;
}

// Services are named "web", "web:http" or "http:web:80"; pods alike.
function nameOf(name) {
	const parts = name.split(':');
	return parts.length === 3 ? parts[1] : parts[0];
}

export function answerProxy({ store, type, info, request, response, application, body, headers }) {
	store.get(type, info.namespace, nameOf(info.name));
	const { prefix, path } = split(request.url);
	const call = httpRequest(
		{ host: '127.0.0.1', port: application.port, method: request.method, path, headers: forwardedHeaders(headers) },
		(answer) => {
			response.writeHead(answer.statusCode, returnedHeaders(answer.headers, prefix));
			answer.on('data', (part) => response.write(part));
			answer.on('end', () => {
				if (Object.keys(answer.trailers).length > 0) response.addTrailers(answer.trailers);
				response.end();
			});
		},
	);
	call.on('error', () => response.destroy?.());
	response.on('close', () => call.destroy());
	call.end(body);
}

// Anything that upgrades: the head goes on, and what comes back is the application's own answer.
export function upgradeProxy({ store, type, info, request, socket, head, application, headers }) {
	store.get(type, info.namespace, nameOf(info.name));
	const { path } = split(request.url);
	const kept = headers.filter(([name]) => !NOT_FORWARDED.test(name.toLowerCase()));
	const fields = [...kept, ['Connection', 'Upgrade'], ['Upgrade', request.headers.upgrade]];
	const upstream = connect(application.port, '127.0.0.1', () => {
		upstream.write(
			`${request.method} ${path} HTTP/1.1\r\n${fields.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`,
		);
		upstream.write(head);
		socket.pipe(upstream);
		upstream.pipe(socket);
	});
	upstream.on('error', () => socket.destroy());
	upstream.on('close', () => socket.destroy());
	socket.on('close', () => upstream.destroy());
}
