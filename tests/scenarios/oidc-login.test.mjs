// People with ID tokens: kubectl works with one, whatever its algorithm; claims become user, groups and scope; what is
// wrong with a token is told, and no token ever reaches a log or an API server.
import assert from 'node:assert/strict';
import { CLUSTERS, makeCertificate, nameOf, person, scenario, startBoth } from './harness.mjs';
import { addIssuer, Bearer } from './tokens.mjs';
import { makeKey, makeToken } from '../sim/oidc/keys.mjs';

const [prod, , second] = CLUSTERS;
const pods = (cluster) => `/clusters/${nameOf(cluster)}/api/v1/namespaces/default/pods`;
const ALGORITHMS = ['RS256', 'PS256', 'ES256', 'ES384', 'ES512', 'EdDSA'];

function badTokens(issuer, other) {
	const now = Math.floor(Date.now() / 1000);
	const stranger = makeKey('RS256', issuer.key.kid);
	const ec = issuer.keys.find((key) => key.algorithm === 'ES256');
	const publicPem = issuer.key.publicKey.export({ type: 'spki', format: 'pem' });
	const good = issuer.token();
	const [head, body, signature] = good.split('.');
	return [
		['no algorithm', makeToken(issuer.key, issuer.claims(), { header: { alg: 'none' } }), /algorithm/],
		['HMAC with the public key', issuer.token({}, { header: { alg: 'HS256' }, mac: publicPem }), /algorithm/],
		['an algorithm that is not on the list', issuer.token({}, { key: issuer.keys.at(-1) }), /RS512 is not among/],
		['a forged signature', issuer.token({}, { key: stranger }), /signature is not that of its issuer/],
		['the kid of another kind', issuer.token({}, { header: { kid: ec.kid } }), /no such key/],
		['an unknown kid', issuer.token({}, { header: { kid: 'gone' } }), /no such key/],
		[
			'a key of its own',
			issuer.token({}, { key: stranger, header: { kid: undefined, jwk: stranger.jwk } }),
			/signature/,
		],
		['another issuer', issuer.token({ iss: 'https://127.0.0.1:1' }), /no issuer that is configured/],
		['a token of the other issuer that names this one', makeToken(other.key, issuer.claims()), /no such key/],
		['another audience', issuer.token({ aud: 'eksgate-dev' }), /for somebody else/],
		['an audience that begins like ours', issuer.token({ aud: ['eksgat', 'eksgatee'] }), /for somebody else/],
		['an end in the past', issuer.token({ exp: now - 5 }), /expired/],
		['a begin in the future', issuer.token({ nbf: now + 600 }), /future/],
		['no end', issuer.token({ exp: undefined }), /exp is missing/],
		['a key twice', makeToken(issuer.key, `{"sub":"x",${JSON.stringify(issuer.claims()).slice(1)}`), /repeated keys/],
		['no user', issuer.token({ sub: undefined }), /names the user/],
		['a NUL in a claim that roles may ask for', issuer.token({ team: ['a', 'b\0'] }), /its team holds a NUL/],
		['a NUL in its issuer', issuer.token({ iss: `${issuer.url}\0` }), /its iss holds a NUL/],
		['a user of Kubernetes', issuer.token({ sub: 'system:admin' }), /system:/],
		['an AWS identity', issuer.token({ sub: 'arn:aws:iam::123456789012:user/a' }), /begins with arn:/],
		['a group that is none', issuer.token({ groups: ['a', 1] }), /groups/],
		['nothing that is a token', 'eyJ.x', /kind|three parts/],
		['a changed body', `${head}.${Buffer.from(JSON.stringify(issuer.claims({ sub: 'root' }))).toString('base64url')}.${signature}`, /signature/],
		['a changed letter', `${head}.${body}.${signature.slice(0, -4)}AAAA`, /signature/],
		['a huge token', issuer.token({ pad: 'x'.repeat(20000) }), /longer than 16384/],
		['deep nesting', makeToken(issuer.key, `${'{"a":'.repeat(200)}1${'}'.repeat(200)}`), /claims are not a JSON object/],
	];
}

