// What is measured, and how. Each measure lets its contenders take turns (A B C A B C), so that what disturbs the machine
// disturbs all of them; a value that a round did not give is an Error in its place. Results: {id, title, unit, values:
// {label: [a value a round] | "not yet"}}. Called by bench.mjs.
import { execFileSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { binary } from '../scenarios/daemons.mjs';
import { allocations, instances } from './costs.mjs';
import { crowd } from './crowd.mjs';
import { filter, unrestricted } from './filter.mjs';
import { recording } from './recording.mjs';
import { median } from './report.mjs';
import { LARGE, SMALL, WATCH } from './stage.mjs';
import { tunnel } from './tunnel.mjs';
import { cpuRun, pick, takeTurns, toTheClient, WARM_SECONDS } from './turns.mjs';

const DECIDE = binary('bench/decide');
// Longer than kubeproxyd takes to give back what a burst left behind.
const SETTLE_MS = 3500;
const BEAT_MS = 1;
const EVENTS_MIN = 100;
const H1 = { connections: 32 };
const H2 = { connections: 16, streams: 8 };

// More rounds of what is short: of small requests, what disturbs a shared machine is as large as their distance from the bars.
function often(options) {
	return { ...options, rounds: 3 * options.rounds };
}

// `others`: contenders besides those that speak `protocol`, whose pace nobody else is held to.
async function cpu(stage, options, { id, title, protocol, contenders = stage.contenders(protocol), path, shape, others = [] }) {
	const values = await takeTurns([...contenders, ...others], options.rounds, (contender) =>
		cpuRun(stage, contender, path, contender.shape ?? shape, options.seconds),
	);
	const rates = pick(values, 'rate');
	for (const { label } of others) delete rates[label];
	return { rates, result: { id, title, unit: 'us', values: pick(values, 'us') } };
}

// Half of what the slowest of them bears, so that all get the same load.
function halfOfSaturation(rates) {
	const medians = Object.values(rates).map((list) => (Array.isArray(list) ? median(list) : null));
	return Math.floor(Math.min(...medians.filter((value) => value !== null)) / 2);
}

// What a request costs depends on how many come at a time, and a proxy at its limit gets more of them at a time than one that
// its load cannot fill: here all get the same.
async function atSameRate(stage, options, { protocol, shape, rates }) {
	const rate = halfOfSaturation(rates);
	const contenders = [...stage.contenders(protocol), ...(protocol === 'h2' ? [stage.audited()] : [])];
	const values = await takeTurns(contenders, options.rounds, (contender) =>
		cpuRun(stage, contender, SMALL, shape, options.seconds, rate),
	);
	const words = `${protocol}, 4 KiB, ${rate}/s (half of what the slowest bears)`;
	const row = (id, title, field) => ({ id: `${id}-${protocol}`, title, unit: 'us', values: pick(values, field) });
	return [
		row('cpu-half', `CPU a request, ${words}`, 'us'),
		...['p50', 'p99'].map((name) => row(`latency-${name}`, `time to answer, ${words}, ${name}`, `${name}_us`)),
	];
}

async function requests(stage, options) {
	const results = [];
	for (const [protocol, shape, words] of [
		['h1', H1, '32 connections'],
		['h2', H2, '16 connections x 8 streams'],
	]) {
		const small = { id: `cpu-${protocol}-4k`, title: `CPU a request, ${protocol}, 4 KiB, ${words}`, path: SMALL };
		const large = { id: `cpu-${protocol}-131k`, title: `CPU a request, ${protocol}, 131 KiB, ${words}`, path: LARGE };
		// It speaks HTTP/1 without TLS to its clients, HTTP/2 to the API server.
		const others = protocol === 'h2' ? [stage.audited(), { ...stage.kubectlProxy(), shape: H1 }] : [];
		const { rates, result } = await cpu(stage, often(options), { ...small, protocol, shape, others });
		results.push(result);
		results.push((await cpu(stage, options, { ...large, protocol, shape })).result);
		results.push(...(await atSameRate(stage, options, { protocol, shape, rates })));
	}
	return results;
}

// The same where the proxy is what limits: it shares its core with one that never rests, so requests pile up in front of it and
// are served many at a time, as on a machine that is full. What a request costs then is what a machine bears.
async function saturated(stage, options) {
	const peers = stage.contenders('h2').filter(({ label }) => ['kubeproxyd', 'haproxy h2->h2'].includes(label));
	const neighbour = stage.spin();
	try {
		const { result } = await cpu(stage, often(options), {
			id: 'cpu-h2-4k-saturated',
			title: 'CPU a request, h2, 4 KiB, 16 connections x 8 streams, while the proxy has half a core and limits the load',
			contenders: [...peers, stage.audited()],
			path: SMALL,
			shape: H2,
		});
		return [result];
	} finally {
		await neighbour.stop();
	}
}

// Whole connections: TCP, full TLS 1.3 handshake with a client certificate, one request of 4 KiB, close.
async function handshakes(stage, options) {
	const { result } = await cpu(stage, options, {
		id: 'handshake',
		title: 'CPU a connection: full handshake with client certificate, one request',
		protocol: 'h1',
		path: SMALL,
		shape: { connections: 4, isHandshake: true },
	});
	return [result];
}

// --- watches ---------------------------------------------------------------------------------------------------------

async function eventAges(stage, contender, shape, seconds) {
	return toTheClient(stage, contender, WATCH, { ...shape, isHold: true }, async (load) => {
		stage.tellWatches(`beat ${BEAT_MS}`);
		try {
			await load.run(WARM_SECONDS);
			const result = await load.run(seconds);
			if (result.events < EVENTS_MIN * seconds) throw new Error(`only ${result.events} events came`);
			return result;
		} finally {
			stage.tellWatches('quiet');
		}
	});
}

// What a proxy adds to the age of an event: its round's value less the direct one.
function added(values, field) {
	const picked = pick(values, field);
	const { direct, ...others } = picked;
	const less = (value, round) => (value instanceof Error || direct[round] instanceof Error ? value : value - direct[round]);
	return Object.fromEntries(
		Object.entries(others).map(([label, list]) => [label, Array.isArray(list) ? list.map(less) : list]),
	);
}

async function events(stage, options) {
	const results = [];
	for (const [protocol, shape] of [
		['h1', { connections: 20 }],
		['h2', { connections: 2, streams: 10 }],
	]) {
		const subjects = stage.contenders(protocol, { isWatch: true });
		const filtered = { ...subjects[0], label: 'filtered', person: stage.restricted };
		const contenders = [stage.direct(protocol), ...subjects, filtered];
		const values = await takeTurns(contenders, options.rounds, (contender) =>
			eventAges(stage, contender, shape, options.seconds),
		);
		for (const name of ['p50', 'p99'])
			results.push({
				id: `event-${name}-${protocol}`,
				title: `time added to a watch event, ${protocol} clients, ${name}`,
				unit: 'us',
				values: added(values, `${name}_us`),
			});
	}
	return results;
}

async function memoryOfWatches(stage, contender, shape) {
	await stage.restart(contender.name);
	const subject = stage.process(contender.name);
	const one = { connections: 1, streams: 1, isHold: true };
	await toTheClient(stage, contender, WATCH, one, () => sleep(SETTLE_MS));
	const before = subject.rss();
	return toTheClient(stage, contender, WATCH, { ...shape, isHold: true }, async () => {
		await sleep(SETTLE_MS);
		return (subject.rss() - before) / (shape.connections * (shape.streams ?? 1));
	});
}

// Once each: memory does not vary as time does, and each value costs thousands of handshakes.
async function memory(stage, { watches }) {
	const results = [];
	for (const [protocol, shape, words] of [
		['h1', { connections: watches }, `${watches} h1 clients`],
		['h2', { connections: watches / 100, streams: 100 }, `100 on each of ${watches / 100} h2 connections`],
	])
		results.push({
			id: `rss-watch-${protocol}`,
			title: `resident memory an idle watch, ${words}`,
			unit: 'KiB',
			values: await takeTurns(stage.contenders(protocol, { isWatch: true }), 1, (contender) =>
				memoryOfWatches(stage, contender, shape),
			),
		});
	return results;
}

// The policy alone, without a proxy around it: tests/bench/decide.c.
async function decisions(stage, { rounds }) {
	const taken = [];
	for (let round = 0; round < rounds; round++) taken.push(execFileSync(DECIDE, { encoding: 'utf8' }));
	const nameOf = (line) => line.split(' ')[0];
	return taken[0].trim().split('\n').map(nameOf).map((name) => ({
		id: `decide-${name}`,
		title: `a decision, 100 rules in 10 roles, ${name.replaceAll('-', ' ')}`,
		unit: 'ns',
		values: { kubeproxyd: taken.map((text) => Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(text)[1])) },
	}));
}

// In this order: what restarts a subject comes last.
export const MEASURES = { decisions, requests, saturated, filter, unrestricted, allocations, instances, handshakes, tunnel, recording, events, crowd, memory };
