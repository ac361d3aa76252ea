// `make demo`: a tour of eksgate without an AWS account. The AWS and API-server simulators, the real daemons and a real
// kubectl, each step shown as the command that a person would type and what came back. It begins with clusters in which
// eksgate has nothing, neither an access entry nor RBAC objects. Stays in the foreground until Ctrl-C;
// with --once it exits 0 after the tour, or 1 at the first thing that is not as it should be.
import assert from 'node:assert/strict';
import { kubectlPath } from '../clients/kubectl.mjs';
import { run, Running, until } from '../clients/run.mjs';
import { binary, Bustap, Discoveryd, Kubeproxyd } from '../scenarios/daemons.mjs';
import { assertNobodyIsAdmin, setUpAccess, setUpServing, untilAccess } from '../scenarios/access.mjs';
import { CLUSTERS, idOf, MATCHED, nameOf, OTHER, OWN, World } from '../scenarios/world.mjs';

// Access entries do not exist for it: a person has to do it.
const LEGACY = { account: OWN, region: 'eu-west-1', name: 'legacy', tags: { env: 'prod' } };
const SERVED = [...MATCHED, nameOf(LEGACY)];
const REACHED = CLUSTERS.filter((cluster) => MATCHED.includes(nameOf(cluster)));

const isOnce = process.argv.includes('--once');
const bold = (text) => (process.stdout.isTTY ? `\x1b[1m${text}\x1b[0m` : text);
const dim = (text) => (process.stdout.isTTY ? `\x1b[2m${text}\x1b[0m` : text);
const say = (text) => process.stdout.write(`${text}\n`);
const title = (text) => say(`\n${bold(`== ${text}`)}`);

const world = new World();
const short = (text) => text.replaceAll(world.directory, '$DEMO').replaceAll(`${binary('')}/`, '');

function show(text, limit = 14) {
	const lines = text.trimEnd().split('\n');
	for (const line of lines.slice(0, limit)) say(`   ${line.length > 150 ? `${line.slice(0, 147)}...` : line}`);
	if (lines.length > limit) say(dim(`   ... ${lines.length - limit} more lines`));
}

