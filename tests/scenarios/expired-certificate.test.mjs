// Certificates that are expired, not for clients, or of another authority get a 401 that says so; one that expires while its
// connection is open is refused at the next request, and what it began ends with it.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { Agent } from 'node:https';
import { forgeCertificate, MATCHED, Person, scenario, startBoth, until } from './harness.mjs';

const path = `/clusters/${MATCHED[0]}/api/v1/namespaces/default/pods`;

function otherAuthority(world) {
	const ca = { cert: world.path('other.pem'), key: world.path('other.key') };
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
			'/CN=somebody else',
		],
		{ stdio: ['ignore', 'ignore', 'pipe'] },
	);
	return ca;
}

scenario('an expired client certificate', async (world) => {
	const { kubeproxyd } = await startBoth(world);
	const cases = [
		[forgeCertificate(world, '/O=engineering/CN=late', { seconds: -60 }), /expired/],
		[
			forgeCertificate(world, '/O=engineering/CN=server', { extensions: 'extendedKeyUsage=serverAuth' }),
			/purpose|client/,
		],
		[forgeCertificate(world, '/O=engineering/CN=foreign', { ca: otherAuthority(world) }), /certificate/],
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
});
