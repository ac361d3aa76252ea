// `bustap --serve`: whoever subscribes gets the present state and then each change, by topic, without secrets; a client that
// never reads, or writes, does nothing to others nor to discoveryd. The clients are the three
// lines of README.md, run by python3-zmq.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { Running } from '../clients/run.mjs';
import { EXTERNAL_ID } from './world.mjs';
import { CLUSTERS, MATCHED, nameOf, OWN, scenario, startBoth, startBustap, startDiscoveryd, until } from './harness.mjs';

const PYTHON = '/usr/bin/python3'; // Debian's, which has python3-zmq
const README = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
const CLIENT = /^( {4}import zmq\n(?: {4}.*\n){2})/m.exec(README)[1].replace(/^ {4}/gm, '');

// The three lines of README.md, with another socket and topic.
function subscribe(world, socket, topic) {
	const code = CLIENT.replace('/run/eksgate-tap/tap.sock', socket).replace('"kube_cluster/"', JSON.stringify(topic));
	assert.ok(code.includes(socket) && code.includes(topic), 'README.md names the socket and the topic');
	const running = new Running(PYTHON, ['-c', code], { cwd: world.directory });
	world.clients.push(running);
	return running;
}

// [{topic, ...message}]
function messages(running) {
	const lines = running.stdout.split('\n').slice(0, -1);
	return lines.map((line) => {
		const at = line.indexOf(' ');
		return { topic: line.slice(0, at), ...JSON.parse(line.slice(at + 1)) };
	});
}

// What a client knows that only follows kube_cluster/.
function stateOf(running) {
	const state = new Map();
	for (const { event, name, resource } of messages(running)) {
		if (event === 'put') state.set(name, resource);
		else state.delete(name);
	}
	return [...state.keys()].sort();
}

const has = (running, names) =>
	until(`the client knows ${names}`, () => {
		const known = stateOf(running);
		if (known.join() !== names.join()) throw new Error(`it knows ${known}`);
		return true;
	});

scenario('bustap serves', async (world) => {
	world.clients = [];
	const { discoveryd } = await startBoth(world);
	const socket = world.path('tap.sock');
	const tap = startBustap(world, [`--serve=${socket}`]);
	await until('the socket', () => existsSync(socket));
	try {
		const early = subscribe(world, socket, 'kube_cluster/');
		const bus = subscribe(world, socket, 'bus/');
		await has(early, MATCHED);
		const cluster = { account: OWN, region: 'us-west-2', name: 'served', tags: { env: 'prod' } };
		await world.addCluster(cluster);
		const all = [...MATCHED, nameOf(cluster)].sort();
		await has(early, all);
		const late = subscribe(world, socket, 'kube_cluster/');
		const one = subscribe(world, socket, `kube_cluster/${nameOf(CLUSTERS[0])}`);
		await has(late, all);
		await has(one, [nameOf(CLUSTERS[0])]);
		assert.equal(messages(late)[0].resource.kind, 'kube_cluster');

		await world.deleteCluster(cluster);
		await has(late, MATCHED);
		await until('the client of bus/ sees the change', () => messages(bus).some(({ type }) => type === 'DELTA'));
		for (const { topic, type } of messages(bus)) assert.equal(topic, `bus/${type}`);
		for (const running of [early, bus, late, one])
			for (const secret of [world.discoveryUser.secretAccessKey, EXTERNAL_ID]) assert.ok(!running.stdout.includes(secret));

		early.child.kill('SIGSTOP');
		await discoveryd.stop();
		const other = { ...cluster, name: 'later' };
		await world.addCluster(other);
		await startDiscoveryd(world);
		await has(late, [...MATCHED, nameOf(other)].sort());
		assert.equal(stateOf(one).length, 1);
	} finally {
		for (const running of world.clients) await running.kill('SIGKILL');
	}
	assert.equal(tap.isEnded ?? false, false);
});
