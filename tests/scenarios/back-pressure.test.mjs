// A client that reads slowly holds back the API server, not the proxy's memory; a slow API server is relayed as it comes.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { CLUSTERS, nameOf, person, scenario, startBoth } from './harness.mjs';

const residentKiB = (pid) => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]);

scenario('back-pressure', async (world) => {
	// The sanitizer keeps what was freed; here memory is what is measured.
	world.asanOptions = 'quarantine_size_mb=1:thread_local_quarantine_size_kb=64';
	const { kubeproxyd } = await startBoth(world);
	const [prod] = CLUSTERS;
	const alice = await person(world, kubeproxyd, 'alice', ['engineering']);
	await world.api(prod)('POST', '/fill', { count: 20000, namespace: 'team-a' });
	const path = `/clusters/${nameOf(prod)}/api/v1/namespaces/team-a/pods`;
	const whole = await alice.request(path);
	assert.ok(whole.text.length > 8 * 1024 * 1024, `the list is large: ${whole.text.length}`);

	const before = residentKiB(kubeproxyd.pid);
	const idle = Array.from({ length: 8 }, () => {
		const socket = alice.connect();
		socket.on('error', () => {});
		socket.on('secureConnect', () => socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`));
		socket.once('data', () => socket.pause());
		return socket;
	});
	await Promise.all(
		idle.map(
			(socket) =>
				new Promise((resolve) => {
					socket.once('data', resolve);
				}),
		),
	);
	assert.equal((await alice.request(`/clusters/${nameOf(prod)}/version`)).status, 200, 'others are served meanwhile');
	const grown = residentKiB(kubeproxyd.pid) - before;
	assert.ok(grown < 48 * 1024, `eight stalled lists of ${whole.text.length} bytes cost ${grown} KiB`);
	idle.forEach((socket) => socket.destroy());

	await world.api(prod)('POST', '/faults', { kind: 'slow', path: '/pods', times: 1 });
	assert.equal((await alice.request(path)).json.kind, 'PodList');
});
