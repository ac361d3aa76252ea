// Clients that say nothing, or say it too slowly, are let go in time; many at once are all answered.
import assert from 'node:assert/strict';
import { connect as connectTcp } from 'node:net';
import { connect } from 'node:tls';
import { CLUSTERS, nameOf, person, scenario, startBoth } from './harness.mjs';

const MANY = 200;

// Milliseconds until the server closes.
function untilClosed(socket) {
	const begin = Date.now();
	return new Promise((resolve) => {
		socket.on('error', () => {});
		socket.on('close', () => resolve(Date.now() - begin));
		socket.resume();
	});
}

scenario('slow clients', async (world) => {
	world.config.eksgate.proxy.limits = { header_timeout: '1s', handshake_timeout: '1s', idle_timeout: '2s' };
	world.writeConfig();
	const { kubeproxyd } = await startBoth(world);
	const alice = await person(world, kubeproxyd, 'alice', ['engineering']);
	const { port } = kubeproxyd;
	const open = () => connect({ host: '127.0.0.1', port, ca: alice.ca, cert: alice.certificate, key: alice.key });
	const half = open();
	half.on('secureConnect', () => half.write('GET / HTT'));
	const times = await Promise.all([connectTcp(port, '127.0.0.1'), half, open()].map(untilClosed));
	times.forEach((time, i) => assert.ok(time > 500 && time < 10000, `connection ${i} was closed after ${time} ms`));

	// So many handshakes take their time, here as there.
	world.config.eksgate.proxy.limits = {};
	world.writeConfig();
	await kubeproxyd.log('main', 'reloaded', /.*/, { from: kubeproxyd.reload() });
	const path = `/clusters/${nameOf(CLUSTERS[0])}/api/v1/namespaces/default/pods`;
	const answers = await Promise.all(Array.from({ length: MANY }, () => alice.request(path)));
	assert.ok(answers.every((answer) => answer.status === 200));
});