// Types a command, shows its output, insists on `pattern` in it.
async function type(program, args, { env, input, code = 0, pattern = /./, hidden = [], limit } = {}) {
	const shown = args.filter((word) => !hidden.includes(word));
	say(`\n ${bold('$')} ${short([program, ...shown].join(' '))}${input ? dim(`   # standard input: ${JSON.stringify(input)}`) : ''}`);
	const path = program === 'kubectl' ? kubectlPath() : binary(program);
	const result = await run(path, args, { env: { ...process.env, ...env }, input });
	show(result.stdout + result.stderr, limit);
	assert.equal(result.code, code, `${program} ended with status ${result.code}, not ${code}`);
	assert.match(result.stdout + result.stderr, pattern);
	return result.stdout;
}

const config = ['--config', world.path('eksgate.yaml')];
const discoveryd = (words, options) =>
	type('discoveryd', [...words, ...config], { env: world.environment(world.discoveryUser), hidden: config, ...options });
const kubeproxyd = (words, options) =>
	type('kubeproxyd', [...words, ...config], { env: world.environment(world.proxyUser), hidden: config, ...options });
const kubeconfig = world.path('alice.kubeconfig');
const kubectl = (context, words, options) => type('kubectl', ['--kubeconfig', kubeconfig, '--context', context, ...words], options);

// A kubectl that keeps running: shows its lines until `pattern` came, then ends it as Ctrl-C would.
async function follow(context, words, pattern, meanwhile) {
	const args = ['--kubeconfig', kubeconfig, '--context', context, ...words];
	say(`\n ${bold('$')} ${short(['kubectl', ...args].join(' '))}`);
	const running = new Running(kubectlPath(), args);
	try {
		if (meanwhile) {
			await running.waitFor(meanwhile.after, { stream: 'stdout' });
			await meanwhile.act();
		}
		await running.waitFor(pattern, { stream: 'stdout' });
	} finally {
		await running.kill('SIGINT');
		show(running.stdout + running.stderr);
	}
}

// No cluster lets anybody of eksgate in.
async function build() {
	await world.open([]);
	for (const cluster of [...CLUSTERS, LEGACY]) {
		const authenticationMode = cluster === LEGACY ? 'CONFIG_MAP' : 'API';
		await world.addCluster(cluster, { seed: false, rbac: false, authenticationMode });
	}
	await setUpAccess(world, { delayMs: 300, settle: '5s' });
	await setUpServing(world);
	world.config.eksgate.proxy.probe_interval = '2s';
	world.writeConfig();
}

async function discover() {
	title('discoveryd: find the clusters');
	say(`   two accounts (${OWN}, and ${OTHER} by a role), three regions; the configuration is $DEMO/eksgate.yaml`);
	await discoveryd(['check'], { pattern: /ok|valid/i });
	await discoveryd(['scan'], { pattern: /prod-1/ });
	const daemon = await new Discoveryd(world).ready();
	await daemon.untilNames(SERVED);
	const tap = new Bustap(world);
	await tap.waitFor(/SNAPSHOT_END/, { stream: 'stdout' });
	await discoveryd(['status'], { pattern: /us-west-2/ });
	await discoveryd(['get', 'kube_cluster'], { pattern: /staging-eks-us-west-2/ });
	return { daemon, tap };
}

async function serve() {
	title('kubeproxyd: serve them');
	await kubeproxyd(['init']);
	const daemon = await new Kubeproxyd(world).ready();
	await daemon.untilServed(SERVED);
	await kubeproxyd(['ls'], { pattern: /prod-1-eks-eu-west-1/ });
	return daemon;
}

async function arrangeAccess(daemons) {
	title('nobody gave eksgate access to them: discoveryd arranges it');
	say(`   an access entry for ${world.serveArn} in each; its own is cluster-admin`);
	say('   for a moment, so that kubeproxyd can create the ClusterRole to which the group of those entries is bound');
	for (const cluster of REACHED) await untilReady(daemons, cluster);
	await discoveryd(['get', 'kube_cluster'], { pattern: /healthy/ });
	await discoveryd(['access', nameOf(REACHED[0]), '--dry-run'], { pattern: /access is set up as rbac/, limit: 30 });
	await assertNobodyIsAdmin(world, [...REACHED, LEGACY]);
	say('   and no entry with an admin policy is left in any cluster');
}

// The temporary entry is gone by then, too.
async function untilReady(daemons, cluster) {
	await untilAccess(daemons.discovery, cluster, /^ready$/, { timeoutMs: 60000 });
	await until(`${cluster.name} has no admin`, async () => {
		await assertNobodyIsAdmin(world, [cluster]);
		return true;
	});
}

async function welcome(daemons) {
	title('a user: alice, of the group engineering');
	await kubeproxyd(['kubeconfig', '--cert-for', 'alice', '--group', 'engineering', '--server', `https://127.0.0.1:${daemons.proxy.port}`,
		'--out', kubeconfig], { pattern: /^/ });
}

async function use() {
	const [prod] = CLUSTERS.map(nameOf);
	title('kubectl through the proxy');
	await kubectl(prod, ['get', 'pods', '--all-namespaces'], { pattern: /web-1/ });
	for (const cluster of REACHED.slice(1)) await kubectl(nameOf(cluster), ['get', 'pods'], { pattern: /web-1/ });
	await follow(prod, ['get', 'pods', '-w'], /web-3/, {
		after: /web-2/,
		act: () => run(kubectlPath(), ['--kubeconfig', kubeconfig, '--context', prod, 'run', 'web-3', '--image=example/app:1']),
	});
	await follow(prod, ['logs', '-f', 'web-1'], /\n.*\n/);
	await kubectl(prod, ['exec', 'web-1', '--', 'echo', 'hello from the pod'], { pattern: /hello from the pod/ });
	await kubectl(prod, ['exec', '-i', 'web-1', '--', 'wc', '-c'], { input: 'twelve bytes', pattern: /12/ });
	await kubectl(prod, ['delete', 'pod', 'web-3'], { pattern: /deleted/ });
	await kubectl(prod, ['get', 'nodes'], { code: 1, pattern: /orbidden/ });
}

async function change(daemons) {
	const dev = CLUSTERS.find((cluster) => cluster.name === 'dev-1');
	title('a cluster is missing: why?');
	await discoveryd(['explain', 'dev-1'], { code: 1, pattern: /env/, limit: 30 });
	title('it is tagged env=prod, appears, and is given access');
	await world.putCluster(dev, { tags: { env: 'prod' } });
	await daemons.proxy.untilServed([...SERVED, nameOf(dev)]);
	await untilReady(daemons, dev);
	await kubeproxyd(['ls'], { pattern: /dev-1/ });
	await kubeproxyd(['kubeconfig', '--cert-for', 'alice', '--group', 'engineering', '--server', `https://127.0.0.1:${daemons.proxy.port}`,
		'--out', kubeconfig], { pattern: /^/ });
	await kubectl(nameOf(dev), ['get', 'pods'], { pattern: /web-1/ });
	title('it is deleted in AWS, and goes');
	await world.kube('DELETE', `/clusters/${idOf(dev)}`);
	await world.deleteCluster(dev);
	await daemons.proxy.untilServed(SERVED);
	await kubectl(nameOf(dev), ['get', 'pods'], { code: 1, pattern: /dev-1/ });
	title('what the bus carried meanwhile (bustap)');
	const deltas = await until('deltas on the bus', () => {
		const isAbout = ({ name }) => name === nameOf(dev);
		const found = daemons.tap
			.messages()
			.filter(({ type, body }) => type === 'DELTA' && body.items.some(isAbout))
			.map((message) => ({ ...message, items: message.body.items.filter(isAbout) }));
		return found.some(({ items }) => !items[0].resource) && found;
	});
	for (const message of deltas) {
		const items = message.items.map((item) => `${item.resource ? 'put' : 'remove'} ${item.name}`).join(', ');
		say(`   ${message.type} epoch=${message.epoch} sequence=${message.sequence}: ${items}`);
	}
}

async function leftToDo() {
	title(`one is left: the authentication mode of ${LEGACY.name} is CONFIG_MAP, which takes no access entries`);
	const name = nameOf(LEGACY);
	await discoveryd(['access', name], { code: 1, pattern: /kubeproxyd rbac \S+ --format aws-auth/, limit: 30 });
	await kubeproxyd(['rbac', name, '--format', 'aws-auth'], { pattern: /mapRoles[^]*eksgate:proxy/, limit: 60 });
	await kubeproxyd(['rbac', name, '--format', 'manifests'], { pattern: /kind: ClusterRoleBinding/, limit: 60 });
}

async function stay(daemons) {
	title('over to you');
	say(`   kubeconfig:  export KUBECONFIG=${kubeconfig}`);
	say(`   kubectl:     ${kubectlPath()} --kubeconfig ${kubeconfig} config get-contexts`);
	say(`   try:         ${kubectlPath()} --kubeconfig ${kubeconfig} get pods`);
	say(`   daemons:     ${binary('discoveryd')} status --config ${world.path('eksgate.yaml')}`);
	say(`                ${binary('kubeproxyd')} ls --config ${world.path('eksgate.yaml')}`);
	say(`   the bus:     ${binary('bustap')} --config ${world.path('eksgate.yaml')}`);
	say('\n   Ctrl-C ends everything.');
	const broken = Promise.race([daemons.discovery, daemons.proxy].map((daemon) => daemon.ended.then(() => `${daemon.name} ended`)));
	const asked = new Promise((resolve) => {
		for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => resolve(null));
	});
	const problem = await Promise.race([broken, asked]);
	assert.equal(problem, null);
}

let status = 0;
try {
	title('eksgate: a tour with a simulated AWS');
	await build();
	say(`   AWS simulator at ${world.awsSimulator.ready.endpoint}; ${CLUSTERS.length + 1} clusters, each with an API server of its own`);
	const { daemon, tap } = await discover();
	const daemons = { discovery: daemon, tap, proxy: await serve() };
	await arrangeAccess(daemons);
	await welcome(daemons);
	await use();
	await change(daemons);
	await leftToDo();
	if (!isOnce) await stay(daemons);
	for (const running of world.daemons.reverse()) await running.stop();
	say(`\n${bold('Everything was as it should be.')}`);
} catch (error) {
	status = 1;
	say(`\n${bold('Not as it should be:')} ${error.message}`);
	for (const running of world.daemons) {
		say(`--- ${running.name}: the end of its log`);
		show(running.stderr.split('\n').slice(-40).join('\n'), 40);
	}
} finally {
	for (const running of world.daemons) await running.kill('SIGKILL');
	await world.close();
}
process.exit(status);
