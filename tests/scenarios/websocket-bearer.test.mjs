// A token in a WebSocket subprotocol is a credential: it lets in, it must agree with a certificate beside it, and neither the
// API server nor a log ever sees it.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import WebSocket from 'ws';
import { CLUSTERS, nameOf, person, scenario, startBoth } from './harness.mjs';
import { addIssuer } from './tokens.mjs';

const [prod] = CLUSTERS;
const STEM = 'base64url.bearer.authorization.k8s.io';

scenario('a bearer subprotocol', async (world) => {
	const issuer = await addIssuer(world);
	const { kubeproxyd } = await startBoth(world);
	const token = issuer.token({ groups: ['engineering'] });
	const encoded = Buffer.from(token).toString('base64url');
	const url = `wss://127.0.0.1:${kubeproxyd.port}/clusters/${nameOf(prod)}/api/v1/namespaces/default/pods/web-1/exec?command=echo&command=hi&stdout=true`;
	const open = (protocols, identity = {}) =>
		new Promise((resolve) => {
			const ca = readFileSync(world.config.eksgate.proxy.tls.certificate, 'utf8');
			const socket = new WebSocket(url, protocols, { ca, ...identity });
			let output = '';
			socket.on('message', (data) => {
				if (data[0] === 1) output += data.subarray(1).toString();
			});
			socket.on('unexpected-response', (_, response) => resolve({ status: response.statusCode }));
			socket.on('error', (error) => resolve({ error }));
			socket.on('close', () => resolve({ status: 101, output, protocol: socket.protocol }));
		});

	const answer = await open(['v4.channel.k8s.io', `${STEM}.${encoded}`]);
	assert.deepEqual(answer, { status: 101, output: 'hi\n', protocol: 'v4.channel.k8s.io' });
	assert.equal((await open([`${STEM}.${encoded}`])).status, 401, 'no other protocol');
	assert.equal((await open(['v4.channel.k8s.io', `${STEM}.${encoded}x`])).status, 401);
	assert.equal((await open(['v4.channel.k8s.io'])).status, 401, 'no credential');

	// alice's certificate with her token is alice, with that of bob it is nobody.
	const { certificate: cert, key } = await person(world, kubeproxyd, 'alice', ['engineering']);
	const ofBob = Buffer.from(issuer.token({ sub: 'bob', groups: ['engineering'] })).toString('base64url');
	assert.equal((await open(['v4.channel.k8s.io', `${STEM}.${ofBob}`])).status, 101);
	assert.equal((await open(['v4.channel.k8s.io', `${STEM}.${encoded}`], { cert, key })).status, 101);
	assert.equal((await open(['v4.channel.k8s.io', `${STEM}.${ofBob}`], { cert, key })).status, 401, 'two who do not agree');

	const [exec] = (await world.received(prod)).filter((entry) => entry.upgrade);
	const offered = exec.headers.filter(([name]) => name.toLowerCase() === 'sec-websocket-protocol');
	assert.deepEqual(
		offered.map(([, value]) => value),
		['v4.channel.k8s.io'],
	);
	assert.equal(exec.user, 'alice');
	assert.ok(!kubeproxyd.stderr.includes(encoded) && !kubeproxyd.stderr.includes(token));
	await issuer.close();
});
