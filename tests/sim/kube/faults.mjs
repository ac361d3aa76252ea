// What goes wrong on purpose at an API server: {kind, method?, path? (a regular expression), times?, chance? (0 to 1), ...}.
import { constants } from 'node:http2';

// Over HTTP/2 alone: "goaway" (with `refuses`: its last id is below the request, which is not processed; without: the
// request is the last one), "refused-stream" (not processed; with `behind`: once so many bytes of its body have come),
// "reset-stream" (in mid-body).
const KINDS = [
	'goaway',
	'refused-stream',
	'reset-stream',
	'endless',
	'hang',
	'cut',
	'unauthorized',
	'slow',
	'status',
	'reset',
	'redirect',
	'garbage',
	'no-upgrade',
	'tunnel',
	'headers',
	'trailers',
];

export function createFaults() {
	const faults = [];
	return {
		add(fault) {
			if (!KINDS.includes(fault.kind)) throw new Error(`no fault of kind ${fault.kind}: ${KINDS.join(', ')}`);
			const entry = { ...fault, left: fault.times ?? Infinity, hits: 0 };
			faults.push(entry);
			return entry;
		},
		take(request) {
			const fault = faults.find(
				(f) =>
					f.left > 0 &&
					(!f.method || f.method === request.method) &&
					(!f.path || new RegExp(f.path).test(request.url)) &&
					(f.chance === undefined || Math.random() < f.chance),
			);
			if (!fault) return null;
			fault.left--;
			fault.hits++;
			return fault;
		},
		list: () => faults,
		clear: () => {
			faults.length = 0;
		},
	};
}

// What node gives for a socket under HTTP/2 refuses to be destroyed.
function socketOf(request) {
	const socket = request.stream?.session?.socket ?? request.socket;
	return socket.self ?? socket;
}

const refusedFrom = new WeakMap(); // h2 sessions that refused a stream by GOAWAY, and everything after it

function refuseStream(stream, behind = 0) {
	let length = 0;
	const refuse = () => stream.close(constants.NGHTTP2_REFUSED_STREAM);
	if (behind === 0) refuse();
	else
		stream.on('data', (bytes) => {
			length += bytes.length;
			if (length >= behind && !stream.closed) refuse();
		});
}

// Before anything is done for the request: true when it counts as never seen.
export function refuseUnprocessed(fault, { stream }) {
	if (!stream) return false;
	const { session } = stream;
	if (!session || stream.id >= (refusedFrom.get(session) ?? Infinity)) return true;
	const refuses = fault?.kind === 'goaway' && fault.refuses;
	// A last id of 0 would stand for the last stream seen.
	if (fault?.kind === 'refused-stream' || (refuses && stream.id < 3)) {
		refuseStream(stream, fault?.behind);
		return true;
	}
	// session.close() would cut the last answer in Node.js 18: whoever is told closes when it is there.
	if (fault?.kind === 'goaway') {
		const last = refuses ? stream.id - 2 : stream.id;
		refusedFrom.set(session, last + 2);
		session.goaway(constants.NGHTTP2_NO_ERROR, last);
	}
	return Boolean(refuses);
}

// Answers in the place of the real thing; true when it did.
export function applyFault(fault, request, response) {
	switch (fault?.kind) {
		case 'hang':
			return true;
		case 'reset':
			socketOf(request).destroy();
			return true;
		case 'cut':
			response.writeHead(200, {
				'content-type': 'application/json',
				...(fault.chunked ? {} : { 'content-length': '1000' }),
			});
			response.write('{"kind":"PodList","apiVersion":"v1","items":[', () =>
				setTimeout(() => socketOf(request).destroy(), 50),
			);
			return true;
		case 'reset-stream':
			response.writeHead(200, { 'content-type': 'application/json' });
			response.write('{"kind":"PodList","apiVersion":"v1","items":[', () =>
				setTimeout(() => request.stream.close(constants.NGHTTP2_INTERNAL_ERROR), 50),
			);
			return true;
		case 'endless':
			response.writeHead(200, { 'content-type': 'application/json' });
			pour(response);
			return true;
		case 'slow':
			trickle(fault, response);
			return true;
		case 'status':
			response.writeHead(fault.code, { 'content-type': fault.type ?? 'application/json', ...fault.headers });
			response.end(fault.base64 === undefined ? (fault.body ?? '') : Buffer.from(fault.base64, 'base64'));
			return true;
		case 'trailers':
			response.writeHead(200, { 'content-type': 'application/json', trailer: Object.keys(fault.trailers).join(', ') });
			response.write('{"kind":"PodList","apiVersion":"v1",');
			response.addTrailers(fault.trailers);
			response.end('"items":[]}');
			return true;
		case 'redirect':
			response.writeHead(302, { location: fault.location });
			response.end();
			return true;
		case 'garbage':
			// Nothing can be written past node's HTTP/2: there it is a stream that breaks the protocol.
			if (request.stream) request.stream.close(constants.NGHTTP2_PROTOCOL_ERROR);
			else request.socket.end(fault.text ?? 'this is not HTTP\r\n\r\n');
			return true;
		default:
			return false;
	}
}

// As fast as the reader takes it, until it leaves.
function pour(response) {
	const piece = Buffer.alloc(64 * 1024, ' ');
	const go = () => {
		while (!response.destroyed && !response.writableEnded && response.write(piece));
	};
	response.on('drain', go);
	response.on('error', () => {});
	go();
}

function trickle(fault, response) {
	const body = JSON.stringify({ kind: 'PodList', apiVersion: 'v1', metadata: { resourceVersion: '1' }, items: [] });
	response.writeHead(200, { 'content-type': 'application/json', 'content-length': body.length });
	let at = 0;
	const timer = setInterval(() => {
		response.write(body[at++]);
		if (at < body.length) return;
		clearInterval(timer);
		response.end();
	}, fault.ms ?? 20);
	response.on('close', () => clearInterval(timer));
}
