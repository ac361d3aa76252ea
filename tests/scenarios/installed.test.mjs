// An installation as README describes it, on a machine that systemd runs: the units start, as users of their own, find and serve
// the clusters; reloads, restarts, a second instance, the sockets, the tap, the journal.
import assert from 'node:assert/strict';
import { kubectlPath } from '../clients/kubectl.mjs';
import { freePorts } from '../bench/process.mjs';
import { CLUSTERS, nameOf, scenario, until } from './harness.mjs';
import { CONFIG, configOf, install, show, untilServed } from './installation.mjs';
import { Machine, whyNoMachine } from './machine.mjs';

const [prod] = CLUSTERS.map(nameOf);
const USERS = { discoveryd: 'eksgate-discovery', 'kubeproxyd@main': 'eksgate-proxy', 'eksgate-tap': 'eksgate-tap' };
// README, "Why is a cluster missing?"
const TAP = `import zmq
tap = zmq.Context().socket(zmq.SUB); tap.connect("ipc:///run/eksgate-tap/tap.sock"); tap.subscribe("kube_cluster/")
print(tap.recv_multipart()[0].decode())`;

async function kubectlAt(machine, port) {
	const words = ['kubeconfig', '--cert-for', 'alice', '--group', 'engineering', '--server', `https://127.0.0.1:${port}`];
	const file = `/run/alice-${port}.kubeconfig`;
	await machine.write(file, await machine.must('kubeproxyd', words), '0600');
	return (...args) => machine.must(kubectlPath(), ['--kubeconfig', file, '--context', prod, ...args]);
}

async function checkUnits(machine) {
	for (const [unit, user] of Object.entries(USERS)) {
		const { MainPID, ActiveState, NRestarts } = await show(machine, unit, 'MainPID', 'ActiveState', 'NRestarts');
		assert.deepEqual([ActiveState, NRestarts], ['active', '0'], unit);
		assert.equal((await machine.must('ps', ['-o', 'user:32=', '-p', MainPID])).trim(), user);
	}
	for (const unit of ['discoveryd', 'kubeproxyd@main'])
		assert.match(await machine.must('journalctl', ['-u', unit, '-o', 'cat', '--no-pager']), /event=ready/);
	assert.match(await machine.must('timeout', ['10', '/usr/bin/python3', '-c', TAP]), /^kube_cluster\//);
	assert.match((await show(machine, 'kubeproxyd@main', 'StatusText')).StatusText, /serving/);
}

// A socket's unit needs its service to be stopped first.
async function useSocket(machine, port) {
	const directory = '/etc/systemd/system/kubeproxyd@main.socket.d';
	await machine.must('mkdir', ['-p', directory]);
	await machine.write(`${directory}/listen.conf`, `[Socket]\nListenStream=\nListenStream=127.0.0.1:${port}\n`);
	await machine.must('systemctl', ['daemon-reload']);
	await machine.must('systemctl', ['stop', 'kubeproxyd@main']);
	await machine.must('systemctl', ['enable', '--now', 'kubeproxyd@main.socket']);
	await machine.must('systemctl', ['start', 'kubeproxyd@main']);
	await untilServed(machine);
}

async function useJournal(machine, config) {
	config.eksgate.proxy.audit.destination = 'journal';
	await machine.write(CONFIG, JSON.stringify(config));
	await machine.must('systemctl', ['restart', 'kubeproxyd@main']);
	await untilServed(machine);
}

scenario('installed', { skip: await whyNoMachine() }, async (world) => {
	const [port, socketPort] = await freePorts(2);
	const config = configOf(world, port);
	const machine = await new Machine().up();
	try {
		await install(machine, world, config);
		assert.match(await machine.must('discoveryd', ['check']), /./);
		await machine.must('kubeproxyd', ['init']);
		await machine.must('systemctl', ['enable', '--now', 'discoveryd', 'kubeproxyd.target', 'eksgate-tap']);
		await untilServed(machine);
		await checkUnits(machine);

		let kubectl = await kubectlAt(machine, port);
		assert.match(await kubectl('get', 'pods'), /web-1/);
		assert.match(await kubectl('exec', 'web-1', '--', 'echo', 'hello'), /hello/);
		assert.match(await machine.must('kubeproxyd', ['audit', '--user', 'alice']), /exec/);

		// A day later: the next event is in a new file, the others where they went.
		await machine.must('logrotate', ['--force', '/etc/logrotate.d/eksgate']);
		await until('the file is another', async () => {
			await kubectl('get', 'pods', 'web-1');
			return !/exec/.test(await machine.must('cat', ['/var/log/eksgate-proxy/main.jsonl']));
		});
		assert.match(await machine.must('sh', ['-c', 'cat /var/log/eksgate-proxy/main.jsonl-*']), /exec/);

		// Of two instances one goes, then the other is made anew.
		await machine.must('systemctl', ['reload', 'discoveryd', 'kubeproxyd@main']);
		await machine.must('systemctl', ['start', 'kubeproxyd@b']);
		await machine.must('systemctl', ['restart', 'kubeproxyd@main']);
		await untilServed(machine);
		await machine.must('systemctl', ['stop', 'kubeproxyd@b']);
		assert.equal((await show(machine, 'kubeproxyd@b', 'Result')).Result, 'success');
		assert.match(await kubectl('get', 'pods'), /web-1/);

		await useSocket(machine, socketPort);
		kubectl = await kubectlAt(machine, socketPort);
		assert.match(await kubectl('get', 'pods'), /web-1/);

		await useJournal(machine, config);
		await kubectl('get', 'pods', 'web-1');
		await until('the journal has the event', async () => {
			const lines = await machine.must('journalctl', ['-t', 'kubeproxyd-audit', '-o', 'cat', '--no-pager']);
			return lines.split('\n').some((line) => line && JSON.parse(line).verb === 'get');
		});

		await machine.must('systemctl', ['stop', 'kubeproxyd@main.socket', 'kubeproxyd.target', 'eksgate-tap', 'discoveryd']);
		for (const unit of Object.keys(USERS)) {
			const { Result, ExecMainStatus } = await show(machine, unit, 'Result', 'ExecMainStatus');
			assert.deepEqual([Result, ExecMainStatus], ['success', '0'], unit);
		}
	} catch (error) {
		const journal = await machine.run('journalctl', ['--no-pager', '-n', '200']);
		console.error(machine.stdout, machine.stderr, journal.stdout);
		throw error;
	} finally {
		await machine.off();
	}
});
