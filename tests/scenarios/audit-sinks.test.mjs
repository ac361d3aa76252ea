// Audit events elsewhere than in a file: on standard output, where nothing else goes, and in the journal, one entry an event;
// `kubeproxyd audit` reads both. A journal that is away for a while loses nothing.
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, unlinkSync } from 'node:fs';
import { binary, CLUSTERS, nameOf, person, run, scenario, startDiscoveryd, startKubeproxyd, until } from './harness.mjs';
import { Running } from '../clients/run.mjs';

const [prod] = CLUSTERS;
const name = nameOf(prod);
const pods = `/clusters/${name}/api/v1/namespaces/default/pods`;
const one = { clusters: [prod] };
const lines = (text) => text.split('\n').filter(Boolean).map((line) => JSON.parse(line));

async function start(world, destination, options) {
	world.config.eksgate.proxy.audit.destination = destination;
	world.writeConfig();
	await startDiscoveryd(world);
	const kubeproxyd = await startKubeproxyd(world, 'main', options);
	await kubeproxyd.untilServed([name]);
	return { kubeproxyd, alice: await person(world, kubeproxyd, 'alice', ['engineering']) };
}

scenario('audit on standard output', one, async (world) => {
	const { kubeproxyd, alice } = await start(world, 'stdout');
	await alice.request(pods);
	await alice.request(`${pods}/web-1`);
	await kubeproxyd.waitFor(/"verb":"get"/, { stream: 'stdout' });
	const events = lines(kubeproxyd.stdout);
	assert.deepEqual(events.map(({ kind, verb, user }) => [kind, verb, user.username]), [['Event', 'list', 'alice'], ['Event', 'get', 'alice']]);
	const from = kubeproxyd.reload();
	await kubeproxyd.log('main', 'reloaded', /./, { from });
	await alice.request(`${pods}/none`);
	await kubeproxyd.waitFor(/"code":404/, { stream: 'stdout' });
	const args = ['audit', '-', '--format', 'json', '--config', world.path('eksgate.yaml')];
	const read = await run(binary('kubeproxyd'), args, { env: world.environment(world.proxyUser), input: kubeproxyd.stdout });
	assert.equal(read.code, 0, read.stderr);
	assert.deepEqual(lines(read.stdout), lines(kubeproxyd.stdout));
	assert.ok(!existsSync(world.path('audit', 'main.jsonl')));
});

// Prints each datagram as a JSON text, a line each, as journald would get it.
const JOURNAL = `
import json, signal, socket, sys
signal.alarm(150)
journal = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
journal.bind(sys.argv[1])
print("listening", flush=True)
while True: print(json.dumps(journal.recv(1 << 20).decode()), flush=True)
`;

const skip = process.getuid() === 0 ? '' : 'only root can put another journal in place';
scenario('audit in the journal', { ...one, skip }, async (world) => {
	const directory = world.path('journal');
	mkdirSync(directory);
	const listen = async () => {
		const journal = new Running('python3', ['-c', JOURNAL, `${directory}/socket`]);
		await journal.waitFor(/listening/, { stream: 'stdout' });
		return journal;
	};
	const journal = await listen();
	const script = `mount -t tmpfs tmpfs /run && mkdir -p /run/systemd/journal && mount --bind ${directory} /run/systemd/journal && exec "$@"`;
	const wrap = ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', script, 'sh'];
	const { kubeproxyd, alice } = await start(world, 'journal', { wrap });
	await alice.request(pods);
	await alice.request(`${pods}/web-1`);
	await journal.waitFor(/"verb\\":\\"get/, { stream: 'stdout' });
	const entries = (from) => lines(from.stdout.replace('listening\n', '')).map((text) => /^SYSLOG_IDENTIFIER=kubeproxyd-audit\nPRIORITY=5\nMESSAGE=(\{.*\})\n$/.exec(text)[1]);
	assert.deepEqual(entries(journal).map((text) => JSON.parse(text).verb), ['list', 'get']);

	// While it is away, what changes nothing goes on and is told later.
	await journal.kill('SIGKILL');
	unlinkSync(`${directory}/socket`);
	assert.equal((await alice.request(`${pods}?limit=7`)).status, 200);
	await kubeproxyd.log('audit', 'write-failed');
	assert.equal((await alice.request(`${pods}/web-1`, { method: 'DELETE' })).status, 503);
	const again = await listen();
	await kubeproxyd.log('audit', 'writing-again');
	await until('what happened meanwhile', () => entries(again).some((text) => JSON.parse(text).requestURI.endsWith('limit=7')));
	assert.equal((await alice.request(`${pods}/web-1`, { method: 'DELETE' })).status, 200);
	await until('the deletion', () => entries(again).some((text) => /"verb":"delete".*"code":200/.test(text)));
	await again.kill('SIGKILL');
});
