// The people who use the proxy: certificates made by `kubeproxyd init` and `cert`, kubectl and curl as they run them, and
// bare TLS connections for what no client would send.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { connect as connectH2 } from 'node:http2';
import { request } from 'node:https';
import { connect } from 'node:tls';
import { kubectlPath } from '../clients/kubectl.mjs';
import { run, Running, PATIENCE, WAIT_MAX_MS } from '../clients/run.mjs';
import { command } from './daemons.mjs';
import { writeKubeconfig } from './tools.mjs';

// The server's certificate and the client CA, once per world.
export async function initialise(world) {
	if (world.isInitialised) return;
	const result = await command(world, 'kubeproxyd', ['init'], world.proxyUser);
	assert.equal(result.code, 0, `kubeproxyd init: ${result.stderr}`);
	world.isInitialised = true;
}

// {certificate, key}: PEM texts. `groups` choose roles; `cluster`: the only one that it is for.
export async function makeCertificate(world, name, groups = [], ttl = '1h', cluster = undefined) {
	await initialise(world);
	const args = ['cert', name, ...groups.flatMap((group) => ['--group', group]), '--ttl', ttl, '--out', '-'];
	if (cluster !== undefined) args.push('--cluster', cluster);
	const result = await command(world, 'kubeproxyd', args, world.proxyUser);
	assert.equal(result.code, 0, `kubeproxyd cert: ${result.stderr}`);
	const pick = (kind) => new RegExp(`-----BEGIN ${kind}-----[^]*?-----END ${kind}-----\n`).exec(result.stdout)?.[0];
	return { name, certificate: pick('CERTIFICATE'), key: pick('(?:EC )?PRIVATE KEY') };
}

// OpenSSL's form of a time.
function opensslTime(ms) {
	return new Date(ms).toISOString().replace(/[-:T]|\.\d{3}/g, '');
}

// A certificate that `kubeproxyd cert` would not make: {seconds (from now to its end), ca: {cert, key}, extensions}.
export function forgeCertificate(
	world,
	subject,
	{ seconds = 3600, ca, extensions = 'extendedKeyUsage=clientAuth' } = {},
) {
	const at = (name) => world.path('tls', `forged-${name}`);
	const openssl = (...args) => execFileSync('openssl', args, { stdio: ['ignore', 'ignore', 'pipe'] });
	const { client_ca: cert, client_ca_key: key } = world.config.eksgate.proxy;
	const signer = ca ?? { cert, key };
	writeFileSync(at('index'), '');
	writeFileSync(
		at('config'),
		`[ca]\ndefault_ca=one\n[one]\ndatabase=${at('index')}\nnew_certs_dir=${world.path('tls')}\nrand_serial=yes\n` +
			`default_md=sha256\npolicy=any\nx509_extensions=ext\n[any]\nO=optional\nCN=supplied\n[ext]\n${extensions}\n`,
	);
	const ec = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
	openssl('req', ...ec, '-keyout', at('key'), '-out', at('csr'), '-subj', subject);
	const times = [
		'-startdate',
		opensslTime(Date.now() - 86400000),
		'-enddate',
		opensslTime(Date.now() + seconds * 1000),
	];
	const signing = ['-cert', signer.cert, '-keyfile', signer.key, '-in', at('csr'), '-out', at('pem')];
	openssl('ca', '-batch', '-notext', '-preserveDN', '-config', at('config'), ...times, ...signing);
	return { name: subject, certificate: readFileSync(at('pem'), 'utf8'), key: readFileSync(at('key'), 'utf8') };
}

// Someone with files, at `proxy`.
export class Person {
	constructor(world, proxy, credentials) {
		Object.assign(this, credentials, { world, proxy });
		this.ca = readFileSync(world.config.eksgate.proxy.tls.certificate, 'utf8');
		const file = credentials.name.replace(/[^A-Za-z0-9]/g, '_');
		this.files = {
			cert: world.path(`${file}.pem`),
			key: world.path(`${file}-key.pem`),
		};
		writeFileSync(this.files.cert, this.certificate);
		writeFileSync(this.files.key, this.key, { mode: 0o600 });
	}

	arguments(cluster, words) {
		return ['--kubeconfig', writeKubeconfig(this, cluster), '--cache-dir', this.world.path('kubectl-cache'), ...words];
	}

	kubectl(cluster, words, options) {
		return run(kubectlPath(), this.arguments(cluster, words), options);
	}

	// kubectl that is expected to work: its output.
	async kubectlOk(cluster, words, options) {
		const result = await this.kubectl(cluster, words, options);
		assert.equal(result.code, 0, `kubectl ${words.join(' ')}: ${result.stderr}`);
		return result.stdout;
	}

