// The company of the bench of discovery: its AWS, and the daemons that look at it. Opened and closed by measures.mjs.
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { until } from '../../clients/run.mjs';
import { admin, binary } from '../../scenarios/daemons.mjs';
import { Process } from '../process.mjs';

const SIMULATOR = fileURLToPath(new URL('aws.mjs', import.meta.url));

// The simulator as a process of its own: ask("stats") -> its answer.
export class Aws {
	constructor(options) {
		const words = Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]);
		this.child = spawn(process.execPath, [SIMULATOR, ...words], { stdio: ['pipe', 'pipe', 'inherit'] });
		this.waiting = [];
		createInterface({ input: this.child.stdout }).on('line', (line) => this.waiting.shift()?.(JSON.parse(line)));
		this.child.stdin.on('error', () => {});
		this.answer = () => new Promise((resolve) => this.waiting.push(resolve));
	}

	async open() {
		Object.assign(this, await this.answer());
	}

	ask(...words) {
		this.child.stdin.write(`${words.join(' ')}\n`);
		return this.answer();
	}

	close() {
		this.child.kill('SIGKILL');
	}
}

const uid = [String(process.getuid())];

export class Company {
	constructor(size) {
		this.size = size;
		this.directory = mkdtempSync(join(tmpdir(), 'eksgate-company-'));
		this.aws = new Aws({ clusters: size.clusters, accounts: size.accounts, regions: size.regions, delay: size.delay });
		this.processes = [];
	}

	path(...names) {
		return join(this.directory, ...names);
	}

	get scopes() {
		return this.size.accounts * this.size.regions;
	}

	async open() {
		await this.aws.open();
		for (const name of ['state', 'bus', 'admin', 'roles.d', 'cache', 'run']) mkdirSync(this.path(name), { mode: 0o700 });
		writeFileSync(this.path('eksgate.yaml'), JSON.stringify(this.makeConfig(), null, 1));
	}

	makeConfig() {
		return {
			version: 'v3',
			discovery_service: {
				enabled: true,
				discovery_group: 'company',
				poll_interval: '1h',
				aws: this.aws.accounts.map((account) => ({
					types: ['eks'],
					regions: ['*'],
					tags: { env: 'prod' },
					assume_role_arn: `arn:aws:iam::${account}:role/eksgate-discover`,
				})),
			},
			kubernetes_service: { enabled: true, listen_addr: '127.0.0.1:0', resources: [{ labels: { '*': '*' } }] },
			eksgate: {
				log: { level: 'info' },
				state_dir: this.path('state'),
				bus: { socket: this.path('bus', 'bus.sock'), proxy_users: uid, tap_users: uid },
				discovery: { admin_socket: this.path('admin', 'admin.sock'), describe_age: '1h' },
				proxy: {
					tls: { certificate: this.path('server.pem'), key: this.path('server-key.pem') },
					client_ca: this.path('client-ca.pem'),
					client_ca_key: this.path('client-ca-key.pem'),
					roles_dir: this.path('roles.d'),
					cache_dir: this.path('cache'),
					run_dir: this.path('run'),
				},
				test: { endpoint_suffix: '127.0.0.1' },
			},
		};
	}

	environment() {
		return {
			PATH: process.env.PATH,
			HOME: this.directory,
			AWS_ENDPOINT_URL: this.aws.endpoint,
			AWS_ACCESS_KEY_ID: this.aws.key,
			AWS_SECRET_ACCESS_KEY: this.aws.secret,
			AWS_REGION: 'us-east-1',
			AWS_EC2_METADATA_DISABLED: 'true',
		};
	}

	// A daemon of ours, or a command of one; its output goes to a file.
	start(name, words, options = {}) {
		const command = [binary(name), ...words, '--config', this.path('eksgate.yaml')];
		const running = new Process(command, { log: this.path(`${words[0]}-${name}.log`), env: this.environment(), ...options });
		this.processes.push(running);
		return running;
	}

	call(path) {
		return admin(this.path('admin', 'admin.sock'), path);
	}

	// Until the daemon's log says so.
	untilLog(running, pattern, timeoutMs = 120000) {
		const find = running.finder(pattern);
		return until(
			`${running.name}: ${pattern}`,
			() => {
				running.mustLive();
				return find();
			},
			{ timeoutMs, everyMs: 5 },
		);
	}

	async close() {
		for (const running of this.processes) await running.stop();
		this.aws.close();
		rmSync(this.directory, { recursive: true, force: true });
	}
}
