// The way to AWS as companies have it: behind TLS that only AWS_CA_BUNDLE vouches for, through HTTPS_PROXY, and past it where
// NO_PROXY says so. A proxy that is down is not gone around.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { makePki } from '../sim/kube/pki.mjs';
import { command, MATCHED, scenario, startDiscoveryd } from './harness.mjs';

// curl resolves names below localhost by itself, and unlike localhost they are not exempt from proxies.
const AWS = 'aws.localhost';
const STS = 'sts.inside.localhost';

const listen = (server) => new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server.address().port)));

// Both directions, and the end of one is the end of the other.
function join(one, other) {
	for (const [from, to] of [[one, other], [other, one]]) {
		from.pipe(to);
		from.on('error', () => to.destroy());
		from.on('close', () => to.destroy());
	}
}

// TLS in front of the simulator; `names` are those that clients asked for.
async function startFront(endpoint, { cert, key }) {
	const names = [];
	const server = createTlsServer({ cert, key }, (socket) => {
		names.push(socket.servername);
		join(socket, connect(Number(new URL(endpoint).port), '127.0.0.1'));
	});
	server.on('tlsClientError', () => {});
	return { server, names, port: await listen(server) };
}

// A proxy that knows CONNECT alone and asks no DNS: everything is at the front. `targets` are what it was asked for.
async function startProxy(front) {
	const targets = [];
	const server = createServer((request, response) => {
		targets.push(`${request.method} ${request.url}`);
		response.writeHead(405).end();
	});
	server.on('connect', (request, socket, head) => {
		targets.push(request.url);
		const onward = connect(front.port, '127.0.0.1', () => {
			socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
			onward.write(head);
			join(socket, onward);
		});
	});
	return { server, targets, port: await listen(server) };
}

const names = (list) => [...new Set(list)].sort();

scenario('through a proxy and private TLS to AWS', async (world) => {
	const pki = makePki('aws', { names: [`DNS:${AWS}`, `DNS:${STS}`] });
	const front = await startFront(world.awsSimulator.ready.endpoint, pki);
	const proxy = await startProxy(front);
	const bundle = world.path('aws-ca.pem');
	writeFileSync(bundle, pki.ca);
	const plain = world.environment.bind(world);
	const use = (variables) => {
		world.environment = (user) => ({
			...plain(user),
			AWS_ENDPOINT_URL: `https://${AWS}:${front.port}`,
			AWS_ENDPOINT_URL_STS: `https://${STS}:${front.port}`,
			...variables,
		});
	};
	const scan = () => command(world, 'discoveryd', ['scan', '--format', 'json']);
	const throughProxy = { HTTPS_PROXY: `http://127.0.0.1:${proxy.port}` };
	try {
		use({ ...throughProxy });
		const untrusted = await scan();
		assert.equal(untrusted.code, 1);
		assert.match(untrusted.stdout, /certificate/);
		assert.deepEqual(front.names, [], 'nothing is sent to a server that nobody vouches for');
		assert.ok(proxy.targets.length > 0);

		proxy.targets.length = 0;
		use({ ...throughProxy, AWS_CA_BUNDLE: bundle, NO_PROXY: '.inside.localhost' });
		const discoveryd = await startDiscoveryd(world);
		await discoveryd.untilNames(MATCHED);
		await discoveryd.stop();
		assert.deepEqual(names(proxy.targets), [`${AWS}:${front.port}`], 'NO_PROXY is respected');
		assert.deepEqual(names(front.names), [AWS, STS]);

		use({ https_proxy: throughProxy.HTTPS_PROXY, AWS_CA_BUNDLE: bundle });
		assert.equal((await scan()).code, 0);
		assert.deepEqual(names(proxy.targets), [`${AWS}:${front.port}`, `${STS}:${front.port}`]);

		front.names.length = 0;
		proxy.server.close();
		proxy.server.closeAllConnections();
		const stranded = await scan();
		assert.equal(stranded.code, 1);
		assert.deepEqual(front.names, [], 'nobody goes around a proxy that is down');
	} finally {
		proxy.server.close();
		front.server.close();
	}
});
