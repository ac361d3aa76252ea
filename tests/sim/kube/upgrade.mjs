// Requests that leave HTTP: which subresource, which protocol of those that the client offers, and the 101. A refusal is
// thrown as a Status before anything is switched.
import { createWebSocketStream, WebSocketServer } from 'ws';
import { forwardOverChannels, forwardOverSpdy, portsOf } from './port_forward.mjs';
import { upgradeProxy } from './proxy.mjs';
import { prepareCommand } from './remote_command.mjs';
import { serveOverSpdy, serveOverWebSocket } from './remote_transport.mjs';
import { StatusError } from './status.mjs';

const CHANNELS = ['v5.channel.k8s.io', 'v4.channel.k8s.io'];
const TUNNEL = 'SPDY/3.1+portforward.k8s.io';
const PROTOCOLS = {
	exec: { websocket: CHANNELS, spdy: CHANNELS },
	attach: { websocket: CHANNELS, spdy: CHANNELS },
	portforward: { websocket: [TUNNEL, 'v4.channel.k8s.io'], spdy: ['portforward.k8s.io'] },
};

const webSockets = new WebSocketServer({ noServer: true, perMessageDeflate: false });
webSockets.on('headers', (fields, request) => fields.push(`Sec-WebSocket-Protocol: ${request.chosenProtocol}`));

function valuesOf(raw, wanted) {
	return raw
		.filter(([name]) => name.toLowerCase() === wanted)
		.flatMap(([, value]) => value.split(','))
		.map((word) => word.trim());
}

// The first of the client's protocols that we speak.
function choose(offered, spoken, code) {
	const chosen = offered.find((protocol) => spoken.includes(protocol));
	if (!chosen) throw new StatusError(code, `unable to upgrade: no supported protocol in ${offered.join(', ')}`);
	return chosen;
}

// {isSpdy, protocol}
function negotiate(request, raw, subresource) {
	const upgrade = String(request.headers.upgrade).toLowerCase();
	const spoken = PROTOCOLS[subresource];
	if (upgrade === 'websocket') {
		return { isSpdy: false, protocol: choose(valuesOf(raw, 'sec-websocket-protocol'), spoken.websocket, 400) };
	}
	if (upgrade !== 'spdy/3.1') throw new StatusError(400, `unable to upgrade to ${request.headers.upgrade}`);
	return { isSpdy: true, protocol: choose(valuesOf(raw, 'x-stream-protocol-version'), spoken.spdy, 403) };
}

function switchToSpdy(socket, head, protocol) {
	socket.write(
		'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: SPDY/3.1\r\n' +
			`X-Stream-Protocol-Version: ${protocol}\r\n\r\n`,
	);
	if (head.length > 0) socket.unshift(head);
	return socket;
}

// "SPDY/3.1+portforward.k8s.io" is no token (RFC 6455, 4.1), as Kubernetes sends it nevertheless: ws must not see it.
function switchToWebSocket({ request, socket, head }, protocol, serve) {
	request.chosenProtocol = protocol;
	delete request.headers['sec-websocket-protocol'];
	webSockets.handleUpgrade(request, socket, head, serve);
}

function serveCommand(context, { isSpdy, protocol }, options) {
	const { socket, head, entry } = context;
	if (isSpdy) serveOverSpdy(switchToSpdy(socket, head, protocol), options, entry);
	else switchToWebSocket(context, protocol, (ws) => serveOverWebSocket(ws, protocol, options, entry));
}

function servePorts(context, { isSpdy, protocol }, ports) {
	const { socket, head, entry, info, application } = context;
	const place = { application, pod: info.name, record: entry };
	if (isSpdy) forwardOverSpdy(switchToSpdy(socket, head, protocol), place);
	else if (protocol === TUNNEL)
		switchToWebSocket(context, protocol, (ws) => forwardOverSpdy(createWebSocketStream(ws), place));
	else switchToWebSocket(context, protocol, (ws) => forwardOverChannels(ws, ports, place));
}

// `context`: {store, type, info, logs, files, application, request, socket, head, entry}. `instead`, when given, answers in
// the place of the 101 and gets {isSpdy, protocol}.
export function serveUpgrade(context, instead) {
	const { type, info, request, entry, store } = context;
	if (!type) throw new StatusError(404, 'the server could not find the requested resource');
	if (info.subresource === 'proxy') {
		entry.status = 101;
		upgradeProxy({ ...context, headers: entry.headers });
		return;
	}
	if (!PROTOCOLS[info.subresource]) throw new StatusError(404, 'the server could not find the requested resource');
	const chosen = negotiate(request, entry.headers, info.subresource);
	const isForward = info.subresource === 'portforward';
	if (isForward) store.get(type, info.namespace, info.name);
	const needsPorts = isForward && !chosen.isSpdy && chosen.protocol !== TUNNEL;
	const options = isForward ? null : prepareCommand(context);
	const ports = needsPorts ? portsOf(info) : [];
	if (instead) {
		instead(chosen);
		return;
	}
	entry.status = 101;
	entry.protocol = chosen.protocol;
	if (isForward) servePorts(context, chosen, ports);
	else serveCommand(context, chosen, options);
}