	startKubectl(cluster, words, options) {
		return new Running(kubectlPath(), this.arguments(cluster, words), options);
	}

	curl(path, args = []) {
		return run('curl', [
			'-sS',
			'--http1.1',
			'--max-time',
			'20',
			'--cacert',
			this.world.config.eksgate.proxy.tls.certificate,
			'--cert',
			this.files.cert,
			'--key',
			this.files.key,
			'-o',
			'-',
			'-w',
			'\n%{http_code}',
			...args,
			`https://127.0.0.1:${this.proxy.port}${path}`,
		]);
	}

	// {status, headers, text, json}. A connection of its own unless `agent` says otherwise.
	request(path, { method = 'GET', headers = {}, body, agent } = {}) {
		return new Promise((resolve, reject) => {
			const call = request(
				{
					host: '127.0.0.1',
					port: this.proxy.port,
					path,
					method,
					headers,
					ca: this.ca,
					cert: this.certificate,
					key: this.key,
					agent: agent ?? false,
					ALPNProtocols: ['http/1.1'],
				},
				(response) => {
					let text = '';
					response.setEncoding('utf8').on('data', (part) => {
						text += part;
					});
					response.on('error', reject);
					response.on('end', () =>
						resolve({ status: response.statusCode, headers: response.headers, text, json: parse(text) }),
					);
				},
			);
			call.on('error', reject);
			call.setTimeout(WAIT_MAX_MS, () => call.destroy(new Error(`${method} ${path}: no answer in time`)));
			call.end(body);
		});
	}

	// One HTTP/2 connection; close() or destroy() it.
	h2(options = {}) {
		const session = connectH2(`https://127.0.0.1:${this.proxy.port}`, {
			ca: this.ca,
			cert: this.certificate,
			key: this.key,
			...options,
		});
		session.on('error', () => {});
		return session;
	}

	// A stream of it, which reads nothing by itself; rejects what is not answered by a head.
	open(session, path, { method = 'GET', headers = {}, body } = {}) {
		return new Promise((resolve, reject) => {
			const stream = session.request({ ':method': method, ':path': path, ...headers }, { endStream: !body });
			if (body) stream.end(body);
			stream.on('response', (head) => resolve(Object.assign(stream, { status: head[':status'], head })));
			stream.on('error', reject);
			stream.on('close', () => reject(new Error(`${method} ${path}: closed with ${stream.rstCode}`)));
		});
	}

	// {status, headers, text, json}; rejects an answer that is cut.
	async ask(session, path, options) {
		const stream = await this.open(session, path, options);
		let text = '';
		stream.setEncoding('utf8').on('data', (part) => {
			text += part;
		});
		const code = await ended(stream);
		if (code !== 0) throw new Error(`${path}: cut with ${code} after ${text.length} characters`);
		return { status: stream.status, headers: stream.head, text, json: parse(text) };
	}

	// A bare HTTP/1.1 connection.
	connect() {
		return connect({
			host: '127.0.0.1',
			port: this.proxy.port,
			ca: this.ca,
			cert: this.certificate,
			key: this.key,
			ALPNProtocols: ['http/1.1'],
		});
	}

	// What comes back for raw bytes, until the server closes or falls silent (`silenceMs` after its last byte);
	// {text, status, isClosed}.
	raw(bytes, { answerMs = 5000 * PATIENCE, silenceMs = 300 * PATIENCE } = {}) {
		return new Promise((resolve, reject) => {
			const socket = this.connect();
			let text = '';
			const finish = (isClosed) => {
				socket.destroy();
				resolve({ text, status: Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1] ?? 0), isClosed });
			};
			socket.setTimeout(answerMs, () => finish(false));
			socket.setEncoding('latin1');
			socket.on('secureConnect', () => socket.write(bytes));
			socket.on('data', (part) => {
				text += part;
				socket.setTimeout(silenceMs);
			});
			socket.on('end', () => finish(true));
			socket.on('error', (error) => (text === '' && error.code !== 'ECONNRESET' ? reject(error) : finish(true)));
		});
	}
}

// The code that a stream was closed with: 0 after a clean end.
export function ended(stream) {
	return new Promise((resolve) => {
		let hasEnd = false;
		stream.on('end', () => {
			hasEnd = true;
		});
		const finish = () => resolve(hasEnd && stream.rstCode === 0 ? 0 : stream.rstCode || 'a lost connection');
		if (stream.closed && stream.destroyed) finish();
		else stream.on('close', finish);
	});
}

function parse(text) {
	try {
		return JSON.parse(text);
	} catch {
		return null;
	}
}

// Someone whom `groups` make a developer ("engineering") or whom the name makes a viewer ("victor").
export async function person(world, proxy, name, groups = []) {
	return new Person(world, proxy, await makeCertificate(world, name, groups));
}
