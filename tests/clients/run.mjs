// Programs as tests use them: run to the end, or kept running with their output at hand.
import { spawn } from 'node:child_process';

// How much longer everything may take: daemons under valgrind are slow.
export const PATIENCE = Number(process.env.EKSGATE_PATIENCE ?? 1);
const RUN_MAX_MS = 60000 * PATIENCE;
export const WAIT_MAX_MS = 20000 * PATIENCE;

// {code, signal, stdout, stderr}. `input` is written to standard input, which is closed otherwise.
export function run(program, args, { env = process.env, input, cwd, timeoutMs = RUN_MAX_MS } = {}) {
	return new Promise((resolve, reject) => {
		const child = spawn(program, args, {
			env,
			cwd,
			stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
		});
		const output = { stdout: '', stderr: '' };
		for (const name of ['stdout', 'stderr'])
			child[name].setEncoding('utf8').on('data', (text) => {
				output[name] += text;
			});
		const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs);
		child.once('error', reject);
		child.once('close', (code, signal) => {
			clearTimeout(timer);
			resolve({ code, signal, ...output });
		});
		if (input !== undefined) {
			child.stdin.on('error', () => {});
			child.stdin.end(input);
		}
	});
}

// A running program whose lines can be waited for. `stream`: "stdout" or "stderr".
export class Running {
	// `descriptors` become 3, 4 and so on; `shell` is what a shell does in the program's process before it.
	constructor(program, args, { env = process.env, cwd, stdin = 'ignore', descriptors = [], shell } = {}) {
		this.name = program.split('/').at(-1);
		const [file, words] = shell ? ['sh', ['-c', `${shell}; exec "$0" "$@"`, program, ...args]] : [program, args];
		this.child = spawn(file, words, { env, cwd, stdio: [stdin, 'pipe', 'pipe', ...descriptors] });
		this.stdout = '';
		this.stderr = '';
		this.waiters = new Set();
		for (const stream of ['stdout', 'stderr']) {
			this.child[stream].setEncoding('utf8').on('data', (text) => {
				this[stream] += text;
				this.wake();
			});
		}
		this.ended = new Promise((resolve) => {
			this.child.once('close', (code, signal) => {
				this.code = code;
				this.signal = signal;
				this.isEnded = true;
				this.wake();
				resolve({ code, signal });
			});
		});
		this.child.once('error', (error) => {
			this.stderr += `${error.message}\n`;
		});
	}

	get pid() {
		return this.child.pid;
	}

	lastWords() {
		return this.stderr.trim().split('\n').slice(-3).join('\n');
	}

	wake() {
		for (const waiter of this.waiters) waiter();
	}

	// The match of `pattern` in what was written from `from` on; rejects when the program ends or the time is over.
	waitFor(pattern, { stream = 'stderr', from = 0, timeoutMs = WAIT_MAX_MS } = {}) {
		return new Promise((resolve, reject) => {
			const finish = (settle, value) => {
				clearTimeout(timer);
				this.waiters.delete(look);
				settle(value);
			};
			const look = () => {
				const match = pattern.exec(this[stream].slice(from));
				if (match) finish(resolve, match);
				else if (this.isEnded)
					finish(
						reject,
						new Error(`${this.name} ended with ${this.code ?? this.signal} before ${pattern} came: ${this.lastWords()}`),
					);
			};
			const timer = setTimeout(
				() => finish(reject, new Error(`${this.name}: ${pattern} did not come in ${timeoutMs} ms: ${this.lastWords()}`)),
				timeoutMs,
			);
			this.waiters.add(look);
			look();
		});
	}

	kill(signal = 'SIGTERM') {
		if (!this.isEnded) this.child.kill(signal);
		return this.ended;
	}
}

// Polls `check` until it gives something true, which is returned; the error at the end carries the last reason.
export async function until(what, check, { timeoutMs = WAIT_MAX_MS, everyMs = 50 } = {}) {
	const deadline = Date.now() + timeoutMs;
	let last;
	for (;;) {
		try {
			const value = await check();
			if (value) return value;
			last = `last: ${JSON.stringify(value)}`;
		} catch (error) {
			last = error.message;
		}
		if (Date.now() > deadline) throw new Error(`${what}: not within ${timeoutMs} ms (${last})`);
		await new Promise((resolve) => {
			setTimeout(resolve, everyMs);
		});
	}
}
