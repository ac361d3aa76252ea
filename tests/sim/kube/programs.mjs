// What runs in a simulated container: a few real programs in a directory of the pod's own, so that input, both outputs,
// exit codes and files are real; everything else is "not found", as in a small image.
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';

const PROGRAMS = [
	'sh',
	'echo',
	'cat',
	'true',
	'false',
	'sleep',
	'wc',
	'head',
	'tar',
	'printf',
	'seq',
	'test',
	'sha256sum',
];
// Their arguments that name absolute paths mean paths inside the pod.
const FILE_PROGRAMS = ['tar', 'test', 'cat', 'head', 'wc', 'sha256sum'];

// The files of all pods in this process.
export class PodFiles {
	constructor() {
		this.directory = mkdtempSync(join(tmpdir(), 'eksgate-pods-'));
		this.remove = () => rmSync(this.directory, { recursive: true, force: true });
		process.on('exit', this.remove);
	}

	// The root directory of a pod, with a /tmp.
	rootOf(namespace, name) {
		const root = join(this.directory, namespace, name);
		mkdirSync(join(root, 'tmp'), { recursive: true });
		return root;
	}

	close() {
		process.off('exit', this.remove);
		this.remove();
	}
}

function intoPod(program, args) {
	if (!FILE_PROGRAMS.includes(program)) return args;
	return args.map((arg) => (arg.startsWith('/') ? arg.replace(/^\/+/, '') || '.' : arg));
}

// A running program: {stdin (null without), stdout, stderr, onEnd(fn(code)), kill()}; null when there is none of that name.
export function startProgram([program, ...args], { root, wantsStdin }) {
	if (!PROGRAMS.includes(program)) return null;
	const child = spawn(program, intoPod(program, args), {
		cwd: root,
		stdio: [wantsStdin ? 'pipe' : 'ignore', 'pipe', 'pipe'],
		env: { PATH: process.env.PATH },
	});
	child.stdin?.on('error', () => {});
	return {
		stdin: child.stdin,
		stdout: child.stdout,
		stderr: child.stderr,
		onEnd: (fn) => child.on('close', (code, signal) => fn(code ?? 128 + (signal === 'SIGKILL' ? 9 : 15))),
		kill: () => child.kill(),
	};
}

// The program that a pod was started with, as `attach` sees it: it repeats what is typed, and what it says is in the logs.
export function attachMain(logs, key) {
	const stdin = new PassThrough();
	const stdout = new PassThrough();
	const stderr = new PassThrough();
	let onEnd = () => {};
	const leave = logs.follow(key, (line) => {
		if (line !== null) {
			stdout.write(`${line}\n`);
			return;
		}
		stdout.end();
		stderr.end();
		onEnd(0);
	});
	let typed = '';
	stdin.setEncoding('utf8').on('data', (text) => {
		const lines = (typed + text).split('\n');
		typed = lines.pop();
		for (const line of lines) logs.append(key, line);
	});
	return {
		stdin,
		stdout,
		stderr,
		onEnd: (fn) => {
			onEnd = fn;
		},
		kill: leave,
	};
}
