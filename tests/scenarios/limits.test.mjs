// Caps on requests under way keep one user, or one cluster, from taking all; a body that comes too slowly is given up.
import assert from 'node:assert/strict';
import { request } from 'node:https';
import { CLUSTERS, nameOf, person, scenario, startBoth, until } from './harness.mjs';

const SLOW = { 'content-type': 'application/json' };

// The status that a body which never comes ends with, over HTTP/1.1.
function stall(alice, path) {
	const { ca, certificate: cert, key } = alice;
	const port = alice.proxy.port;
	return new Promise((resolve, reject) => {
		const options = { host: '127.0.0.1', port, path, method: 'POST', headers: SLOW, ca, cert, key, agent: false };
		const call = request(options, (answer) => {
			resolve(answer.statusCode);
			call.destroy();
		});
		call.on('error', reject);
		call.write('{');
	});
}

// The same over HTTP/2.
function stallStream(session, path) {
	return new Promise((resolve, reject) => {
		const stream = session.request({ ':method': 'POST', ':path': path, ...SLOW }, { endStream: false });
		stream.on('response', (head) => resolve(head[':status']));
		stream.on('error', reject);
		stream.write('{');
	});
}

scenario('limits', async (world) => {
	world.config.eksgate.proxy.limits = {
		requests_per_user: 2,
		requests_per_cluster: 3,
		body_rate: 100,
		body_grace: '1s',
	};
	world.writeConfig();
	const { kubeproxyd } = await startBoth(world);
	const alice = await person(world, kubeproxyd, 'alice', ['engineering']);
	const bob = await person(world, kubeproxyd, 'bob', ['engineering']);
	const carol = await person(world, kubeproxyd, 'carol', ['engineering']);
	const pods = (cluster) => `/clusters/${nameOf(cluster)}/api/v1/namespaces/default/pods`;
	const [first, , second] = CLUSTERS;
	const path = pods(first);
	const sessions = [alice.h2(), bob.h2()];
	const watch = (who, session) => who.open(session, `${path}?watch=1`);

	const watches = [await watch(alice, sessions[0]), await watch(alice, sessions[0])];
	const refused = await alice.request(path);
	assert.equal(refused.status, 429);
	assert.equal(refused.headers['retry-after'], '1');
	assert.match(refused.json.message, /user "alice" has 2 requests.*requests_per_user/);
	assert.equal((await bob.request(path)).status, 200, 'another user is served');

	watches.push(await watch(bob, sessions[1]));
	const crowded = await carol.request(path);
	assert.equal(crowded.status, 429);
	assert.match(crowded.json.message, /requests_per_cluster/);
	assert.equal((await carol.request(pods(second))).status, 200, 'another cluster is served');

	watches.forEach((stream) => stream.on('error', () => {}).close(8));
	await until('nothing is left', async () => (await kubeproxyd.status()).exchanges === 0);
	assert.equal(await stall(alice, path), 408);
	assert.equal(await stallStream(sessions[1], path), 408);
	await until('nothing is left', async () => (await kubeproxyd.status()).exchanges === 0);
	sessions.forEach((session) => session.destroy());
});
