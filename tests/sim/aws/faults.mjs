// What goes wrong on purpose: delays, throttling and broken answers, chosen by operation, account and region at run time.
// Also the counts of calls, since both hang on "which call is this".

const KINDS = [
	'error',
	'truncated',
	'wrong-types',
	'html',
	'huge',
	'endless-pages',
	'hang',
	'reset',
	'delay',
	'not-json',
	'duplicate-keys',
];

function matchesCall(rule, call) {
	return ['operation', 'account', 'region', 'cluster'].every(
		(key) => rule[key] === undefined || rule[key] === call[key],
	);
}

export function createFaults() {
	const faults = [];
	const throttles = [];
	const counts = new Map();
	let nextId = 1;

	// Each: {operation?, account?, region?, cluster?, kind, times?, share?, ...parameters of the kind}. `share` 0.3: three
	// of ten calls, evenly spread.
	function addFault(fault) {
		if (!KINDS.includes(fault.kind)) throw new Error(`no fault of kind ${fault.kind}: ${KINDS.join(', ')}`);
		const entry = { ...fault, id: nextId++, left: fault.times ?? Infinity, hits: 0 };
		faults.push(entry);
		return entry;
	}

	// {operation?, account?, region?, rate (calls a second), burst, code}: a token bucket.
	function addThrottle(throttle) {
		const entry = {
			code: 'ThrottlingException',
			burst: 1,
			...throttle,
			id: nextId++,
			tokens: throttle.burst ?? 1,
			at: Date.now(),
			hits: 0,
		};
		throttles.push(entry);
		return entry;
	}

	function isDue(entry) {
		if (entry.share === undefined) return true;
		entry.seen = (entry.seen ?? 0) + 1;
		return Math.floor(entry.seen * entry.share) > Math.floor((entry.seen - 1) * entry.share);
	}

	function takeFault(call) {
		const fault = faults.find((entry) => entry.left > 0 && matchesCall(entry, call) && isDue(entry));
		if (!fault) return null;
		fault.left--;
		fault.hits++;
		return fault;
	}

	// The code to answer with when the rate is exceeded, else null.
	function takeThrottle(call) {
		for (const entry of throttles) {
			if (!matchesCall(entry, call)) continue;
			const now = Date.now();
			entry.tokens = Math.min(entry.burst, entry.tokens + ((now - entry.at) / 1000) * entry.rate);
			entry.at = now;
			if (entry.tokens < 1) {
				entry.hits++;
				return entry.code;
			}
			entry.tokens--;
		}
		return null;
	}

	function count(call, code) {
		const key = [call.operation, call.account, call.region].join(' ');
		const entry = counts.get(key) ?? {
			operation: call.operation,
			account: call.account,
			region: call.region,
			calls: 0,
			errors: {},
		};
		entry.calls++;
		if (code) entry.errors[code] = (entry.errors[code] ?? 0) + 1;
		counts.set(key, entry);
	}

	return {
		addFault,
		addThrottle,
		takeFault,
		takeThrottle,
		count,
		clear() {
			faults.length = 0;
			throttles.length = 0;
		},
		list: () => ({ faults, throttles }),
		counts: () => [...counts.values()],
		resetCounts: () => counts.clear(),
	};
}

function swapTypes(value) {
	if (Array.isArray(value)) return { list: value.map(swapTypes) };
	if (value !== null && typeof value === 'object')
		return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, swapLeaf(v)]));
	return value;
}

function swapLeaf(value) {
	if (typeof value === 'string') return { text: value };
	if (typeof value === 'number') return String(value);
	return swapTypes(value);
}

// Made once: writing 100 MB of JSON takes a simulator that answers others, too, much of a second.
const huge = new Map();

function hugeBody(bytes) {
	if (!huge.has(bytes)) {
		const [head, tail] = ['{"clusters":[],"padding":"', '"}'];
		huge.set(bytes, Buffer.concat([Buffer.from(head), Buffer.alloc(bytes, 'x'), Buffer.from(tail)]));
	}
	return huge.get(bytes);
}

// The answer of a call as the fault spoils it: {status, type, body} or null when the kind is none of content.
export function spoil(fault, answer, call) {
	switch (fault.kind) {
		case 'error':
			return {
				error: {
					status: fault.status ?? 500,
					code: fault.code ?? 'ServerException',
					message: fault.message ?? 'Internal error',
				},
			};
		case 'truncated':
			return {
				status: 200,
				type: answer.type,
				body: answer.body.slice(0, Math.max(1, Math.floor(answer.body.length / 2))),
			};
		case 'wrong-types':
			return { status: 200, type: answer.type, body: JSON.stringify(swapTypes(JSON.parse(answer.body))) };
		case 'not-json':
			return { status: 200, type: answer.type, body: "{'clusters': NaN}" };
		case 'duplicate-keys':
			return { status: 200, type: answer.type, body: answer.body.replace(/^\{/, '{"clusters":["ghost"],') };
		case 'html':
			return {
				status: fault.status ?? 200,
				type: 'text/html',
				body: '<html><body><h1>503 Service Unavailable</h1></body></html>',
			};
		case 'huge':
			return {
				status: 200,
				type: answer.type,
				body: hugeBody(fault.bytes ?? 64 * 1024 * 1024),
			};
		case 'endless-pages':
			return {
				status: 200,
				type: answer.type,
				body: JSON.stringify(
					call.operation === 'tag:GetResources'
						? { ResourceTagMappingList: [], PaginationToken: 'again' }
						: { clusters: [], nextToken: `again-${call.sequence}` },
				),
			};
		default:
			return null;
	}
}
