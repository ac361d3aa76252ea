// Everything that a measure needs, up and running: the upstreams, the peers, the simulated AWS in which both upstreams are
// endpoints of EKS clusters, discoveryd that finds them and kubeproxyd that serves them. Opened and closed by bench.mjs.
import { cpSync, mkdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { connect } from 'node:tls';
import { kubectlPath } from '../clients/kubectl.mjs';
import { until } from '../clients/run.mjs';
import { admin, binary, Discoveryd } from '../scenarios/daemons.mjs';
import { initialise, makeCertificate } from '../scenarios/people.mjs';
import { nameOf, OWN, World } from '../scenarios/world.mjs';
import { makePki } from '../sim/kube/pki.mjs';
import { LISTS, listOf, ROLE } from './filter.mjs';
import { haproxyConfig, nginxConfig, upstreamConfig } from './peers.mjs';
import { freePorts, Process, untilListening } from './process.mjs';

// What is asked for: a list of 4 KiB, one of 131 KiB, an exec, a watch. Paths as the API server sees them.
export const SMALL = '/api/v1/namespaces/default/pods';
export const LARGE = '/api/v1/pods';
export const EXEC = '/api/v1/namespaces/default/pods/web/exec?command=cat&stdout=true';
export const WATCH = '/api/v1/namespaces/default/pods?watch=true';
const SIZES = { [SMALL]: 4 * 1024, [LARGE]: 131 * 1024 };

const LIMITS = { connections: 16000, requests_per_user: 20000, requests_per_cluster: 20000 };

const STATIC = { account: OWN, region: 'eu-west-1', name: 'bench', tags: { env: 'prod' } };
const TUNNELLED = { account: OWN, region: 'eu-west-1', name: 'tunnelled', tags: { env: 'prod' } };
const WATCHED = { account: OWN, region: 'eu-west-1', name: 'watched', tags: { env: 'prod' } };

// Terminals of alice are recorded; nothing else depends on it.
const RECORDED = `kind: role
version: v8
metadata: {name: recorded}
spec:
  options: {record_session: {k8s: best_effort}}
---
kind: role_binding
version: v1
metadata: {name: recorded}
spec: {roles: [recorded], users: [alice]}
`;

// A PodList of exactly so many bytes.
function podList(size) {
	const frame = (filler) =>
		JSON.stringify({ kind: 'PodList', apiVersion: 'v1', metadata: { resourceVersion: '1', filler }, items: [] });
	return frame('x'.repeat(size - frame('').length));
}

// The protocol that a TLS server chooses when both are offered.
function askProtocol(port, person) {
	return new Promise((resolve, reject) => {
		const [cert, key] = [person.certificate, person.key].map((file) => readFileSync(file));
		const options = { host: '127.0.0.1', port, cert, key, rejectUnauthorized: false, ALPNProtocols: ['h2', 'http/1.1'] };
		const socket = connect(options, () => {
			resolve(socket.alpnProtocol);
			socket.destroy();
		});
		socket.once('error', reject);
	});
}

export class Stage {
	constructor() {
		this.world = new World();
		this.log = this.path('load.log');
		this.processes = [];
		this.siblings = []; // instances of kubeproxyd beside the first
	}

	path(...names) {
		return this.world.path(...names);
	}

	start(name, command, options) {
		const running = new Process(command, { log: this.path(`${name}.log`), ...options });
		this.processes.push(running);
		return running;
	}

	// One that takes all of the subject's core that it gets, until it is stopped.
	spin() {
		return this.start('neighbour', ['sh', '-c', 'while :; do :; done'], { isSubject: true });
	}

	async open() {
		await this.world.open([]);
		await this.makeFiles();
		await this.startUpstreams();
		await this.discover();
		const [both, toH1, watchBoth, watchToH1, tunnel, nginx, watchNginx, kubectl] = await freePorts(8);
		this.writePeers({ both, toH1, watchBoth, watchToH1, tunnel, nginx, watchNginx, kubectl });
		this.subjects = {
			kubeproxyd: { restart: () => this.startKubeproxyd() },
			audited: { restart: () => this.startKubeproxyd('audited', 'audited.yaml') },
			unrestricted: { restart: () => this.startKubeproxyd('unrestricted', 'unrestricted.yaml') },
			haproxy: { restart: () => this.startPeer('haproxy', ['haproxy', '-db', '-f', this.path('haproxy.cfg')], both) },
			nginx: {
				restart: () => this.startPeer('nginx', ['nginx', '-p', this.path(), '-c', this.path('nginx.conf')], nginx),
			},
			kubectl: { restart: () => this.startPeer('kubectl', this.kubectlCommand(kubectl), kubectl) },
		};
		for (const name of Object.keys(this.subjects)) await this.restart(name);
		this.isH2 = (await askProtocol(this.subjects.kubeproxyd.port, this.person)) === 'h2';
	}

	async makeFiles() {
		await initialise(this.world);
		const alice = await makeCertificate(this.world, 'alice', ['engineering']);
		this.person = { certificate: this.path('alice.pem'), key: this.path('alice-key.pem') };
		writeFileSync(this.person.certificate, alice.certificate);
		writeFileSync(this.person.key, alice.key, { mode: 0o600 });
		const fred = await makeCertificate(this.world, 'fred');
		this.restricted = { certificate: this.path('fred.pem'), key: this.path('fred-key.pem') };
		writeFileSync(this.restricted.certificate, fred.certificate);
		writeFileSync(this.restricted.key, fred.key, { mode: 0o600 });
		writeFileSync(this.path('roles.d', 'filtered.yaml'), ROLE);
		writeFileSync(this.path('roles.d', 'recorded.yaml'), RECORDED);
		this.pki = makePki('bench');
		this.upstreamTls = { certificate: this.path('upstream.pem'), key: this.path('upstream-key.pem') };
		writeFileSync(this.upstreamTls.certificate, this.pki.cert);
		writeFileSync(this.upstreamTls.key, this.pki.key, { mode: 0o600 });
		writeFileSync(this.path('upstream-ca.pem'), this.pki.ca);
		mkdirSync(this.path('bodies'));
		this.files = {};
		for (const [path, size] of Object.entries(SIZES)) {
			this.files[path] = this.path('bodies', `${size}.json`);
			writeFileSync(this.files[path], podList(size));
		}
		this.types = {};
		for (const [path, list] of Object.entries(LISTS)) {
			this.files[path] = this.path('bodies', `pods-${Object.keys(this.files).length}`);
			this.types[path] = list.type;
			writeFileSync(this.files[path], listOf(list));
		}
	}

	async startUpstreams() {
		[this.staticPort, this.watchPort, this.tunnelPort] = await freePorts(3);
		const { certificate, key } = this.upstreamTls;
		const config = upstreamConfig(this.path(), { port: this.staticPort, certificate, key, files: this.files, types: this.types });
		writeFileSync(this.path('upstream.conf'), config);
		const nginx = this.start('upstream', ['nginx', '-p', this.path(), '-c', this.path('upstream.conf')]);
		await untilListening(nginx, this.staticPort);
		this.watchUpstream = await this.startScript('watch-upstream', this.watchPort);
		await this.startScript('tunnel-upstream', this.tunnelPort);
	}

	async startScript(name, port) {
		const { certificate, key } = this.upstreamTls;
		const script = new URL(`${name}.mjs`, import.meta.url).pathname;
		const running = this.start(name, [process.execPath, script, String(port), certificate, key], { isAsked: true });
		await untilListening(running, port);
		return running;
	}

	// "beat 1": an event a millisecond; "quiet".
	tellWatches(line) {
		this.watchUpstream.child.stdin.write(`${line}\n`);
	}

	async discover() {
		const { world } = this;
		world.config.discovery_service.poll_interval = '1h';
		world.config.eksgate.log.level = 'info';
		// The bars are for the access line alone; one user asks for everything here.
		const audit = world.config.eksgate.proxy.audit;
		world.config.eksgate.proxy.audit = { destination: 'off' };
		world.config.eksgate.proxy.limits = { ...world.config.eksgate.proxy.limits, ...LIMITS };
		world.writeConfig();
		this.writeAudited(audit);
		this.writeUnrestricted();
		const certificateAuthority = Buffer.from(this.pki.ca).toString('base64');
		for (const [cluster, port] of [
			[STATIC, this.staticPort],
			[WATCHED, this.watchPort],
			[TUNNELLED, this.tunnelPort],
		]) {
			const endpoint = `https://127.0.0.1:${port}`;
			await world.putCluster(cluster, { tags: cluster.tags, endpoint, certificateAuthority });
			await world.grant(cluster);
		}
		const discoveryd = await new Discoveryd(world).ready();
		await discoveryd.untilNames([STATIC, WATCHED, TUNNELLED].map(nameOf));
	}

	// The configuration of the instance that audits: every request at level Metadata, to a file.
	writeAudited(audit) {
		const config = structuredClone(this.world.config);
		config.eksgate.proxy.audit = { ...audit, destination: 'file' };
		writeFileSync(this.path('audited.yaml'), JSON.stringify(config));
	}

	// That of the instance whose roles restrict nobody.
	writeUnrestricted() {
		const config = structuredClone(this.world.config);
		config.eksgate.proxy.roles_dir = this.path('unrestricted.d');
		cpSync(this.path('roles.d'), this.path('unrestricted.d'), { recursive: true });
		rmSync(this.path('unrestricted.d', 'filtered.yaml'));
		writeFileSync(this.path('unrestricted.yaml'), JSON.stringify(config));
	}

	writePeers(ports) {
		const proxy = this.world.config.eksgate.proxy;
		const tls = {
			certificate: proxy.tls.certificate,
			key: proxy.tls.key,
			clientCa: proxy.client_ca,
			upstreamCa: this.path('upstream-ca.pem'),
			bundle: this.path('bundle.pem'),
		};
		writeFileSync(tls.bundle, readFileSync(tls.certificate, 'utf8') + readFileSync(tls.key, 'utf8'), { mode: 0o600 });
		const haproxy = haproxyConfig(
			[
				{ port: ports.both, upstream: this.staticPort, alpn: 'h2' },
				{ port: ports.toH1, upstream: this.staticPort, alpn: 'http/1.1' },
				{ port: ports.watchBoth, upstream: this.watchPort, alpn: 'h2' },
				{ port: ports.watchToH1, upstream: this.watchPort, alpn: 'http/1.1' },
				{ port: ports.tunnel, upstream: this.tunnelPort, alpn: 'http/1.1' },
			],
			tls,
		);
		const nginx = nginxConfig(
			this.path(),
			[
				{ port: ports.nginx, upstream: this.staticPort },
				{ port: ports.watchNginx, upstream: this.watchPort },
			],
			tls,
		);
		writeFileSync(this.path('haproxy.cfg'), haproxy);
		writeFileSync(this.path('nginx.conf'), nginx);
		this.ports = ports;
	}

	async startPeer(name, command, port) {
		const running = this.start(name, command, { isSubject: true });
		await untilListening(running, port);
		return { running };
	}

	// With a kubeconfig for the API server as it stands; Go gets the one core that it is pinned to.
	kubectlCommand(port) {
		const config = this.path('peer.kubeconfig');
		const cluster = {
			server: `https://127.0.0.1:${this.staticPort}`,
			'certificate-authority': this.path('upstream-ca.pem'),
			'tls-server-name': 'kubernetes',
		};
		writeFileSync(
			config,
			JSON.stringify({
				apiVersion: 'v1',
				kind: 'Config',
				'current-context': 'bench',
				clusters: [{ name: 'bench', cluster }],
				contexts: [{ name: 'bench', context: { cluster: 'bench', user: 'bench' } }],
				users: [{ name: 'bench', user: { token: 'bench' } }],
			}),
		);
		return [kubectlPath(), '--kubeconfig', config, 'proxy', '--port', String(port)];
	}

	// So many instances of kubeproxyd on one port, the first with its past.
	async runInstances(count) {
		for (const { running } of this.siblings.splice(count - 1)) await running.stop();
		while (this.siblings.length < count - 1) {
			this.world.config.kubernetes_service.listen_addr = `127.0.0.1:${this.subjects.kubeproxyd.port}`;
			this.world.writeConfig();
			this.siblings.push(await this.startKubeproxyd(`sibling-${this.siblings.length + 1}`));
		}
	}

	// Its log, access lines among it, goes to a file.
	async startKubeproxyd(instance = 'main', config = 'eksgate.yaml') {
		const { world } = this;
		const words = [binary('kubeproxyd'), 'run', '--instance', instance, '--config', this.path(config)];
		const env = world.environment(world.proxyUser);
		const running = this.start(`kubeproxyd-${instance}`, words, { isSubject: true, env });
		const findPort = running.finder(/event=listening [^\n]*address=127\.0\.0\.1:(\d+)/);
		const port = await until('kubeproxyd listens', () => {
			running.mustLive();
			return findPort()?.[1];
		});
		const wanted = [STATIC, WATCHED, TUNNELLED].map(nameOf).sort().join();
		await until('kubeproxyd serves both clusters', async () => {
			running.mustLive();
			const { clusters } = await admin(this.path('run', `${instance}.sock`), '/v1/clusters');
			return clusters.map((cluster) => cluster.name).sort().join() === wanted;
		});
		return { running, port: Number(port) };
	}

	// A process without a past, for measures of memory.
	async restart(name) {
		const subject = this.subjects[name];
		await subject.running?.stop();
		Object.assign(subject, await subject.restart());
	}

	// Who competes when clients speak `protocol` ("h1", "h2"): [{label, name, target(path)}]. `isWatch`: at the watches' upstream.
	contenders(protocol, { isWatch = false } = {}) {
		const isH2 = protocol === 'h2';
		const at = (port, prefix = '') => (path) => ({ port, path: prefix + path, isH2 });
		const { both, toH1, nginx, watchBoth, watchToH1, watchNginx } = this.ports;
		const prefix = `/clusters/${nameOf(isWatch ? WATCHED : STATIC)}`;
		const ours = {
			label: 'kubeproxyd',
			name: 'kubeproxyd',
			target: (path) => at(this.subjects.kubeproxyd.port, prefix)(path),
			isMissing: isH2 && !this.isH2,
		};
		const h2Back = { label: `haproxy ${protocol}->h2`, name: 'haproxy', target: at(isWatch ? watchBoth : both) };
		const h1Back = { label: `haproxy ${protocol}->h1`, name: 'haproxy', target: at(isWatch ? watchToH1 : toH1) };
		const ofNginx = { label: `nginx ${protocol}->h1`, name: 'nginx', target: at(isWatch ? watchNginx : nginx) };
		return [ours, ...(isH2 ? [h2Back] : []), h1Back, ofNginx];
	}

	// kubeproxyd with its audit log on, as a contender of HTTP/2 requests for the static API server.
	audited() {
		const target = (path) => ({ port: this.subjects.audited.port, path: `/clusters/${nameOf(STATIC)}${path}`, isH2: true });
		return { label: 'with audit', name: 'audited', target, isMissing: !this.isH2 };
	}

	// As contenders() has kubeproxyd, where no role restricts anybody.
	unrestricted(protocol) {
		const target = (path) => ({ port: this.subjects.unrestricted.port, path: `/clusters/${nameOf(STATIC)}${path}`, isH2: protocol === 'h2' });
		return { label: 'nobody restricted', name: 'unrestricted', target, isMissing: protocol === 'h2' && !this.isH2 };
	}

	// kubectl proxy, as a contender of requests for the static API server.
	kubectlProxy() {
		const target = (path) => ({ port: this.ports.kubectl, path, isPlain: true });
		return { label: 'kubectl proxy', name: 'kubectl', target };
	}

	// Who competes for the tunnels.
	tunnelContenders() {
		const at = (port, prefix) => (path) => ({ port, path: prefix + path });
		const ours = at(this.subjects.kubeproxyd.port, `/clusters/${nameOf(TUNNELLED)}`);
		return [
			{ label: 'kubeproxyd', name: 'kubeproxyd', target: ours },
			{ label: 'haproxy h1->h1', name: 'haproxy', target: at(this.ports.tunnel, '') },
		];
	}

	// No proxy in between.
	direct(protocol) {
		const target = (path) => ({ port: this.watchPort, path, isH2: protocol === 'h2' });
		return { label: 'direct', target };
	}

	process(name) {
		return this.subjects[name].running;
	}

	// User and system time so far, in seconds; of kubeproxyd, of all its instances.
	cpu(name) {
		const siblings = name === 'kubeproxyd' ? this.siblings : [];
		return [this.subjects[name], ...siblings].reduce((sum, { running }) => sum + running.cpu(), 0);
	}

	// Before each run. Left alone, logs of a bench become gigabytes, in memory that nothing was in before, and a virtual machine
	// pays the first use of each page there, in CPU time of whoever writes: up to a fifth of a request's.
	emptyLogs() {
		for (const { running } of [...Object.values(this.subjects), ...this.siblings]) running.emptyLog();
		truncateSync(this.path('audit', 'audited.jsonl'));
	}

	async close() {
		for (const running of this.processes) await running.stop();
		for (const daemon of this.world.daemons) await daemon.kill('SIGKILL');
		await this.world.close();
	}
}
