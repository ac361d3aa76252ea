// The load (load.c) as the measures use it: connected once, then asked for one run after another.
import { createInterface } from 'node:readline';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Process } from './process.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
const program = resolve(root, process.env.EKSGATE_BUILD ?? 'build/release', 'bench/load');
const READY_MAX_MS = 60000;
const GRACE_MS = 15000;

// The answer to one line, or an error when the process ends or the time is over.
function nextLine(load, maxMs) {
	return new Promise((resolvePromise, reject) => {
		const timer = setTimeout(() => reject(new Error(`the load said nothing for ${maxMs / 1000} s`)), maxMs);
		load.onLine = (line) => {
			clearTimeout(timer);
			resolvePromise(JSON.parse(line));
		};
		load.process.ended.then(() => {
			clearTimeout(timer);
			reject(new Error(load.process.lastWords().split('\n').at(-1)));
		});
	});
}

class Load {
	constructor(running) {
		this.process = running;
		createInterface({ input: running.child.stdout }).on('line', (line) => this.onLine(line));
	}

	// {done, failed, events, bytes, seconds, p50_us, p99_us, max_us}; requests that fail make the run worthless.
	async run(seconds, rate = 0) {
		const answer = nextLine(this, seconds * 1000 + GRACE_MS);
		this.process.child.stdin.write(`run ${seconds} ${rate}\n`);
		const result = await answer;
		if (result.failed > 0) throw new Error(`${result.failed} of ${result.done + result.failed} requests failed`);
		return result;
	}

	close() {
		return this.process.stop();
	}
}

// `target`: {port, path, isH2, isPlain}; `person`: {certificate, key} files; `shape`: {connections, streams, isHandshake, isHold}.
export async function startLoad(target, person, shape, log) {
	const words = [program, '--port', target.port, '--path', target.path, '--host', `127.0.0.1:${target.port}`];
	words.push('--certificate', person.certificate, '--key', person.key);
	words.push('--connections', shape.connections, '--streams', shape.streams ?? 1);
	if (target.isH2) words.push('--h2');
	if (target.isPlain) words.push('--plain');
	if (shape.isHandshake) words.push('--handshake');
	if (shape.isHold) words.push('--hold');
	const load = new Load(new Process(words.map(String), { log, isAsked: true }));
	try {
		await nextLine(load, READY_MAX_MS);
	} catch (error) {
		await load.close();
		throw error;
	}
	return load;
}

// `use` gets a load that is ended afterwards.
export async function withLoad(target, person, shape, log, use) {
	const load = await startLoad(target, person, shape, log);
	try {
		return await use(load);
	} finally {
		await load.close();
	}
}
