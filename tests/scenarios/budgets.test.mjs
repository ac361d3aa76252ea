// Budgets that are checked before anything is taken: connections (the next one waits, and is served when one leaves; whoever
// has shown no credential makes room first) and the bodies of requests (429 with Retry-After).
import assert from 'node:assert/strict';
import { connect } from 'node:tls';
import { CLUSTERS, nameOf, person, scenario, startBoth, until } from './harness.mjs';

const CONNECTIONS = 6;
const path = `/clusters/${nameOf(CLUSTERS[0])}/api/v1/namespaces/default/configmaps`;
const isOpen = (socket) => new Promise((resolve) => { socket.once('secureConnect', resolve); });

scenario('budgets', async (world) => {
	world.config.eksgate.proxy.limits = { connections: CONNECTIONS, body_in_hand: '256KiB', bodies_in_hand: '1MiB' };
	world.writeConfig();
	const { kubeproxyd } = await startBoth(world);
	const alice = await person(world, kubeproxyd, 'alice', ['engineering']);
	const session = alice.h2();
	const upload = () => {
		const head = { ':method': 'POST', ':path': path, 'content-type': 'application/json', 'content-length': 300000 };
		const stream = session.request(head, { endStream: false });
		stream.on('error', () => {});
		stream.write('{');
		return stream;
	};

	// Four bodies of 256 KiB are all that may be held; what has none is served.
	const uploads = [0, 1, 2, 3].map(upload);
	await until('four have their share', async () => (await kubeproxyd.status()).exchanges === 4);
	const refused = await new Promise((resolve) => {
		upload().on('response', resolve);
	});
	assert.equal(refused[':status'], 429);
	assert.equal(refused['retry-after'], '1');
	assert.equal((await alice.ask(session, path)).status, 200);
	uploads.forEach((stream) => stream.close(8));
	await until('nothing is left', async () => (await kubeproxyd.status()).exchanges === 0);
	const fits = upload();
	await until('there is room again', async () => (await kubeproxyd.status()).exchanges === 1);
	fits.close(8);

	const { ca, certificate: cert, key } = alice;
	const plug = (credential) => {
		const socket = connect({ host: '127.0.0.1', port: kubeproxyd.port, ca, ...credential, ALPNProtocols: ['http/1.1'] });
		return socket.on('error', () => {}).resume();
	};
	const stranger = plug({});
	const known = Array.from({ length: CONNECTIONS - 2 }, () => plug({ cert, key }));
	await Promise.all([stranger, ...known].map(isOpen));
	await until('all are there', async () => (await kubeproxyd.status()).sessions === CONNECTIONS);
	const gone = new Promise((resolve) => {
		stranger.once('close', resolve);
	});
	const last = plug({ cert, key });
	await Promise.all([gone, isOpen(last)]);
	await kubeproxyd.log('listener', 'paused', /limits\.connections/);
	assert.equal((await alice.ask(session, path)).status, 200, 'who is connected is served');

	let isServed = false;
	const waiting = alice.request(path).then((answer) => {
		isServed = true;
		return answer;
	});
	await new Promise((done) => {
		setTimeout(done, 500);
	});
	assert.ok(!isServed, 'more than the limit');
	last.destroy();
	assert.equal((await waiting).status, 200, 'it waited for its turn');
	await kubeproxyd.log('listener', 'resumed', /limits\.connections/);
	known.forEach((socket) => socket.destroy());
	session.destroy();
});
