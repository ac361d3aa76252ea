// Server certificates by name, and new ones by SIGHUP: connections that are there go on, new ones get the new certificate, and
// a broken file changes nothing.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:tls';
import { CLUSTERS, nameOf, person, scenario, startBoth, until } from './harness.mjs';

// A self-signed one, and its key.
function make(certificate, key, subject, names) {
	const words = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'];
	const files = ['-out', certificate, '-keyout', key, '-subj', `/CN=${subject}`, '-addext', `subjectAltName=${names}`];
	execFileSync('openssl', [...words, ...files], { stdio: ['ignore', 'ignore', 'pipe'] });
}

// The common name of the certificate that the server shows.
function shown(port, servername) {
	return new Promise((resolve, reject) => {
		const socket = connect({ host: '127.0.0.1', port, servername, rejectUnauthorized: false }, () => {
			resolve(socket.getPeerCertificate().subject.CN);
			socket.destroy();
		});
		socket.on('error', reject);
	});
}

scenario('server certificates', async (world) => {
	const directory = world.path('names.d');
	const named = (name) => [`${directory}/${name}.pem`, `${directory}/${name}-key.pem`];
	mkdirSync(directory);
	make(...named('a'), 'a', 'DNS:a.example');
	make(...named('wild'), 'wild', 'DNS:*.wild.example,DNS:b.example');
	const { tls } = world.config.eksgate.proxy;
	tls.directory = directory;
	world.writeConfig();
	const { kubeproxyd } = await startBoth(world);
	const { port } = kubeproxyd;
	const alice = await person(world, kubeproxyd, 'alice', ['engineering']);
	const first = await shown(port, 'localhost');
	assert.equal(await shown(port, ''), first, 'no name');
	assert.equal(await shown(port, 'nobody.example'), first, 'a name that nobody has');
	assert.equal(await shown(port, 'a.example'), 'a');
	assert.equal(await shown(port, 'x.wild.example'), 'wild');
	assert.equal(await shown(port, 'x.y.wild.example'), first, 'a wildcard is one label');
	assert.equal(await shown(port, 'B.example'), 'wild');

	const base = `/clusters/${nameOf(CLUSTERS[0])}/api/v1/namespaces/default`;
	const session = alice.h2();
	const watch = await alice.open(session, `${base}/configmaps?watch=true`);
	let events = '';
	watch.setEncoding('utf8').on('data', (text) => (events += text));
	const put = (name) => world.api(CLUSTERS[0])('POST', '/objects', { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'default' } });
	await put('before');
	await until('the watch runs', async () => events.includes('before'));

	make(tls.certificate, tls.key, 'renewed', 'DNS:localhost,IP:127.0.0.1');
	make(...named('a'), 'a-renewed', 'DNS:a.example');
	await kubeproxyd.log('main', 'reloaded', /.*/, { from: kubeproxyd.reload() });
	assert.deepEqual([await shown(port, 'localhost'), await shown(port, 'a.example')], ['renewed', 'a-renewed']);
	await put('behind');
	await until('the watch goes on', async () => events.includes('behind'));
	assert.equal((await alice.ask(session, `${base}/pods`)).status, 200, 'on the connection that was there');
	assert.ok(!watch.closed && !session.closed);

	rmSync(named('wild')[1]);
	writeFileSync(named('a')[0], 'nonsense');
	const from = kubeproxyd.reload();
	await kubeproxyd.log('main', 'reload-refused', /wild-key.pem/, { from });
	await kubeproxyd.log('main', 'reload-refused', /a.pem/, { from });
	assert.deepEqual([await shown(port, 'b.example'), await shown(port, 'a.example')], ['wild', 'a-renewed']);
	session.destroy();
});
