// Several instances on one port: connections are split evenly, the crash of one is nobody else's, and a rolling restart
// refuses no connection (net.ipv4.tcp_migrate_req, as packaging/sysctl.d sets it).
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { CLUSTERS, ended, MATCHED, nameOf, person, rounds, startBoth, startKubeproxyd, until } from './harness.mjs';
import { isolatedScenario } from './namespace.mjs';

const CONNECTIONS = 1000;
const WORKERS = 4;

async function accepted(instance) {
	return Number(/^eksgate_proxy_connections_total (\d+)/m.exec(await instance.call('/metrics'))?.[1] ?? 0);
}

// So many connections that say nothing, some at a time.
async function knock(port, count) {
	for (let left = count; left > 0; left -= 20) {
		const sockets = Array.from({ length: 20 }, () => connect(port, '127.0.0.1'));
		await Promise.all(sockets.map((socket) => new Promise((done) => socket.on('connect', done))));
		sockets.forEach((socket) => socket.destroy());
	}
}

async function startSibling(world, name) {
	const instance = await startKubeproxyd(world, name);
	await instance.untilServed(MATCHED);
	return instance;
}

isolatedScenario('several instances', import.meta.url, ['net.ipv4.tcp_migrate_req=1'], async (world) => {
	const { kubeproxyd: first } = await startBoth(world);
	const { port } = first;
	world.config.kubernetes_service.listen_addr = `127.0.0.1:${port}`;
	world.writeConfig();
	const second = await startSibling(world, 'second');
	const base = `/clusters/${nameOf(CLUSTERS[0])}/api/v1/namespaces/default`;
	const alice = await person(world, { port }, 'alice', ['engineering']);

	const before = [await accepted(first), await accepted(second)];
	await knock(port, CONNECTIONS);
	// A busy instance accepts some of them later.
	const shares = await until('all are accepted', async () => {
		const now = [(await accepted(first)) - before[0], (await accepted(second)) - before[1]];
		if (now[0] + now[1] < CONNECTIONS) throw new Error(`${now}`);
		return now;
	});
	assert.equal(shares[0] + shares[1], CONNECTIONS);
	for (const share of shares) assert.ok(share > 0.4 * CONNECTIONS && share < 0.6 * CONNECTIONS, `${shares}`);

	const watches = [];
	while ((await first.status()).exchanges === 0 || (await second.status()).exchanges === 0) {
		assert.ok(watches.length < 40, 'both get connections');
		const session = alice.h2();
		const stream = await alice.open(session, `${base}/configmaps?watch=true`);
		stream.resume().on('error', () => {});
		watches.push({ session, stream, end: ended(stream) });
	}
	const theirs = (await second.status()).exchanges;
	await first.murder();
	await until('those of the first are cut', async () => watches.filter((w) => w.stream.closed).length === watches.length - theirs);
	assert.equal((await second.status()).exchanges, theirs, 'those of the second go on');
	for (const { session, stream } of watches) if (!stream.closed) assert.equal((await alice.ask(session, `${base}/pods`)).status, 200);
	for (const { session } of watches) session.destroy();

	let asked = 0;
	let isOver = false;
	const workers = Array.from({ length: WORKERS }, async () => {
		for (; !isOver; asked++) assert.equal((await alice.request(`${base}/pods`)).status, 200);
	});
	let old = second;
	for (let round = 0; round < rounds(4); round++) {
		const next = await startSibling(world, `round-${round}`);
		const so = asked;
		await Promise.race([old.stop(), ...workers]);
		await Promise.race([until('others are asked', async () => asked > so + 10), ...workers]);
		old = next;
	}
	isOver = true;
	await Promise.all(workers);
});
