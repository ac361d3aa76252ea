// What it costs a session that it is recorded. At the rate of a busy terminal, at five times that, and at the most that a
// terminal of this machine can say (terminal.py): the time of that, which must be what it is unrecorded; and, at the first, while
// somebody types in another session, how long each key takes until it is seen. At the full speed of the proxy, which no terminal
// has: 64 MiB of plain output and of coloured listings, the CPU of the proxy's loop and of all threads, the time.
// Where what runs: the loop on the subject's core; client and API server on the other, which they fill at full speed; the thread
// that writes on any. Of two cores none is left for it then: what it needs is taken from the loop, the client and the server, and
// the time says how much the machine has, too. Its title says so; its bar is the same.
// Each recording is on the disk before anything else begins: a disk that lags behind slows whatever comes next. Called by
// bench.mjs.
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { until } from '../clients/run.mjs';
import { hasRoom } from './process.mjs';
import { EXEC } from './stage.mjs';
import { drain, openTunnel } from './tunnel.mjs';
import { pick, takeTurns } from './turns.mjs';

const MIB = 1024 * 1024;
// What else the machine does shows in each round, in both halves of a pair alike.
const PAIRS = 4; // a round
const RATES_MIB = [20, 100]; // a second, for about a second
const TERMINAL = fileURLToPath(new URL('terminal.py', import.meta.url));
const KEY = Buffer.from([0x82, 0x82, 0, 0, 0, 0, 0, 0x78]); // a frame: "x" on the channel of standard input
const ECHO_BYTES = 4;

// One that has a terminal is recorded, one without is not.
function contenders(stage) {
	const [ours] = stage.tunnelContenders();
	return [
		{ ...ours, label: 'not recorded', query: '' },
		{ ...ours, label: 'recorded', query: '&tty=true' },
	];
}

// MiB a second.
function terminalsRate() {
	return Number(execFileSync('python3', [TERMINAL], { encoding: 'utf8' }));
}

// Until what was recorded is kept; it is of no use any more.
async function settle(stage) {
	const directory = stage.path('recordings');
	const names = await until('recordings are kept', () => {
		const all = readdirSync(directory);
		return all.every((name) => name.endsWith('.cast')) && all;
	});
	for (const name of names) rmSync(`${directory}/${name}`);
}

// The time until its output has come, and the CPU until all of it is on the disk.
async function used(stage, name, work) {
	const subject = stage.process(name);
	const [before, begun] = [subject.cpuOfThreads(), performance.now()];
	const result = await work();
	const took = (performance.now() - begun) / 1000;
	await settle(stage);
	const after = subject.cpuOfThreads();
	const loop = after.main - before.main;
	return { loop, cpu: loop + after.others - before.others, took, ...result };
}

function atFullSpeed(stage, rounds, wanted, kind) {
	return takeTurns(contenders(stage), rounds, ({ name, target, query }) =>
		used(stage, name, () => drain(stage, target(`${EXEC}${query}${kind}&bytes=${wanted}`), wanted)),
	);
}

// Until `isOver`: a key, and the next one a millisecond after it is seen. Microseconds of each, sorted.
async function type(stage, target, isOver) {
	const { socket } = await openTunnel(stage, target);
	const closed = once(socket, 'close').then(() => Promise.reject(new Error('the tunnel of the keys ended')));
	closed.catch(() => {});
	const ages = [];
	while (!isOver()) {
		const begun = performance.now();
		socket.write(KEY);
		for (let got = 0; got < ECHO_BYTES; )
			got += (await Promise.race([once(socket, 'data'), closed]))[0].length;
		ages.push((performance.now() - begun) * 1000);
		await new Promise((resolve) => setTimeout(resolve, 1));
	}
	socket.destroy();
	return ages.sort((a, b) => a - b);
}

function atRate(stage, rounds, rate) {
	const wanted = rate * MIB;
	return takeTurns(contenders(stage), rounds, ({ name, target, query }) =>
		used(stage, name, async () => {
			let isOver = false;
			const typing = type(stage, target(`${EXEC}${query}&stdin=true&echo`), () => isOver);
			typing.catch(() => {});
			try {
				await drain(stage, target(`${EXEC}${query}&listing&rate=${rate}&bytes=${wanted}`), wanted);
			} finally {
				isOver = true;
			}
			const ages = await typing;
			return { p50: ages[Math.floor(ages.length / 2)], p99: ages[Math.floor(ages.length * 0.99)] };
		}),
	);
}

// What being recorded adds, round by round.
function added(values, field) {
	const { 'not recorded': without, recorded } = pick(values, field);
	const less = (value, round) => (value instanceof Error || without[round] instanceof Error ? value : value - without[round]);
	return { 'not recorded': without, 'recorded, added': recorded.map(less) };
}

export async function recording(stage, { tunnelMb, rounds }) {
	const wanted = Math.ceil(tunnelMb / 16) * MIB;
	await atFullSpeed(stage, 1, MIB, '');
	stage.process('kubeproxyd').freeThreads();
	const results = [];
	const add = (id, title, unit, values) => results.push({ id: `recording-${id}`, title, unit, values });
	for (const [kind, words] of [
		['plain', 'output'],
		['listing', 'coloured listings'],
	]) {
		const values = await atFullSpeed(stage, PAIRS * rounds, wanted, kind === 'listing' ? '&listing' : '');
		const title = `an exec of ${wanted / MIB} MiB of ${words}, at full speed`;
		add(`${kind}-loop`, `CPU of the loop for ${title}`, 's', pick(values, 'loop'));
		const where = hasRoom ? '' : ', where no core is left for the thread that writes';
		add(`${kind}-time`, `time of ${title}${where}`, 's', pick(values, 'took'));
		add(`${kind}-cpu`, `CPU of all threads for ${title}`, 's', pick(values, 'cpu'));
	}
	const paced = [];
	const most = terminalsRate();
	const rates = [
		...RATES_MIB.map((rate) => ({ id: rate, rate, words: `${rate} MiB/s` })),
		{ id: 'terminal', rate: most, words: `${most} MiB/s, the most that a terminal says here` },
	];
	for (const { id, rate, words } of rates) {
		const values = await atRate(stage, rounds, rate);
		paced.push(values);
		const title = `${rate} MiB of coloured listings at ${words}, while keys are typed in another exec`;
		add(`paced-${id}-time`, `time of ${title}`, 's', pick(values, 'took'));
		add(`paced-${id}-cpu`, `CPU of all threads for ${title}`, 's', pick(values, 'cpu'));
	}
	for (const name of ['p50', 'p99'])
		results.push({
			id: `recording-echo-${name}`,
			title: `time of a key until it is seen, at ${RATES_MIB[0]} MiB/s, ${name}`,
			unit: 'us',
			values: added(paced[0], name),
			areParts: true,
		});
	return results;
}
