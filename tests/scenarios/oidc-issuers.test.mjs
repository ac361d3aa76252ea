// Issuers that are down, slow, huge or lying hold up nobody but the people of their own; keys are fetched anew when a token
// names an unknown one, and not for each; what a token began ends with it, and with the settings that let it in.
import assert from 'node:assert/strict';
import { CLUSTERS, nameOf, person, scenario, startBoth, until } from './harness.mjs';
import { addIssuer, Bearer } from './tokens.mjs';
import { makeKey, makeToken } from '../sim/oidc/keys.mjs';

const [prod] = CLUSTERS;
const pods = `/clusters/${nameOf(prod)}/api/v1/namespaces/default/pods`;
const groups = ['engineering'];
const CHEAP = { algorithms: ['ES256'] }; // a key that is made quickly, where no key matters

// What an issuer answers for its discovery document.
const lies = {
	huge: (response) => {
		response.writeHead(200, { 'content-type': 'application/json' });
		response.end(`{"issuer":"${'x'.repeat(400000)}"}`);
	},
	lying: (response) =>
		response.end(JSON.stringify({ issuer: 'https://127.0.0.1:1', jwks_uri: 'https://127.0.0.1:1/keys' })),
	plain: (response, url) => response.end(JSON.stringify({ issuer: url, jwks_uri: 'http://127.0.0.1:1/keys' })),
	broken: (response) => response.end('<html>'),
	failing: (response) => response.writeHead(500).end(),
};

const SECRET = { kty: 'oct', kid: 'secret', alg: 'HS256', use: 'sig', k: Buffer.from('secret').toString('base64url') };

// The same for its keys, behind a discovery document that is right.
const badKeys = {
	huge: (response, issuer) => {
		response.writeHead(200, { 'content-type': 'application/json' });
		response.end(JSON.stringify({ keys: issuer.keys.map(({ jwk }) => jwk), padding: 'x'.repeat(400000) }));
	},
	endless: (response) => {
		const timer = setInterval(() => response.write(' '.repeat(65536)), 5);
		response.on('close', () => clearInterval(timer));
	},
	'cut short': (response, issuer) => {
		const text = JSON.stringify({ keys: issuer.keys.map(({ jwk }) => jwk) });
		response.writeHead(200, { 'content-length': text.length + 1 });
		response.write(text, () => response.destroy());
	},
	'sent elsewhere': (response, issuer) => response.writeHead(302, { location: `${issuer.url}/other` }).end(),
	'a shared secret': (response) => response.end(JSON.stringify({ keys: [SECRET] })),
	'no list': (response) => response.end('{"keys":{}}'),
	failing: (response) => response.writeHead(500).end(),
};

