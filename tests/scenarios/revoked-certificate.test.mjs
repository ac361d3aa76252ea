// Revocation lists: with SIGHUP a certificate on one is refused and what it runs is cut, others of its authority and those of
// an authority without a list go on; a list of a stranger is refused, and one that is overdue refuses its authority's people:
// what they have open is cut, too, with the reload or when it becomes overdue later. What runs: tunnels, watches and requests
// under way, in every instance.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { Agent } from 'node:https';
import tls from 'node:tls';
import { CLUSTERS, forgeCertificate, nameOf, Person, person, scenario, startBoth, startKubeproxyd } from './harness.mjs';
import { underWay } from './under_way.mjs';

const [prod] = CLUSTERS;
const path = `/clusters/${nameOf(prod)}/api/v1/namespaces/default/pods`;
const openssl = (...args) => execFileSync('openssl', args, { stdio: ['ignore', 'ignore', 'pipe'] });

function makeAuthority(world, name) {
	const ca = { cert: world.path(`${name}.pem`), key: world.path(`${name}.key`) };
	const ec = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
	openssl('req', '-x509', ...ec, '-keyout', ca.key, '-out', ca.cert, '-days', '1', '-subj', `/CN=${name}`);
	return ca;
}

// A connection that says nothing.
function connect(who) {
	return new Promise((resolve, reject) => {
		const { certificate: cert, key } = who;
		const socket = tls.connect({ host: '127.0.0.1', port: who.proxy.port, cert, key, rejectUnauthorized: false });
		socket.once('secureConnect', () => resolve(socket.resume()));
		socket.once('error', reject);
	});
}

// A list of `ca` with these certificates (PEM) on it, in the file `name`.
function makeList(world, ca, name, revoked, times = ['-crldays', '1']) {
	const config = world.path(`${name}.cnf`);
	const index = world.path(`${name}.index`);
	writeFileSync(index, '');
	writeFileSync(config, `[ca]\ndefault_ca=one\n[one]\ndatabase=${index}\ndefault_md=sha256\n`);
	const signing = ['-config', config, '-cert', ca.cert, '-keyfile', ca.key];
	for (const [i, pem] of revoked.entries()) {
		writeFileSync(world.path(`${name}-${i}.pem`), pem);
		openssl('ca', ...signing, '-revoke', world.path(`${name}-${i}.pem`));
	}
	openssl('ca', ...signing, '-gencrl', ...times, '-out', world.path(name));
	return world.path(name);
}

