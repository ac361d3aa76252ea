// Certificates that are expired, not for clients, or of another authority get a 401 that says so; one that expires while its
// connection is open is refused at the next request, and what it began ends with it, as with a certificate of its authority's,
// of resumed connections, too.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { Agent } from 'node:https';
import { forgeCertificate, MATCHED, Person, scenario, startBoth, until } from './harness.mjs';

const path = `/clusters/${MATCHED[0]}/api/v1/namespaces/default/pods`;

function makeAuthority(world, name) {
	const ca = { cert: world.path(`${name}.pem`), key: world.path(`${name}.key`) };
	execFileSync(
		'openssl',
		[
			'req',
			'-x509',
			'-newkey',
			'ec',
			'-pkeyopt',
			'ec_paramgen_curve:P-256',
			'-nodes',
			'-keyout',
			ca.key,
			'-out',
			ca.cert,
			'-days',
			'1',
			'-subj',
			`/CN=${name}`,
		],
		{ stdio: ['ignore', 'ignore', 'pipe'] },
	);
	return ca;
}

// An authority under another, whose certificate clients send along with their own.
function intermediateAuthority(world, root, name, seconds) {
	const { certificate, key } = forgeCertificate(world, `/CN=${name}`, {
		ca: root,
		seconds,
		extensions: 'basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign',
	});
	const ca = { cert: world.path(`${name}.pem`), key: world.path(`${name}.key`), certificate };
	writeFileSync(ca.cert, certificate);
	writeFileSync(ca.key, key);
	return ca;
}

function certificateOf(world, ca, subject) {
	const forged = forgeCertificate(world, subject, { ca });
	return { ...forged, certificate: forged.certificate + ca.certificate };
}

scenario('an expired client certificate', async (world) => {
	const { kubeproxyd } = await startBoth(world);
	const root = makeAuthority(world, 'root');
	appendFileSync(world.config.eksgate.proxy.client_ca, readFileSync(root.cert));
	await kubeproxyd.waitFor(/event=reloaded/, { from: kubeproxyd.reload() });
	const cases = [
		[forgeCertificate(world, '/O=engineering/CN=late', { seconds: -60 }), /expired/],
		[
			forgeCertificate(world, '/O=engineering/CN=server', { extensions: 'extendedKeyUsage=serverAuth' }),
			/purpose|client/,
		],
		[forgeCertificate(world, '/O=engineering/CN=foreign', { ca: makeAuthority(world, 'somebody else') }), /certificate/],
	];
	for (const [credentials, message] of cases) {
		const answer = await new Person(world, kubeproxyd, credentials).request(path);
		assert.equal(answer.status, 401, credentials.name);
		assert.equal(answer.json.reason, 'Unauthorized');
		assert.match(answer.json.message, message);
	}
	const late = new Person(world, kubeproxyd, cases[0][0]);
	const shown = await late.kubectl(MATCHED[0], ['get', '--raw', '/api/v1/namespaces/default/pods']);
	assert.match(shown.stderr, /must be logged in to the server.*expired/);

	// The authority of these ends before they do, and of one earlier; what is of another goes on.
	const brieflyOf = intermediateAuthority(world, root, 'brief-authority', 9);
	const authorityEnd = Date.now() + 9000;
	const covered = new Person(world, kubeproxyd, certificateOf(world, brieflyOf, '/O=engineering/CN=covered'));
	const open = async (who, options) => {
		const session = who.h2(options);
		const tickets = [];
		session.on('connect', (_, socket) => socket.on('session', (ticket) => tickets.push(ticket)));
		const watch = await who.open(session, `${path}?watch=true`);
		const closed = new Promise((resolve) => watch.on('close', () => resolve(Date.now())));
		watch.resume();
		await until('a ticket came', () => tickets.length > 0);
		return { session, watch, closed, ticket: tickets.at(-1) };
	};
	const full = await open(covered);
	const resumed = await open(covered, { session: full.ticket });
	assert.ok(resumed.session.socket.isSessionReused());
	const first = intermediateAuthority(world, root, 'first-authority', 5);
	const earlier = await open(new Person(world, kubeproxyd, certificateOf(world, first, '/O=engineering/CN=earlier')));
	const lasting = intermediateAuthority(world, root, 'lasting-authority', 3600);
	const other = await open(new Person(world, kubeproxyd, certificateOf(world, lasting, '/O=engineering/CN=other')));
	const tunnel = covered.startKubectl(MATCHED[0], ['exec', '-i', 'web-1', '--', 'cat'], { stdin: 'pipe' });
	tunnel.child.stdin.write('running\n');
	await tunnel.waitFor(/running/, { stream: 'stdout' });

	// What a certificate began ends with it.
	const ending = new Person(world, kubeproxyd, forgeCertificate(world, '/O=engineering/CN=ending', { seconds: 6 }));
	const expiry = Date.now() + 6000;
	const session = ending.h2();
	const watch = await ending.open(session, `${path}?watch=true`);
	watch.resume();
	const exec = ending.startKubectl(MATCHED[0], ['exec', '-i', 'web-1', '--', 'cat'], { stdin: 'pipe' });
	exec.child.stdin.write('running\n');
	await exec.waitFor(/running/, { stream: 'stdout' });
	await Promise.all([exec.ended, watch.closed || new Promise((resolve) => watch.on('close', resolve))]);
	assert.ok(Date.now() - expiry < 5000, 'a watch and a tunnel end within five seconds of their certificate');
	session.destroy();

	const brief = new Person(world, kubeproxyd, forgeCertificate(world, '/O=engineering/CN=brief', { seconds: 4 }));
	const agent = new Agent({ keepAlive: true, maxSockets: 1 });
	assert.equal((await brief.request(path, { agent })).status, 200);
	const refused = await until('the refusal after expiry', async () => {
		const answer = await brief.request(path, { agent });
		return answer.status === 401 && answer;
	});
	assert.match(refused.json.message, /expired/);
	agent.destroy();

	assert.ok((await earlier.closed) < (await full.closed), 'the first authority to end');
	for (const ended of await Promise.all([full.closed, resumed.closed, tunnel.ended.then(() => Date.now())])) {
		assert.ok(ended >= authorityEnd - 1000, 'not before the end of the authority');
		assert.ok(ended - authorityEnd < 5000, `within five seconds of it: ${ended - authorityEnd} ms`);
	}
	await kubeproxyd.waitFor(/event=authority-expired .*ended=\d{4}-\d\d-\d\dT.* connections=\d/);
	assert.match((await covered.request(path)).json.message, /not accepted: the certificate of its authority has expired/);
	assert.ok(!other.watch.closed, 'the watch of another authority goes on');
	other.session.destroy();
});
