// `make demo`: a tour of eksgate without an AWS account. The AWS and API-server simulators, the real daemons and a real
// kubectl, each step shown as the command that a person would type and what came back. Stays in the foreground until Ctrl-C;
// with --once it exits 0 after the tour, or 1 at the first thing that is not as it should be.
import assert from 'node:assert/strict';
import { kubectlPath } from '../clients/kubectl.mjs';
import { run, Running, until } from '../clients/run.mjs';
import { binary, Bustap, Discoveryd, Kubeproxyd } from '../scenarios/daemons.mjs';
import { CLUSTERS, MATCHED, nameOf, OTHER, OWN, World } from '../scenarios/world.mjs';

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

async function discover() {
	title('discoveryd: find the clusters');
	say(`   two accounts (${OWN}, and ${OTHER} by a role), three regions; the configuration is $DEMO/eksgate.yaml`);
	await discoveryd(['check'], { pattern: /ok|valid/i });
	await discoveryd(['scan'], { pattern: /prod-1/ });
	const daemon = await new Discoveryd(world).ready();
	await daemon.untilNames(MATCHED);
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
	await daemon.untilServed(MATCHED);
	await kubeproxyd(['ls'], { pattern: /prod-1-eks-eu-west-1/ });
	title('a user: alice, of the group engineering');
	await kubeproxyd(['kubeconfig', '--cert-for', 'alice', '--group', 'engineering', '--server', `https://127.0.0.1:${daemon.port}`,
		'--out', kubeconfig], { pattern: /^/ });
	return daemon;
}

async function use() {
	const [prod] = CLUSTERS.map(nameOf);
	const staging = MATCHED.find((name) => name.startsWith('staging'));
	title('kubectl through the proxy');
	await kubectl(prod, ['get', 'pods', '--all-namespaces'], { pattern: /web-1/ });
	await kubectl(staging, ['get', 'pods'], { pattern: /web-1/ });
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
	title('it is tagged env=prod, and appears');
	await world.putCluster(dev, { tags: { env: 'prod' } });
	await daemons.proxy.untilServed([...MATCHED, nameOf(dev)]);
	await kubeproxyd(['ls'], { pattern: /dev-1/ });
	await kubeproxyd(['kubeconfig', '--cert-for', 'alice', '--group', 'engineering', '--server', `https://127.0.0.1:${daemons.proxy.port}`,
		'--out', kubeconfig], { pattern: /^/ });
	await kubectl(nameOf(dev), ['get', 'pods'], { pattern: /web-1/ });
	title('it is deleted in AWS, and goes');
	await world.deleteCluster(dev);
	await daemons.proxy.untilServed(MATCHED);
	await kubectl(nameOf(dev), ['get', 'pods'], { code: 1, pattern: /dev-1/ });
	title('what the bus carried meanwhile (bustap)');
	const deltas = await until('deltas on the bus', () => {
		const found = daemons.tap.messages().filter((message) => message.type === 'DELTA');
		return found.length >= 2 && found;
	});
	for (const message of deltas) {
		const items = message.body.items.map((item) => `${item.resource ? 'put' : 'remove'} ${item.name}`).join(', ');
		say(`   ${message.type} epoch=${message.epoch} sequence=${message.sequence}: ${items}`);
	}
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
	await world.open();
	say(`   AWS simulator at ${world.awsSimulator.ready.endpoint}; ${CLUSTERS.length} clusters, each with an API server of its own`);
	const { daemon, tap } = await discover();
	const daemons = { discovery: daemon, tap, proxy: await serve() };
	await use();
	await change(daemons);
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
