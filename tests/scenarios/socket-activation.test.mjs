// With a socket of systemd's (LISTEN_FDS) connections wait for the next process while none runs: a restart of a single
// instance loses nobody.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { Kubeproxyd } from './daemons.mjs';
import { CLUSTERS, initialise, MATCHED, nameOf, person, scenario, startDiscoveryd } from './harness.mjs';

const PASS = 'export LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=kube';

scenario('socket activation', async (world) => {
	world.config.kubernetes_service.listen_addr = '192.0.2.1:3026';
	world.writeConfig();
	await startDiscoveryd(world);
	await initialise(world);
	const go = world.path('go');
	execFileSync('mkfifo', [go]);
	// Both get the socket now, and then node lets go of it: it would accept by itself.
	const socket = createServer();
	await new Promise((done) => socket.listen(0, '127.0.0.1', done));
	const { port } = socket.address();
	const descriptors = [socket._handle.fd];
	const first = new Kubeproxyd(world, 'main', { descriptors, shell: PASS });
	const second = new Kubeproxyd(world, 'main', { descriptors, shell: `read line <${go}; ${PASS}` });
	socket.close();

	await first.ready();
	await first.untilServed(MATCHED);
	assert.equal(first.port, port, 'the address of the settings is not bound');
	const alice = await person(world, first, 'alice', ['engineering']);
	const path = `/clusters/${nameOf(CLUSTERS[0])}/api/v1/namespaces/default/pods`;
	assert.equal((await alice.request(path)).status, 200);

	await first.stop();
	const waiting = alice.request(path);
	writeFileSync(go, 'go\n');
	await second.ready();
	assert.equal((await waiting).status, 200, 'who came in between is served');
});
