// A client that comes back to another instance of the host resumes there; with another client CA, or when its certificate is
// on a revocation list, it does not, although its ticket is of before. The keys are the proxy user's alone. Which cluster is
// meant is what the client says now, by name or by path.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { appendFileSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { connect } from 'node:tls';
import { CLUSTERS, MATCHED, nameOf, person, scenario, startBoth, startKubeproxyd } from './harness.mjs';

const SUFFIX = 'k.example.test';
const inCluster = '/api/v1/namespaces/default/pods';
const path = `/clusters/${MATCHED[0]}${inCluster}`;
const openssl = (...args) => execFileSync('openssl', args, { stdio: ['ignore', 'ignore', 'pipe'] });

// A request on a connection of its own: {isResumed, status, session for the next one}.
function ask({ port }, who, session, version = 'TLSv1.3', alias = undefined) {
	const servername = alias && `${alias}.${SUFFIX}`;
	return new Promise((resolve, reject) => {
		const given = { ca: who.ca, cert: who.certificate, key: who.key, ALPNProtocols: ['http/1.1'] };
		const names = { servername, checkServerIdentity: alias && (() => undefined) };
		const socket = connect({ host: '127.0.0.1', port, session, maxVersion: version, ...given, ...(alias ? names : {}) });
		let next = session;
		let text = '';
		socket.on('session', (ticket) => {
			next = ticket;
		});
		socket.on('error', reject);
		socket.on('secureConnect', () => {
			const [target, host] = alias ? [inCluster, servername] : [path, 'x'];
			socket.write(`GET ${target} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
		});
		socket.setEncoding('utf8').on('data', (part) => {
			text += part;
		});
		socket.on('end', () => {
			resolve({ isResumed: socket.isSessionReused(), status: Number(text.slice(9, 12)), session: next });
			socket.destroy();
		});
	});
}

function revoke(world, { certificate }) {
	const { client_ca: cert, client_ca_key: key } = world.config.eksgate.proxy;
	writeFileSync(world.path('index'), '');
	writeFileSync(world.path('ca.cnf'), `[ca]\ndefault_ca=one\n[one]\ndatabase=${world.path('index')}\ndefault_md=sha256\n`);
	writeFileSync(world.path('revoked.pem'), certificate);
	const signing = ['-config', world.path('ca.cnf'), '-cert', cert, '-keyfile', key];
	openssl('ca', ...signing, '-revoke', world.path('revoked.pem'));
	openssl('ca', ...signing, '-gencrl', '-crldays', '1', '-out', world.path('crl.pem'));
	return world.path('crl.pem');
}

scenario('session tickets', async (world) => {
	world.config.eksgate.proxy.sni_suffix = SUFFIX;
	world.writeConfig();
	const { kubeproxyd: first } = await startBoth(world);
	const second = await startKubeproxyd(world, 'second');
	await second.untilServed(MATCHED);
	const alice = await person(world, first, 'alice', ['engineering']);
	const file = statSync(world.path('run', 'ticket-keys'));
	assert.equal(file.mode & 0o777, 0o600);
	const secret = readFileSync(world.path('run', 'ticket-keys'), 'utf8').split(' ')[1].trim();

	for (const version of ['TLSv1.3', 'TLSv1.2']) {
		let last = await ask(first, alice, undefined, version);
		assert.equal(last.isResumed, false);
		for (const instance of [second, first, first, second]) {
			last = await ask(instance, alice, last.session, version);
			assert.ok(last.isResumed && last.status === 200, `${version}: resumed ${last.isResumed}, ${last.status}`);
		}
	}

	// The name that is asked for is the one that counts, whatever the session was opened for.
	const alias = nameOf(CLUSTERS[0]);
	for (const version of ['TLSv1.3', 'TLSv1.2']) {
		let last = await ask(first, alice, undefined, version, alias);
		const resumed = [];
		for (const [wanted, status] of [[alias, 200], ['nowhere', 404], [undefined, 200], [alias, 200]]) {
			last = await ask(first, alice, last.session, version, wanted);
			assert.equal(last.status, status, `${version}: ${wanted}`);
			resumed.push(last.isResumed);
		}
		// Not every client offers a session of another name.
		assert.ok(resumed.some(Boolean), `${version}: ${resumed}`);
	}

	// It outlives a reload and a restart that change nothing about trust.
	let { session } = await ask(first, alice);
	const from = first.reload();
	await first.log('main', 'reloaded', /./, { from });
	assert.ok((await ask(first, alice, session)).isResumed);
	await second.stop();
	const third = await startKubeproxyd(world, 'second');
	await third.untilServed(MATCHED);
	({ session } = await ask(first, alice));
	assert.ok((await ask(third, alice, session)).isResumed);

	// A further authority: nothing of before is taken over. (That of a resumed session would be the same one here.)
	const ca = world.config.eksgate.proxy.client_ca;
	const ec = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
	openssl('req', '-x509', ...ec, '-keyout', world.path('more.key'), '-out', world.path('more.pem'), '-days', '1', '-subj', '/CN=more');
	const before = readFileSync(ca);
	({ session } = await ask(first, alice));
	appendFileSync(ca, readFileSync(world.path('more.pem')));
	await third.log('main', 'reloaded', /./, { from: third.reload() });
	assert.equal((await ask(third, alice, session)).isResumed, false);
	assert.ok((await ask(first, alice, session)).isResumed, 'the other was not reloaded');
	writeFileSync(ca, before);

	// Revoked: no ticket helps, on either instance.
	({ session } = await ask(first, alice));
	world.config.eksgate.proxy.client_crls = [revoke(world, alice)];
	world.writeConfig();
	for (const instance of [first, third]) {
		await instance.log('main', 'reloaded', /./, { from: instance.reload() });
		const refused = await ask(instance, alice, session);
		assert.equal(refused.isResumed, false);
		assert.equal(refused.status, 401);
	}
	for (const { stderr } of [first, third]) assert.ok(!stderr.includes(secret), 'a key is in the log');
});
