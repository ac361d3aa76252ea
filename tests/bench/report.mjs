// The figures of the bench: medians over rounds, ratios within the round, the bars that are to be met; a table for people and
// rows for build/bench.json. Called by bench.mjs.

const OURS = ['kubeproxyd', 'with audit', 'filtered', 'others restricted', 'recorded', 'recorded, added', 'discoveryd'];

// At most `ratio` of the peer's value, or at most `value`.
const BARS = {
	'cpu-h1-4k': [{ peer: 'nginx h1->h1', ratio: 0.85 }],
	'cpu-h2-4k': [
		{ peer: 'haproxy h2->h2', ratio: 0.75 },
		{ peer: 'kubectl proxy', ratio: 0.143 },
	],
	'cpu-h2-4k-saturated': [{ peer: 'haproxy h2->h2', ratio: 0.75 }],
	'cpu-h2-131k': [
		{ peer: 'haproxy h2->h2', ratio: 0.65 },
		{ peer: 'nginx h2->h1', ratio: 0.9 },
	],
	'filter-h1-131kib': [{ peer: 'passed through', ratio: 3 }],
	'filter-h2-131kib': [{ peer: 'passed through', ratio: 3 }],
	'filter-h1-10mib': [{ peer: 'passed through', ratio: 3 }],
	'filter-h2-10mib': [{ peer: 'passed through', ratio: 3 }],
	'filter-h1-10mib-protobuf': [{ peer: 'passed through', ratio: 3 }],
	'filter-h2-10mib-protobuf': [{ peer: 'passed through', ratio: 3 }],
	'unrestricted-h1': [{ peer: 'nobody restricted', ratio: 1.05 }],
	'unrestricted-h2': [{ peer: 'nobody restricted', ratio: 1.05 }],
	'decide-first-rule': [{ value: 1000 }],
	'decide-last-rule': [{ value: 1000 }],
	'decide-glob': [{ value: 1000 }],
	'decide-by-all-roles': [{ value: 1000 }],
	handshake: [{ peer: 'nginx h1->h1', ratio: 1.2 }],
	// Of a whole run, not of each request: a pool that grows once more is no cost of a request.
	'allocations-h1-4k': [{ value: 0.01 }],
	'allocations-h2-4k': [{ value: 0.01 }],
	'allocations-h2-131k': [{ value: 0.01 }],
	instances: [{ peer: 'one instance', ratio: 1.1 }],
	tunnel: [{ peer: 'haproxy h1->h1', ratio: 1 }],
	'recording-plain-loop': [{ peer: 'not recorded', ratio: 1.05 }],
	'recording-listing-loop': [{ peer: 'not recorded', ratio: 1.05 }],
	'recording-plain-time': [{ peer: 'not recorded', ratio: 1.05 }],
	'recording-listing-time': [{ peer: 'not recorded', ratio: 1.05 }],
	'recording-paced-20-time': [{ peer: 'not recorded', ratio: 1.05 }],
	'recording-paced-100-time': [{ peer: 'not recorded', ratio: 1.05 }],
	'recording-paced-terminal-time': [{ peer: 'not recorded', ratio: 1.05 }],
	'recording-echo-p50': [{ value: 100 }],
	'recording-echo-p99': [{ value: 1000 }],
	'crowd-p99': [{ peer: 'all read', ratio: 1.25 }],
	'crowd-rss': [{ value: 1024 }],
	'event-p99-h1': [{ value: 1000 }],
	'event-p99-h2': [{ value: 1000 }],
	'rss-watch-h1': [{ value: 20 }],
	'rss-watch-h2': [{ value: 3 }],
	'discovery-first-seconds': [{ value: 15 }],
	'discovery-first-peak': [{ value: 100 }],
	'discovery-quiet-calls': [{ value: 2 }],
	'discovery-quiet-describes': [{ value: 0 }],
	'discovery-quiet-cpu': [{ value: 3 }],
	'discovery-change': [{ value: 50 }],
	'discovery-proxy-seconds': [{ value: 1 }],
};

const isNumber = (value) => typeof value === 'number' && Number.isFinite(value);

export function median(values) {
	const sorted = values.filter(isNumber).sort((a, b) => a - b);
	const middle = sorted.length / 2;
	if (sorted.length === 0) return null;
	return sorted.length % 2 ? sorted[Math.floor(middle)] : (sorted[middle - 1] + sorted[middle]) / 2;
}

// The median of the rounds' ratios; null when there is none that means something.
function ratioTo(values, peers) {
	return median(values.map((value, round) => (value > 0 && peers[round] > 0 ? value / peers[round] : null)));
}

function judge(id, label, value, ratios) {
	if (!OURS.includes(label) || value === null) return [];
	return (BARS[id] ?? []).map((bar) => ({
		...bar,
		isMet: bar.peer ? isNumber(ratios[bar.peer]) && ratios[bar.peer] <= bar.ratio : value <= bar.value,
	}));
}

// A measure's rows: {measure, title, subject, value, unit, ratios: {peer: ratio}, note?, bars?}.
// `areParts`: the subjects are parts of one whole, no peers.
export function rowsOf({ id, title, unit, values, areParts = false }) {
	return Object.entries(values).map(([label, list]) => {
		const row = { measure: id, title, subject: label, value: null, unit, ratios: {} };
		if (!Array.isArray(list)) return { ...row, note: list };
		const peers = Object.entries(values).filter(([peer, of]) => !areParts && peer !== label && Array.isArray(of));
		row.value = median(list);
		if (OURS.includes(label)) row.ratios = Object.fromEntries(peers.map(([peer, of]) => [peer, ratioTo(list, of)]));
		row.rounds = list.filter(isNumber);
		const error = list.find((value) => value instanceof Error);
		if (error) row.note = `failed: ${error.message}`;
		const bars = judge(id, label, row.value, row.ratios);
		return bars.length > 0 ? { ...row, bars } : row;
	});
}

// --- the table -------------------------------------------------------------------------------------------------------

function figure(value) {
	if (value === null) return '-';
	return Math.abs(value) < 10 ? value.toFixed(2) : value.toFixed(1);
}

function describeBar({ peer, ratio, value, isMet }, unit) {
	const bar = peer ? `${ratio} of ${peer}` : `${value} ${unit}`;
	return `bar ${bar}: ${isMet ? 'met' : 'not met'}`;
}

function lineOf(row) {
	const ratios = Object.entries(row.ratios)
		.filter(([, ratio]) => ratio !== null)
		.map(([peer, ratio]) => `${ratio.toFixed(2)} of ${peer}`);
	const bars = (row.bars ?? []).map((bar) => describeBar(bar, row.unit));
	const value = row.value === null ? '' : `${figure(row.value).padStart(9)} ${row.unit.padEnd(4)}`;
	return `  ${row.subject.padEnd(16)}${value}  ${[...ratios, ...bars, row.note].filter(Boolean).join('; ')}`.trimEnd();
}

export function tableOf(rows) {
	const lines = [];
	rows.forEach((row, i) => {
		if (row.measure !== rows[i - 1]?.measure) lines.push('', row.title);
		lines.push(lineOf(row));
	});
	return lines.join('\n');
}
