// What goes wrong on purpose at an API server: {kind, method?, path? (a regular expression), times?, ...}.

const KINDS = [
	'hang',
	'cut',
	'unauthorized',
	'slow',
	'status',
	'reset',
	'redirect',
	'garbage',
	'no-upgrade',
	'headers',
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
					(!f.path || new RegExp(f.path).test(request.url)),
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

const socketOf = (request) => request.stream?.session?.socket ?? request.socket;

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
		case 'slow':
			trickle(fault, response);
			return true;
		case 'status':
			response.writeHead(fault.code, { 'content-type': fault.type ?? 'application/json', ...fault.headers });
			response.end(fault.body ?? '');
			return true;
		case 'redirect':
			response.writeHead(302, { location: fault.location });
			response.end();
			return true;
		case 'garbage':
			socketOf(request).end(fault.text ?? 'this is not HTTP\r\n\r\n');
			return true;
		default:
			return false;
	}
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