scenario('OIDC login', async (world) => {
	const settings = { algorithms: ALGORITHMS, cluster_claim: 'eksgate_cluster' };
	const issuer = await addIssuer(world, { algorithms: [...ALGORITHMS, 'RS512'], settings });
	const other = await addIssuer(world, { settings: { username_prefix: 'ext:', required_claims: ['hd=example.com'] } });
	const { kubeproxyd } = await startBoth(world);
	const bearer = (token, identity) => new Bearer(world, kubeproxyd, token, identity);
	const get = (token, cluster = prod) => bearer(token).request(pods(cluster));

	for (const key of issuer.keys.slice(0, -1)) {
		const answer = await get(issuer.token({ groups: ['engineering'] }, { key }));
		assert.equal(answer.status, 200, `${key.algorithm}: ${answer.text}`);
	}
	// An end that no clock reaches.
	for (const exp of [9999999999, 99999999999]) {
		const ageless = issuer.token({ groups: ['engineering'], exp });
		for (let i = 0; i < 2; i++) assert.equal((await get(ageless)).status, 200, `${exp}`);
	}
	const alice = bearer(issuer.token({ groups: 'engineering' }));
	assert.match(await alice.kubectlOk(nameOf(prod), ['get', 'pods']), /web-1/);
	assert.equal(await alice.kubectlOk(nameOf(prod), ['exec', 'web-1', '--', 'echo', 'hello']), 'hello\n');
	const seen = (await world.received(prod)).at(-1);
	assert.deepEqual([seen.user, seen.groups[0]], ['alice', 'developers']);

	assert.equal((await get(other.token({ sub: 'victor', hd: 'example.com' }))).status, 403, 'ext:victor has no role');
	assert.match((await get(other.token({ sub: 'x' }))).json.message, /hd is not what is required/);

	for (const [name, token, reason] of badTokens(issuer, other)) {
		const answer = await get(token);
		assert.equal(answer.status, 401, `${name}: ${answer.text}`);
		assert.match(answer.json.message, reason, name);
		assert.equal(answer.json.reason, 'Unauthorized');
	}
	const shown = await bearer(issuer.token({ aud: 'x' })).kubectl(nameOf(prod), ['get', 'pods']);
	assert.match(shown.stderr, /must be logged in to the server|for somebody else/);

	const groups = ['engineering'];
	for (const more of [{ eksgate_cluster: nameOf(prod) }, { aud: `eksgate/clusters/${nameOf(prod)}` }]) {
		const scoped = issuer.token({ groups, ...more });
		assert.equal((await get(scoped)).status, 200);
		const refused = await get(scoped, second);
		assert.equal(refused.status, 403);
		assert.match(refused.json.message, /only for cluster/);
	}
	for (const scope of ['', '../x', 7])
		assert.match((await get(issuer.token({ groups, eksgate_cluster: scope }))).json.message, /name of a cluster/);

	const certified = await person(world, kubeproxyd, 'alice', ['engineering']);
	const both = { cert: certified.certificate, key: certified.key };
	assert.equal((await bearer(issuer.token({ groups }), both).request(pods(prod))).status, 200);
	const mixed = await bearer(issuer.token({ sub: 'bob', groups }), both).request(pods(prod));
	assert.equal(mixed.status, 401);
	assert.match(mixed.json.message, /do not agree/);
	// Nor do two that are each for another cluster; one scope restricts both.
	const narrow = await makeCertificate(world, 'alice', ['engineering'], '1h', nameOf(prod));
	const scoped = { cert: narrow.certificate, key: narrow.key };
	const there = issuer.token({ groups, eksgate_cluster: nameOf(second) });
	for (const cluster of [prod, second]) {
		const torn = await bearer(there, scoped).request(pods(cluster));
		assert.equal(torn.status, 401, torn.text);
		assert.match(torn.json.message, /each is for another cluster/);
	}
	const here = issuer.token({ groups, eksgate_cluster: nameOf(prod) });
	for (const token of [here, issuer.token({ groups })]) {
		assert.equal((await bearer(token, scoped).request(pods(prod))).status, 200);
		assert.equal((await bearer(token, scoped).request(pods(second))).status, 403);
	}
	assert.equal((await bearer(there, both).request(pods(second))).status, 200);
	assert.equal((await bearer(there, both).request(pods(prod))).status, 403);

	assert.match((await certified.request(pods(prod), { headers: { authorization: 'Basic eDp5' } })).json.message, /Bearer/);
	const nobody = await certified.request(pods(prod), { headers: { authorization: 'Bearer' } });
	assert.equal(nobody.status, 401);

	const body = alice.token.split('.')[1];
	assert.ok(!kubeproxyd.stderr.includes(body) && !kubeproxyd.stderr.includes(alice.token.split('.')[2]));
	for (const { headers } of await world.received(prod)) assert.ok(!JSON.stringify(headers).includes(body));
	await issuer.close();
	await other.close();
});
