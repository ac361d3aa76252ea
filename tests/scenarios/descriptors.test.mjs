// Out of descriptors: accepting pauses with a message, nothing spins, who is connected is served, and it goes on by itself.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { Agent } from 'node:https';
import { connect } from 'node:net';
import { CLUSTERS, MATCHED, nameOf, person, scenario, startDiscoveryd, startKubeproxyd } from './harness.mjs';

const DESCRIPTORS = 64;
const MANY = 100;
const TICKS_PER_SECOND = 100;

// Of user and system time.
function cpuSeconds(pid) {
	const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /, '').split(' ');
	return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

const pause = (ms) => new Promise((done) => setTimeout(done, ms));

scenario('no descriptors are left', async (world) => {
	await startDiscoveryd(world);
	const kubeproxyd = await startKubeproxyd(world, 'main', { shell: `ulimit -n ${DESCRIPTORS}` });
	await kubeproxyd.untilServed(MATCHED);
	const alice = await person(world, kubeproxyd, 'alice', ['engineering']);
	const path = `/clusters/${nameOf(CLUSTERS[0])}/api/v1/namespaces/default/pods`;
	const agent = new Agent({ keepAlive: true, maxSockets: 1 });
	assert.equal((await alice.request(path, { agent })).status, 200);

	const many = Array.from({ length: MANY }, () => connect(kubeproxyd.port, '127.0.0.1').on('error', () => {}));
	await kubeproxyd.log('listener', 'cannot-accept', /error="Too many open files"/);
	const before = cpuSeconds(kubeproxyd.pid);
	await pause(2000);
	const used = cpuSeconds(kubeproxyd.pid) - before;
	assert.ok(used < 0.5, `${used} s of CPU in two seconds`);
	assert.equal((await alice.request(path, { agent })).status, 200, 'who is connected is served');
	assert.equal(kubeproxyd.stderr.match(/event=cannot-accept/g).length, 1, 'one message, not one a try');

	many.forEach((socket) => socket.destroy());
	assert.equal((await alice.request(path)).status, 200, 'newcomers are served again');
	agent.destroy();
});
