// Port-forward in its three forms: SPDY/3.1 over a TCP upgrade, the same frames inside a WebSocket
// (SPDY/3.1+portforward.k8s.io), and the channel pairs of v4.channel.k8s.io. What answers is the simulated application.
import { connect } from 'node:net';
import { Channels } from './channels.mjs';
import { SpdyConnection } from './spdy.mjs';
import { StatusError } from './status.mjs';

// What listens in a pod, by port. The application is plain HTTP/1.1.
const ECHO_PORT = 7;
const APPLICATION_PORTS = [80, 8080];
const GOODBYE_MS = 500;

// The ports in the query; throws when there is none.
export function portsOf(info) {
	const ports = (info.query.get('ports') ?? []).flatMap((text) => text.split(',')).map(Number);
	if (ports.length === 0) throw new StatusError(400, 'query parameter "ports" is required');
	return ports;
}

// `application`: {port, echoPort} on 127.0.0.1. `onOpen(socket)`, or `onRefused(message)` when nothing listens there.
function dial(application, port, pod, { onOpen, onRefused }) {
	const to = APPLICATION_PORTS.includes(port) ? application.port : port === ECHO_PORT ? application.echoPort : null;
	if (to === null) {
		onRefused(
			`error forwarding port ${port} to pod ${pod}: dial tcp4 127.0.0.1:${port}: connect: connection refused`,
		);
		return;
	}
	const socket = connect({ port: to, host: '127.0.0.1', allowHalfOpen: true });
	socket.on('error', () => socket.destroy());
	socket.once('connect', () => onOpen(socket));
}

// A pair of streams with one request id makes one connection.
export function forwardOverSpdy(duplex, { application, pod, record }) {
	const pairs = new Map();
	record.ports = [];
	const open = (data, error) => {
		const port = Number(data.headers.port);
		record.ports.push(port);
		dial(application, port, pod, {
			onOpen: (socket) => {
				data.pipe(socket);
				socket.pipe(data);
				error.resume();
				socket.on('end', () => error.end());
				socket.on('close', () => data.destroy());
				data.on('close', () => socket.destroy());
			},
			onRefused: (message) => {
				error.end(message);
				data.end();
			},
		});
	};
	const connection = new SpdyConnection(duplex, (stream) => {
		const id = stream.headers.requestid;
		const pair = { ...pairs.get(id), [stream.headers.streamtype]: stream };
		pairs.set(id, pair);
		if (!pair.data || !pair.error) return;
		pairs.delete(id);
		open(pair.data, pair.error);
	});
	return connection;
}

// Channel 2i carries the data of the i-th port, 2i + 1 its error; each begins with the port, little-endian.
export function forwardOverChannels(ws, ports, { application, pod, record }) {
	const channels = new Channels(ws);
	record.ports = ports;
	ports.forEach((port, i) => {
		const name = Buffer.alloc(2);
		name.writeUInt16LE(port);
		channels.send(2 * i, name);
		channels.send(2 * i + 1, name);
		const input = channels.input(2 * i);
		dial(application, port, pod, {
			onOpen: (socket) => {
				input.pipe(socket);
				socket.pipe(channels.output(2 * i));
				ws.on('close', () => socket.destroy());
				// The channels have no end of their own: the only connection takes the WebSocket along. Debian's Python
				// client may overlook the closing frame when it shares a TLS record with what came before it.
				if (ports.length > 1) return;
				socket.on('end', () => {
					ws.close(1000);
					setTimeout(() => ws.terminate(), GOODBYE_MS).unref();
				});
			},
			onRefused: (message) => channels.send(2 * i + 1, Buffer.from(message)),
		});
	});
}