scenario('a revoked certificate', async (world) => {
	const { kubeproxyd } = await startBoth(world);
	const second = await startKubeproxyd(world, 'second');
	await second.untilServed(await kubeproxyd.names());
	const instances = [kubeproxyd, second];
	const { client_ca: cert, client_ca_key: key } = world.config.eksgate.proxy;
	const own = { cert, key };
	const secondAuthority = makeAuthority(world, 'second');
	const stranger = makeAuthority(world, 'stranger');
	appendFileSync(cert, readFileSync(secondAuthority.cert));
	const reload = async (lists, event) => {
		world.config.eksgate.proxy.client_crls = lists;
		world.writeConfig();
		const from = instances.map((instance) => instance.reload());
		await Promise.all(instances.map((instance, i) => instance.waitFor(event, { from: from[i] })));
	};
	await reload(undefined, /event=reloaded/);

	const lost = await person(world, kubeproxyd, 'lost', ['engineering']);
	const alice = await person(world, kubeproxyd, 'alice', ['engineering']);
	const other = new Person(world, kubeproxyd, forgeCertificate(world, '/O=engineering/CN=other', { ca: secondAuthority }));
	for (const who of [lost, alice, other]) assert.equal((await who.request(path)).status, 200);
	const agent = new Agent({ keepAlive: true, maxSockets: 1 });
	assert.equal((await alice.request(path, { agent })).status, 200);
	const running = async (who) => {
		const exec = who.startKubectl(nameOf(prod), ['exec', '-i', 'web-1', '--', 'cat'], { stdin: 'pipe' });
		exec.child.stdin.write('running\n');
		await exec.waitFor(/running/, { stream: 'stdout' });
		return exec;
	};
	// A tunnel, a watch and requests without an answer: {ended(), isOpen(), end()}.
	const everything = async (who) => {
		const exec = await running(who);
		const h2 = who.h2();
		const watch = await who.open(h2, `${path}?watch=true`);
		watch.resume();
		const closed = new Promise((resolve) => {
			watch.on('close', resolve);
		});
		const requests = await underWay(world, prod, who);
		const end = () => {
			requests.end();
			h2.destroy();
			return exec.kill('SIGKILL');
		};
		const isOpen = () => !exec.isEnded && !watch.closed && requests.isOpen();
		return { ended: () => Promise.all([exec.ended, closed, requests.ended()]).then(end), isOpen, end };
	};
	// More than are proved again at once, before those that are revoked.
	const crowd = await Promise.all(Array.from({ length: 150 }, () => connect(alice)));
	const there = new Person(world, second, { ...lost, name: 'lost-there' });
	const opened = await Promise.all([lost, there].map(everything));
	const kept = await everything(new Person(world, second, { ...alice, name: 'alice-there' }));

	const list = makeList(world, own, 'own.crl', [lost.certificate]);
	await reload([list], /event=reloaded/);
	const started = Date.now();
	await Promise.all(opened.map(({ ended }) => ended()));
	assert.ok(Date.now() - started < 5000, `tunnels, watches and requests are cut in both instances: ${Date.now() - started} ms`);
	assert.ok(kept.isOpen(), "another's go on");
	assert.ok(!crowd.some(({ destroyed, readableEnded }) => destroyed || readableEnded), "and another's on the same instance");
	for (const socket of crowd) socket.destroy();
	await kept.end();
	for (const who of [lost, there]) {
		const refused = await who.request(path);
		assert.equal(refused.status, 401);
		assert.match(refused.json.message, /revoked/);
	}
	assert.equal((await alice.request(path, { agent })).status, 200, 'the open connection of another goes on');
	for (const who of [alice, other]) assert.equal((await who.request(path)).status, 200);

	const wrong = makeList(world, stranger, 'stranger.crl', []);
	await reload([list, wrong], /reload-refused [^\n]*stranger\.crl: [^\n]*signed by no authority/);
	writeFileSync(world.path('empty.crl'), '');
	await reload([world.path('empty.crl')], /reload-refused [^\n]*no PEM revocation list/);
	assert.equal((await lost.request(path)).status, 401, 'the list in force stays');

	const stands = await running(alice);
	const times = ['-crl_lastupdate', '20200101000000Z', '-crl_nextupdate', '20200102000000Z'];
	await reload([makeList(world, own, 'late.crl', [], times)], /revocation-list-overdue[^]*event=reloaded/);
	assert.match((await alice.request(path)).json.message, /CRL has expired/i);
	assert.equal((await other.request(path)).status, 200, 'another authority has no list');
	await stands.ended;
	await reload(undefined, /event=reloaded/);
	for (const who of [lost, alice]) assert.equal((await who.request(path)).status, 200);
	agent.destroy();

	// Without a reload: what stands is cut when its list becomes overdue.
	const [runs, untouched] = [await running(alice), await running(other)];
	const from = kubeproxyd.stderr.length;
	await reload([makeList(world, own, 'soon.crl', [], ['-crlsec', '2'])], /event=reloaded/);
	const end = Date.now() + 2000;
	assert.equal((await alice.request(path)).status, 200);
	await runs.ended;
	assert.ok(Date.now() - end < 5000, 'within 5 s');
	await kubeproxyd.waitFor(/revocation-list-overdue/, { from });
	assert.match((await alice.request(path)).json.message, /CRL has expired/i);
	untouched.child.stdin.end('to the end\n');
	await untouched.waitFor(/to the end/, { stream: 'stdout' });
});
