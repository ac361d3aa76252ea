// What goes wrong with an installation, on a machine that systemd runs: configurations with mistakes, daemons that crash or
// hang; how it gets a newer version; what is left when it is removed.
import assert from 'node:assert/strict';
import { request } from 'node:https';
import { freePorts } from '../bench/process.mjs';
import { CLUSTERS, nameOf, scenario, until } from './harness.mjs';
import { CONFIG, configOf, install, make, show, untilServed } from './installation.mjs';
import { Machine, whyNoMachine } from './machine.mjs';

const [prod] = CLUSTERS.map(nameOf);
const MISTAKE = /eksgate\.yaml:1:\d+: "poll_intervall" is not a key of discovery_service: did you mean "poll_interval"\?/;
const DAEMONS = ['discoveryd', 'kubeproxyd@main'];

const journal = (machine, unit) => machine.must('journalctl', ['-u', unit, '-o', 'cat', '--no-pager']);
const mainPid = async (machine, unit) => (await show(machine, unit, 'MainPID')).MainPID;

// In less time than the units take.
async function hurry(machine) {
	for (const unit of ['discoveryd', 'kubeproxyd@']) {
		const directory = `/etc/systemd/system/${unit}.service.d`;
		await machine.must('mkdir', ['-p', directory]);
		await machine.write(`${directory}/hurry.conf`, '[Service]\nRestartSec=100ms\nWatchdogSec=2\n');
	}
	await machine.must('systemctl', ['daemon-reload']);
}

// Five attempts, then it is over, and the journal says why.
async function refuseToStart(machine) {
	for (const unit of DAEMONS) assert.notEqual((await machine.run('systemctl', ['start', unit])).code, 0);
	for (const unit of DAEMONS) {
		await until(`${unit} has given up`, async () => (await show(machine, unit, 'ActiveState')).ActiveState === 'failed');
		const { NRestarts, ExecMainStatus } = await show(machine, unit, 'NRestarts', 'ExecMainStatus');
		assert.deepEqual([NRestarts, ExecMainStatus], ['5', '1'], unit);
		assert.match((await journal(machine, unit)).replaceAll('\\"', '"'), MISTAKE);
	}
	await machine.must('systemctl', ['reset-failed']);
}

// systemctl tells, the daemon goes on, and so does whoever asks it.
async function refuseToReload(machine) {
	for (const unit of DAEMONS) {
		const pid = await mainPid(machine, unit);
		assert.notEqual((await machine.run('systemctl', ['reload', unit])).code, 0);
		const { MainPID, ActiveState } = await show(machine, unit, 'MainPID', 'ActiveState');
		assert.deepEqual([MainPID, ActiveState], [pid, 'active'], unit);
	}
	const { code, stderr } = await machine.run('discoveryd', ['status']);
	assert.equal(code, 0, stderr);
	assert.match(stderr, MISTAKE);
	await untilServed(machine);
}

async function end(machine, unit, signal) {
	const pid = await mainPid(machine, unit);
	await machine.must('kill', [`-${signal}`, pid]);
	await until(`${unit} is another process`, async () => {
		const { MainPID, ActiveState } = await show(machine, unit, 'MainPID', 'ActiveState');
		return MainPID !== pid && ActiveState === 'active';
	});
}

// A connection for each request, until stop() tells the answers that were not 200.
async function askAllTheTime(machine, port) {
	const text = await machine.must('kubeproxyd', ['kubeconfig', '--cert-for', 'alice', '--group', 'engineering']);
	const pick = (key) => Buffer.from(new RegExp(`${key}: "?([\\w+/=]+)`).exec(text)[1], 'base64');
	const options = {
		host: '127.0.0.1',
		port,
		path: `/clusters/${prod}/api/v1/namespaces/default/pods`,
		cert: pick('client-certificate-data'),
		key: pick('client-key-data'),
		rejectUnauthorized: false,
		agent: false,
	};
	const ask = () =>
		new Promise((resolve) => {
			const asked = request(options, (answer) => answer.resume().on('close', () => resolve(answer.statusCode)));
			asked.on('error', (error) => resolve(error.code)).end();
		});
	const answers = { good: 0, bad: [] };
	let goesOn = true;
	const asking = (async () => {
		while (goesOn) {
			const answer = await ask();
			if (answer === 200) answers.good++;
			else answers.bad.push(answer);
		}
	})();
	return async () => {
		goesOn = false;
		await asking;
		return answers;
	};
}

// README, "Newer versions".
async function upgrade(machine, port) {
	await machine.must('systemctl', ['start', 'kubeproxyd@b']);
	const stop = await askAllTheTime(machine, port);
	await make(machine, 'install');
	await machine.must('systemctl', ['daemon-reload']);
	for (const unit of ['discoveryd', 'kubeproxyd@main', 'kubeproxyd@b']) await machine.must('systemctl', ['restart', unit]);
	const { good, bad } = await stop();
	assert.deepEqual(bad, []);
	assert.ok(good > 10, `${good} requests`);
}

async function remove(machine) {
	await machine.must('systemctl', ['disable', '--now', 'kubeproxyd.target', 'kubeproxyd@b', 'discoveryd']);
	await make(machine, 'uninstall');
	const libraries = ['systemd/system', 'sysusers.d', 'tmpfiles.d', 'sysctl.d'].map((name) => `/usr/lib/${name}`);
	const shared = ['doc', 'man/man1', 'man/man5', 'man/man8'].map((name) => `/usr/share/${name}`);
	const listed = await machine.must('ls', ['/usr/sbin', '/usr/bin', ...libraries, ...shared, '/etc/logrotate.d']);
	assert.equal(listed.match(/.*(eksgate|discoveryd|kubeproxyd|bustap).*/), null);
	assert.equal((await machine.run('test', ['-e', `${CONFIG}.sample`])).code, 1);
	for (const path of [CONFIG, '/etc/eksgate/tls/client-ca-key.pem', '/var/lib/eksgate-discovery/registry.db'])
		await machine.must('test', ['-e', path]);
}

scenario('what goes wrong with an installation', { skip: await whyNoMachine() }, async (world) => {
	const [port] = await freePorts(1);
	const config = configOf(world, port);
	const good = JSON.stringify(config);
	const bad = good.replace('"poll_interval"', '"poll_intervall"');
	const machine = await new Machine().up();
	try {
		await install(machine, world, config);
		await hurry(machine);
		await machine.must('kubeproxyd', ['init']);
		await machine.write(CONFIG, bad);
		await refuseToStart(machine);

		await machine.write(CONFIG, good);
		await machine.must('systemctl', ['enable', '--now', 'discoveryd', 'kubeproxyd.target']);
		await untilServed(machine);
		await machine.write(CONFIG, bad);
		await refuseToReload(machine);
		await machine.write(CONFIG, good);
		for (const unit of DAEMONS) await machine.must('systemctl', ['reload', unit]);

		for (const signal of ['KILL', 'STOP']) await Promise.all(DAEMONS.map((unit) => end(machine, unit, signal)));
		await untilServed(machine);
		await upgrade(machine, port);
		await remove(machine);
	} catch (error) {
		console.error(machine.stdout, machine.stderr, (await machine.run('journalctl', ['--no-pager', '-n', '200'])).stdout);
		throw error;
	} finally {
		await machine.off();
	}
});
