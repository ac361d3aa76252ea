// The processes of the bench: started with their output in a file, pinned to a core, their CPU time and memory read from
// /proc. What is measured has a core of its own; load, upstreams and the bench itself share the other.
import { execFileSync, spawn } from 'node:child_process';
import { openSync, closeSync, readdirSync, readFileSync, readSync, statSync, truncateSync } from 'node:fs';
import { createServer } from 'node:net';
import { availableParallelism } from 'node:os';
import { until } from '../clients/run.mjs';

const SUBJECT_CORE = 0;
const OTHER_CORE = 1;
const cores = availableParallelism();
const hasCores = cores > 1;
// Beside the subject's core and the other one, which load and upstreams fill.
export const hasRoom = cores >= 4;
const ticksPerSecond = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));

// Nothing that was started here outlives us, however we end.
const living = new Set();
process.on('exit', () => living.forEach((child) => child.kill('SIGKILL')));
for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => process.exit(1));

// This process, and with it whatever it starts from now on, leaves the subject's core alone.
export function stepAside() {
	if (hasCores) execFileSync('taskset', ['-a', '-c', '-p', String(OTHER_CORE), String(process.pid)], { stdio: 'ignore' });
}

// Of a log that grows by a line for each request, at a time; a line is shorter than the second.
const TEXT_MAX = 1 << 20;
const LINE_MAX = 1 << 14;

function textOf(path, from) {
	const file = openSync(path, 'r');
	try {
		const bytes = Buffer.alloc(TEXT_MAX);
		return bytes.toString('utf8', 0, readSync(file, bytes, 0, TEXT_MAX, from));
	} finally {
		closeSync(file);
	}
}

export class Process {
	// `log`: the file that standard error, and standard output unless it is a pipe, are added to.
	constructor(command, { log, isSubject = false, isAsked = false, env = process.env, cwd }) {
		const pinned = isSubject && hasCores ? ['taskset', '-c', String(SUBJECT_CORE), ...command] : command;
		const file = openSync(log, 'a');
		this.name = command[0].split('/').at(-1);
		this.log = log;
		this.begin = statSync(log).size;
		this.child = spawn(pinned[0], pinned.slice(1), {
			env,
			cwd,
			stdio: [isAsked ? 'pipe' : 'ignore', isAsked ? 'pipe' : file, file],
		});
		closeSync(file);
		living.add(this.child);
		this.child.stdin?.on('error', () => {});
		this.ended = new Promise((resolve) => {
			this.child.once('error', resolve);
			this.child.once('exit', resolve);
		}).then(() => {
			this.isEnded = true;
			living.delete(this.child);
		});
	}

	get pid() {
		return this.child.pid;
	}

	// What it said first.
	logText() {
		return textOf(this.log, this.begin);
	}

	// To be called until it returns a match: `pattern` in one line of what it says, looked for from its beginning on.
	finder(pattern) {
		let from = this.begin;
		return () => {
			for (;;) {
				const match = pattern.exec(textOf(this.log, from));
				if (match || statSync(this.log).size <= from + TEXT_MAX) return match;
				from += TEXT_MAX - LINE_MAX;
			}
		};
	}

	lastWords() {
		return textOf(this.log, Math.max(this.begin, statSync(this.log).size - TEXT_MAX)).trim().split('\n').slice(-5).join('\n');
	}

	// It is written at its end, wherever that is.
	emptyLog() {
		truncateSync(this.log);
		this.begin = 0;
	}

	// Why nothing good can come of it any more.
	mustLive() {
		if (this.isEnded) throw new Error(`${this.name} ended: ${this.lastWords()}`);
	}

	// User and system time so far, in seconds.
	cpu() {
		this.mustLive();
		const stat = readFileSync(`/proc/${this.pid}/stat`, 'utf8');
		const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
		return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
	}

	get threads() {
		this.mustLive();
		return readdirSync(`/proc/${this.pid}/task`).map(Number);
	}

	// Time on a core so far, in seconds: of the thread that it began with, and of all the others.
	cpuOfThreads() {
		const times = { main: 0, others: 0 };
		for (const thread of this.threads) {
			const [ns] = readFileSync(`/proc/${this.pid}/task/${thread}/schedstat`, 'utf8').split(' ');
			times[thread === this.pid ? 'main' : 'others'] += Number(ns) / 1e9;
		}
		return times;
	}

	// Its first thread keeps the subject's core; those that it has besides run where there is room.
	freeThreads() {
		if (!hasCores) return;
		for (const thread of this.threads.filter((other) => other !== this.pid))
			execFileSync('taskset', ['-c', '-p', `0-${cores - 1}`, String(thread)], { stdio: 'ignore' });
	}

	// Resident memory in KiB.
	rss() {
		this.mustLive();
		return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${this.pid}/status`, 'utf8'))[1]);
	}

	async stop() {
		if (!this.isEnded) this.child.kill('SIGKILL');
		await this.ended;
	}
}

// Ports that nobody listens on now.
export async function freePorts(count) {
	const servers = [];
	for (let i = 0; i < count; i++) {
		const server = createServer().listen(0, '127.0.0.1');
		await new Promise((resolve) => {
			server.once('listening', resolve);
		});
		servers.push(server);
	}
	const ports = servers.map((server) => server.address().port);
	await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
	return ports;
}

// Until `running` listens on `port`; asks the kernel, since a connection of ours would be one more to serve.
export function untilListening(running, port) {
	const address = `0100007F:${port.toString(16).toUpperCase().padStart(4, '0')} 00000000:0000 0A`;
	return until(`${running.name} listens`, () => {
		running.mustLive();
		return readFileSync('/proc/net/tcp', 'utf8').includes(address);
	});
}
