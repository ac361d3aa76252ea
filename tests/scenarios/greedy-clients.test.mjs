// Clients that take more than their share: requests without reading answers, handshakes that say nothing, tries without a
// certificate. None of them costs the proxy memory without bound or keeps others out.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { connect as connectTcp } from 'node:net';
import { connect } from 'node:tls';
import { CLUSTERS, nameOf, person, scenario, startBoth } from './harness.mjs';

const residentKiB = (pid) => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]);
const PIPELINE = Buffer.from('GET /clusters/no-such-cluster/api HTTP/1.1\r\nHost: h\r\n\r\n'.repeat(1000));
const PIPELINES_MAX = 1000;

// Writes until the server takes no more for a second; resolves to the bytes that it took.
function flood(socket) {
	return new Promise((resolve) => {
		let count = 0;
		const finish = () => resolve(socket.bytesWritten - socket.writableLength);
		const next = () => {
			const timer = setTimeout(finish, 1000);
			socket.write(PIPELINE, () => {
				clearTimeout(timer);
				if (++count === PIPELINES_MAX) finish();
				else next();
			});
		};
		next();
	});
}

scenario('greedy clients', async (world) => {
	world.asanOptions = 'quarantine_size_mb=1:thread_local_quarantine_size_kb=64';
	world.config.eksgate.proxy.limits = { handshakes: 4, handshake_timeout: '60s' };
	world.writeConfig();
	const { kubeproxyd } = await startBoth(world);
	const alice = await person(world, kubeproxyd, 'alice', ['engineering']);
	const { port } = kubeproxyd;
	const path = `/clusters/${nameOf(CLUSTERS[0])}/api/v1/namespaces/default/pods`;
	assert.equal((await alice.request(path)).status, 200);

	const greedy = connect({ host: '127.0.0.1', port, ca: alice.ca, cert: alice.certificate, key: alice.key });
	greedy.on('error', () => {});
	await new Promise((resolve) => greedy.on('secureConnect', resolve));
	greedy.pause();
	const before = residentKiB(kubeproxyd.pid);
	await flood(greedy);
	const grown = residentKiB(kubeproxyd.pid) - before;
	assert.ok(grown < 24 * 1024, `answers nobody reads took ${grown} KiB`);
	greedy.destroy();

	const silent = Array.from({ length: 12 }, () => connectTcp(port, '127.0.0.1'));
	silent.forEach((socket) => socket.on('error', () => {}));
	await Promise.all(silent.slice(-4).map((socket) => new Promise((resolve) => socket.on('connect', resolve))));
	assert.equal((await alice.request(path)).status, 200, 'silent handshakes keep nobody out');
	silent.forEach((socket) => socket.destroy());

	const stranger = connect({ host: '127.0.0.1', port, ca: alice.ca });
	let text = '';
	stranger.on('data', (data) => (text += data));
	stranger.write(PIPELINE);
	await new Promise((resolve) => stranger.on('close', resolve).on('error', () => {}));
	assert.equal(text.match(/HTTP\/1\.1 401 /g).length, 1, 'one answer, then the connection ends');
});
