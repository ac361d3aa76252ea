// TLS towards both sides, where clients and API servers differ: a client without ALPN and without a server name is served over
// HTTP/1.1, an authority may be one of several, and a connection to an API server resumes the session of the one before.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { connect } from 'node:tls';
import { CLUSTERS, nameOf, person, scenario, startBoth, until } from './harness.mjs';

const path = `/clusters/${nameOf(CLUSTERS[0])}/api/v1/namespaces/default/pods`;

function makeAuthority(world, name) {
	const words = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '1', '-subj', `/CN=${name}`];
	execFileSync('openssl', [...words, '-keyout', world.path(`${name}.key`), '-out', world.path(`${name}.pem`)], { stdio: 'ignore' });
	return readFileSync(world.path(`${name}.pem`));
}

// The answer to a request on a connection with neither.
function askPlainly(who) {
	return new Promise((resolve, reject) => {
		const { ca, certificate: cert, key } = who;
		const socket = connect({ host: '127.0.0.1', port: who.proxy.port, ca, cert, key });
		let text = '';
		socket.on('secureConnect', () => socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`));
		socket.setEncoding('utf8').on('data', (part) => {
			text += part;
		});
		socket.on('error', reject).on('end', () => resolve({ text, protocol: socket.alpnProtocol, name: socket.servername }));
	});
}

scenario('TLS towards both sides', async (world) => {
	const [prod] = CLUSTERS;
	const { certificateAuthority } = await world.api(prod)('POST', '/rotate', {});
	const bundle = [makeAuthority(world, 'older'), Buffer.from(certificateAuthority, 'base64'), makeAuthority(world, 'newer')];
	await world.putCluster(prod, { certificateAuthority: Buffer.concat(bundle).toString('base64') });
	const { kubeproxyd } = await startBoth(world);
	const alice = await person(world, kubeproxyd, 'alice', ['engineering']);

	const plain = await askPlainly(alice);
	assert.match(plain.text, /^HTTP\/1\.1 200 OK\r\n/);
	assert.ok(!plain.protocol && !plain.name, 'neither was sent');

	// What was answered on one connection; the API server then takes no more on it.
	const again = async () => {
		await world.api(prod)('POST', '/faults', { kind: 'goaway', path: '/pods', times: 1 });
		assert.equal((await alice.request(path)).status, 200);
		return (await world.received(prod)).filter(({ target }) => target.includes('/pods'));
	};
	const last = await until('a connection that resumes', async () => (await again()).find(({ resumed }) => resumed));
	const first = (await world.received(prod)).find(({ resumed }) => !resumed);
	assert.notEqual(last.connection, first.connection);
});