scenario('OIDC issuers', async (world) => {
	const good = await addIssuer(world);
	const slow = await addIssuer(world, CHEAP);
	slow.faults.discovery = () => {};
	const bad = {};
	for (const [name, fault] of Object.entries(lies)) {
		bad[name] = await addIssuer(world, CHEAP);
		bad[name].faults.discovery = (response) => fault(response, bad[name].url);
	}
	const slowKeys = await addIssuer(world, CHEAP);
	slowKeys.faults.keys = () => {};
	for (const [name, fault] of Object.entries(badKeys)) {
		const issuer = await addIssuer(world, CHEAP);
		issuer.faults.keys = (response) => fault(response, issuer);
		bad[`keys: ${name}`] = issuer;
	}
	const turning = await addIssuer(world);
	const { kubeproxyd } = await startBoth(world);
	const get = (token) => new Bearer(world, kubeproxyd, token).request(pods);

	const late = [slow, slowKeys].map((issuer) => get(issuer.token({ groups })));
	for (const answer of late) answer.catch(() => {}); // told at the end, unless something else failed before
	const lasting = turning.token({ groups });
	assert.equal((await get(lasting)).status, 200);
	for (const [name, issuer] of Object.entries(bad)) {
		const answer = await get(issuer.token({ groups }));
		assert.equal(answer.status, 503, `${name}: ${answer.text}`);
		assert.ok(answer.headers['retry-after'], name);
	}
	const forged = makeToken(good.key, bad['keys: a shared secret'].claims({ groups }), {
		header: { alg: 'HS256', kid: 'secret' },
		mac: 'secret',
	});
	assert.notEqual((await get(forged)).status, 200, 'a published secret signs nothing');
	const alice = await person(world, kubeproxyd, 'alice', groups);
	assert.equal((await alice.request(pods)).status, 200, 'certificates do not wait');
	assert.equal((await get(good.token({ groups }))).status, 200, 'other issuers do not wait');
	assert.match(kubeproxyd.stderr, /room=oidc event=keys-not-fetched [^\n]*names another issuer/);
	assert.match(kubeproxyd.stderr, /room=oidc event=keys-not-fetched [^\n]*not https/);
	assert.match(kubeproxyd.stderr, /room=oidc event=keys-not-fetched [^\n]*jwks_uri[^\n]*no key that signatures/);

	const next = makeKey('RS256');
	const old = good.token({ groups });
	assert.equal((await get(old)).status, 200);
	good.keys = [next];
	await until('the new key is known', async () => (await get(good.token({ groups }))).status === 200, {
		timeoutMs: 20000,
	});
	assert.equal((await get(old)).status, 401, 'what the key that is gone had signed is refused, though it was known');

	turning.faults.keys = (response) => response.end('<html>');
	const asked = turning.requests.keys;
	const newer = makeKey('ES256');
	await until('it is asked for keys again', async () => {
		assert.notEqual((await get(turning.token({ groups }, { key: newer }))).status, 200);
		return turning.requests.keys > asked;
	});
	await kubeproxyd.waitFor(/event=keys-not-fetched [^\n]*jwks_uri[^\n]*has_older=true/);
	const unclear = await get(turning.token({ groups }, { key: newer }));
	assert.deepEqual([unclear.status, unclear.headers['retry-after']], [503, '5'], unclear.text);
	assert.match(unclear.json.message, /no known key of the issuer https:[^ ]* signed it \(its keys/);
	assert.equal((await get(lasting)).status, 200, 'keys that are known outlast an answer that has none');
	delete turning.faults.keys;
	await until('a key that it does not tell is none', async () => {
		const { status } = await get(turning.token({ groups }, { key: newer }));
		return status === 401;
	});

	const since = Date.now();
	const before = good.requests.keys;
	const answers = await Promise.all(
		Array.from({ length: 20 }, (_, i) => get(good.token({ groups }, { header: { kid: `unknown-${i}` } }))),
	);
	assert.ok(answers.every(({ status }) => status === 401));
	for (let i = 0; i < 10; i++)
		assert.equal((await get(good.token({ groups }, { header: { kid: `later-${i}` } }))).status, 401);
	const most = 1 + Math.floor((Date.now() - since) / 10000); // one in ten seconds
	assert.ok(good.requests.keys - before <= most, `${good.requests.keys - before} refreshes`);

	const brief = good.token({ groups, exp: Math.floor(Date.now() / 1000) + 3 });
	const watch = new Bearer(world, kubeproxyd, brief);
	const open = watch.startKubectl(nameOf(prod), ['exec', '-i', 'web-1', '--', 'cat'], { stdin: 'pipe' });
	open.child.stdin.write('running\n');
	await open.waitFor(/running/, { stream: 'stdout' });
	const cut = Date.now();
	await open.ended;
	assert.ok(Date.now() - cut < 9000, 'a tunnel ends within five seconds of its token');
	await kubeproxyd.waitFor(/the credential has expired/);
	assert.match((await get(brief)).json.message, /expired/, 'no replay after the end');

	const long = new Bearer(world, kubeproxyd, good.token({ groups }));
	const second = long.startKubectl(nameOf(prod), ['exec', '-i', 'web-1', '--', 'cat'], { stdin: 'pipe' });
	second.child.stdin.write('running\n');
	await second.waitFor(/running/, { stream: 'stdout' });
	let from = kubeproxyd.reload();
	await kubeproxyd.waitFor(/event=reloaded/, { from });
	assert.ok(!second.isEnded, 'a reload that changes nothing about logins leaves them alone');
	world.config.eksgate.proxy.login.oidc[0].audiences = ['somebody-else'];
	world.writeConfig();
	from = kubeproxyd.reload();
	await kubeproxyd.waitFor(/event=reloaded/, { from });
	await second.ended;
	await until('the old audience is refused', async () => (await get(long.token)).status === 401);
	for (const answer of await Promise.all(late)) {
		assert.equal(answer.status, 503, 'whoever needs a slow one is told after its time');
	}
	for (const issuer of [good, slow, slowKeys, turning, ...Object.values(bad)]) await issuer.close();
});
