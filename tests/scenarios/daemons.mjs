// The real binaries as scenarios run them: started with the world's configuration, asked over their admin sockets, ended by
// SIGTERM with status 0 and without a word from the sanitizers.
import assert from 'node:assert/strict';
import { request } from 'node:http';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run, Running, until, WAIT_MAX_MS } from '../clients/run.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
const build = resolve(root, process.env.EKSGATE_BUILD ?? 'build/release');
// What daemons run under: "valgrind -q --error-exitcode=99", for example. They have a directory of their own.
const wrapper = (process.env.EKSGATE_WRAP ?? '').split(' ').filter(Boolean).map((word) => word.replace('=tests/', `=${root}tests/`));
const SANITIZER = /ERROR: (Address|Leak|UndefinedBehavior)Sanitizer|runtime error:/;

// Nothing that was started here outlives us, however we end.
const living = new Set();
process.on('exit', () => living.forEach((child) => child.kill('SIGKILL')));

export const binary = (name) => resolve(build, name);

// GET over an admin socket: the document.
export function admin(socketPath, path, method = 'GET') {
	return new Promise((resolvePromise, reject) => {
		const call = request({ socketPath, path, method, headers: { host: 'localhost' } }, (response) => {
			let text = '';
			response.setEncoding('utf8').on('data', (part) => {
				text += part;
			});
			response.on('end', () => {
				if (response.statusCode >= 300) reject(new Error(`${method} ${path}: ${response.statusCode} ${text}`));
				else resolvePromise(/json/.test(response.headers['content-type']) ? JSON.parse(text) : text);
			});
		});
		call.on('error', reject);
		call.end();
	});
}

class Daemon extends Running {
	// `wrap`: a program and its arguments that end in exec of what follows.
	constructor(world, name, args, user, { wrap = [], ...options } = {}) {
		const [program, ...words] = [...wrap, ...wrapper, binary(name), ...args, '--config', world.path('eksgate.yaml')];
		super(program, words, {
			env: world.environment(user),
			cwd: world.directory,
			...options,
		});
		this.name = name;
		this.world = world;
		world.daemons.push(this);
		living.add(this.child);
		this.ended.then(() => living.delete(this.child));
	}

	ready() {
		return this.waitFor(/room=main event=ready/).then(() => this);
	}

	// A line of the log from `from` on: log("sweep", "settled", /scope=…/).
	log(room, event, rest = /.*/, options = {}) {
		return this.waitFor(new RegExp(`room=${room} event=${event}[^\\n]*?${rest.source}`), options);
	}

	reload() {
		const from = this.stderr.length;
		this.child.kill('SIGHUP');
		return from;
	}

	checkSanitizers() {
		assert.doesNotMatch(this.stderr, SANITIZER, `${this.name} has a sanitizer report`);
	}

	async stop() {
		assert.ok(!this.isEnded, `${this.name} ended by itself with ${this.code ?? this.signal}`);
		const timer = setTimeout(() => this.child.kill('SIGKILL'), WAIT_MAX_MS);
		const { code, signal } = await this.kill('SIGTERM');
		clearTimeout(timer);
		this.checkSanitizers();
		assert.deepEqual([code, signal], [0, null], `${this.name} ends with status 0 on SIGTERM`);
		this.isDone = true;
	}

	// It ends by itself, with this status.
	async endsWith(status) {
		const { code, signal } = await this.ended;
		this.checkSanitizers();
		assert.deepEqual([code, signal], [status, null], `${this.name} ends with status ${status}: ${this.stderr}`);
		this.isDone = true;
	}

	// Without warning, as by the kernel.
	async murder() {
		await this.kill('SIGKILL');
		this.checkSanitizers();
		this.isDone = true;
	}
}

export class Discoveryd extends Daemon {
	constructor(world, options) {
		super(world, 'discoveryd', ['run'], world.discoveryUser, options);
	}

	call(path, method) {
		return admin(this.world.config.eksgate.discovery.admin_socket, path, method);
	}

	status() {
		return this.call('/v1/status');
	}

	clusters() {
		return this.call('/v1/clusters');
	}

	inventory() {
		return this.call('/v1/inventory');
	}

	async names() {
		return (await this.clusters()).map((cluster) => cluster.metadata.name).sort();
	}

	// Until the registry holds exactly these.
	untilNames(names, options) {
		const wanted = JSON.stringify([...names].sort());
		return until(
			`discoveryd has ${wanted}`,
			async () => {
				const got = JSON.stringify(await this.names());
				if (got !== wanted) throw new Error(`it has ${got}`);
				return true;
			},
			options,
		);
	}

	// Until a sweep that began after this call went over every scope.
	async untilSwept() {
		const before = await this.status();
		const settledAt = (status) => status.scopes.map((scope) => scope.last_attempt ?? scope.last_success);
		return until('a sweep of every scope', async () => {
			const now = await this.status();
			return settledAt(now).every(
				(time, i) => time !== undefined && time !== null && time !== settledAt(before)[i],
			)
				? now
				: null;
		});
	}
}

export class Kubeproxyd extends Daemon {
	// `options` as for Running: {shell, descriptors}.
	constructor(world, instance = 'main', options = {}) {
		super(world, 'kubeproxyd', ['run', '--instance', instance], world.proxyUser, options);
		this.instance = instance;
	}

	async ready() {
		await super.ready();
		this.port = Number((await this.log('listener', 'listening', /address=127\.0\.0\.1:(\d+)/))[1]);
		return this;
	}

	call(path, method) {
		return admin(this.world.path('run', `${this.instance}.sock`), path, method);
	}

	status() {
		return this.call('/v1/status');
	}

	async names() {
		return (await this.call('/v1/clusters')).clusters.map((cluster) => cluster.name).sort();
	}

	untilServed(names, options) {
		const wanted = JSON.stringify([...names].sort());
		return until(
			`kubeproxyd ${this.instance} serves ${wanted}`,
			async () => {
				const got = JSON.stringify(await this.names());
				if (got !== wanted) throw new Error(`it serves ${got}`);
				return true;
			},
			options,
		);
	}

	untilState(state, options) {
		return until(
			`the directory of ${this.instance} is ${state}`,
			async () => {
				const { directory } = await this.status();
				if (directory.state !== state) throw new Error(`it is ${directory.state}`);
				return directory;
			},
			options,
		);
	}
}

export class Bustap extends Daemon {
	constructor(world, args = []) {
		super(world, 'bustap', args, world.discoveryUser);
	}

	messages() {
		return this.stdout
			.split('\n')
			.filter(Boolean)
			.map((line) => JSON.parse(line));
	}
}

// A subcommand: {code, stdout, stderr}.
export function command(world, name, args, user = world.discoveryUser) {
	return run(binary(name), [...args, '--config', world.path('eksgate.yaml')], {
		env: world.environment(user),
		cwd: world.directory,
	});
}
