// What went wrong in others that stand where this proxy stands (reference kube.md 2.4), advisory by advisory, asked of this
// one. Most have tables of their own elsewhere; here is one attack each, under the name it is known by.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { CLUSTERS, command, ended, nameOf, OWN, person, scenario, startBoth, until } from './harness.mjs';
import { frame, FRAME, headers as head, RawH2 } from '../clients/raw_h2.mjs';
import { makeAwsToken } from '../sim/aws/token.mjs';
import { addIssuer, Bearer } from './tokens.mjs';

const [prod, , , , staging] = CLUSTERS;
const base = `/clusters/${nameOf(prod)}`;
const pods = `${base}/api/v1/namespaces/default/pods`;
const exec = `${pods}/web-1/exec?command=true&stdout=true`;
const denied = `/clusters/${nameOf(staging)}/api/v1/namespaces/default/pods`;
const ID = 'https://kube.example.com';
const HELPDESK = `kind: role
version: v8
metadata: {name: helpdesk}
spec:
  allow:
    kubernetes_labels: {'*': '*'}
    kubernetes_groups: [viewers]
    kubernetes_impersonate: {users: ['*'], groups: ['*'], service_accounts: ['*'], extra: {original-user.eksgate.io: ['*'], scopes: ['*']}}
---
kind: role_binding
version: v1
metadata: {name: helpdesk}
spec: {roles: [helpdesk], users: [hanna]}
`;
const upgrade = [
	`GET ${exec} HTTP/1.1`,
	'Host: x',
	'Connection: Upgrade',
	'Upgrade: websocket',
	'Sec-WebSocket-Version: 13',
	'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
	'Sec-WebSocket-Protocol: v5.channel.k8s.io',
	'',
	'',
].join('\r\n');

const toPods = [[':method', 'GET'], [':scheme', 'https'], [':authority', 'x'], [':path', pods]];
const of = ({ headers }, name) => headers.filter(([n]) => n.toLowerCase() === name).map(([, value]) => value);

// [known as, what was wrong, the attack]
const ADVISORIES = [
	['CVE-2018-1002105', 'a failed upgrade was a tunnel', async ({ alice, fault, sent }) => {
		await fault({ kind: 'no-upgrade', path: '/exec' });
		const answer = await alice.raw(`${upgrade}GET /api/v1/secrets HTTP/1.1\r\nHost: x\r\n\r\n`);
		assert.deepEqual([answer.status, answer.isClosed], [200, true]);
		assert.ok(!(await sent()).some(({ target }) => target === '/api/v1/secrets'));
	}],
	['CVE-2021-31999, CVE-2022-23652, GHSA-m697-4v8f-55qg', 'Connection removed the injected identity', async ({ alice, rawH2, sent }) => {
		const lists = ['Connection:\tclose ,  Impersonate-User', 'Connection: IMPERSONATE-GROUP,authorization'];
		const answer = await alice.raw(`GET ${pods} HTTP/1.1\r\nHost: x\r\n${lists.join('\r\n')}\r\n\r\n`);
		assert.ok([200, 400].includes(answer.status), answer.text);
		const h2 = await rawH2();
		h2.send(head(1, [...toPods, ['connection', 'impersonate-user']]));
		assert.match(await h2.outcome(1), /^(reset 1|goaway 1|status 400)$/);
		h2.destroy();
		for (const request of await sent()) {
			assert.deepEqual([request.user, request.groups[0], of(request, 'impersonate-user')], ['alice', 'developers', ['alice']]);
			assert.deepEqual(of(request, 'connection'), []);
		}
	}],
	['CVE-2023-48312', 'whom the authenticator did not vouch for was let in', async ({ world, kubeproxyd, dev, sent }) => {
		const token = new Bearer(world, kubeproxyd, makeAwsToken(dev, ID));
		await world.aws('POST', '/faults', { operation: 'sts:GetCallerIdentity', kind: 'html', times: 1 });
		assert.equal((await token.request(pods)).status, 503);
		assert.equal((await sent()).length, 0);
		assert.equal((await token.request(pods)).status, 200);
	}],
	['CVE-2023-46254', 'what was cached for one was taken for another', async ({ world, kubeproxyd, alice, victor }) => {
		const namesake = await person(world, kubeproxyd, 'alice');
		const session = victor.h2();
		for (let i = 0; i < 3; i++) {
			assert.equal((await victor.ask(session, pods)).status, 200);
			assert.equal((await victor.ask(session, denied)).status, 404, 'another cluster');
			assert.equal((await alice.request(pods)).status, 200);
			assert.equal((await namesake.request(pods)).status, 403, 'the same name without the group');
		}
		session.destroy();
	}],
	['capsule-proxy #5, #32', 'one of two selectors was looked at', async ({ alice, sent }) => {
		for (const query of ['labelSelector=a&labelSelector=b', 'labelSelector&labelSelector=b', 'labelSelector=a&label%53elector='])
			assert.equal((await alice.request(`${pods}?${query}`)).status, 400, query);
		assert.equal((await sent()).length, 0);
	}],
	['GHSA-c7xh-gjv4-4jgv', 'who may impersonate became an administrator', async ({ hanna, sent }) => {
		const ask = (headers) => hanna.request(pods, { headers });
		for (const group of ['system:masters', 'system:nodes', 'system:serviceaccounts', 'system:serviceaccounts:kube-system'])
			assert.equal((await ask({ 'impersonate-user': 'bob', 'impersonate-group': group })).status, 403, group);
		for (const user of ['system:admin', 'system:node:node-1', 'system:kube-controller-manager', 'system:serviceaccount:kube-system:default'])
			assert.equal((await ask({ 'impersonate-user': user })).status, 403, user);
		assert.equal((await sent()).length, 0);
	}],
	['GHSA-c8w2-fgvx-vhv4, kubernetes#119631', 'X-Remote-* of the client were kept', async ({ alice, sent }) => {
		const session = alice.h2();
		const headers = { 'x-remote-user': 'root', 'x-remote-group': 'system:masters', 'x-remote-uid': '0', 'x-remote-extra-scopes': 'a', 'x-remote-anything': 'b' };
		assert.equal((await alice.ask(session, pods, { headers })).status, 200);
		session.destroy();
		const [request] = await sent();
		assert.ok(!request.headers.some(([name]) => /^x-remote/i.test(name)));
	}],
	['kcp#4226', 'a reserved key of extras passed when it was percent-encoded', async ({ hanna, sent }) => {
		for (const key of ['original-user.eksgate.io', 'original-user%2eeksgate.io', 'ORIGINAL-USER.EKSGATE%2EIO', 'x%2Foriginal-user.eksgate.io'])
			assert.equal((await hanna.request(pods, { headers: { 'impersonate-user': 'bob', [`impersonate-extra-${key}`]: 'root' } })).status, 403, key);
		assert.equal((await sent()).length, 0);
	}],
	['CVE-2020-8559', 'a redirect of an upgrade was followed', async ({ alice, fault }) => {
		await fault({ kind: 'no-upgrade', path: '/exec', text: 'HTTP/1.1 302 Found\r\nLocation: https://evil.example/\r\nContent-Length: 0\r\n\r\n' });
		const answer = await alice.raw(upgrade);
		assert.ok(answer.status >= 500 && !/evil/.test(answer.text), answer.text);
	}],
	['CVE-2022-3172', 'an API server sent clients, with their credentials, elsewhere', async ({ alice, fault }) => {
		for (const location of ['https://evil.example/', '//evil.example/x', 'https://127.0.0.1.evil.example/']) {
			await fault({ kind: 'redirect', location });
			const answer = await alice.request(pods);
			assert.deepEqual([answer.status >= 500, answer.headers.location], [true, undefined], location);
		}
	}],
	['CVE-2022-3294, CVE-2020-8562', 'a request chose the address that it went to', async ({ alice, sent, endpoint }) => {
		const metadata = '169.254.169.254';
		assert.equal((await alice.raw(`GET http://${metadata}${pods} HTTP/1.1\r\nHost: ${metadata}\r\nConnection: close\r\n\r\n`)).status, 400);
		assert.equal((await alice.raw(`GET ${pods} HTTP/1.1\r\nHost: ${metadata}\r\nConnection: close\r\n\r\n`)).status, 200);
		const [request, ...more] = await sent();
		assert.equal(more.length, 0);
		assert.equal(request.host, new URL(endpoint).host);
	}],
	['GHSA-c45c-39f6-6gw9, GHSA-9ghh-mmcq-8phc', 'sessions outlived the user', async ({ world, alice }) => {
		const session = alice.h2();
		const watch = await alice.open(session, `${pods}?watch=true`);
		watch.resume();
		const isOver = ended(watch);
		const run = (verb) => command(world, 'kubeproxyd', [verb, 'user', 'alice'], world.proxyUser);
		const started = Date.now();
		assert.equal((await run('lock')).code, 0);
		await isOver;
		assert.ok(Date.now() - started < 5000, `${Date.now() - started} ms`);
		assert.equal((await alice.ask(session, pods)).status, 403, 'on the same connection');
		assert.equal((await run('unlock')).code, 0);
		await until('she is let in again', async () => (await alice.ask(session, pods)).status === 200);
		session.destroy();
	}],
	['GHSA-rp4v-hhm6-rcv9', 'a token that had expired was good for more', async ({ world, kubeproxyd, issuer }) => {
		const exp = Math.floor(Date.now() / 1000) + 3;
		const bearer = new Bearer(world, kubeproxyd, issuer.token({ groups: ['engineering'], exp }));
		assert.equal((await bearer.request(pods)).status, 200);
		await until('it expires', async () => (await bearer.request(pods)).status === 401);
		assert.ok(Date.now() >= exp * 1000);
	}],
	['CVE-2021-25320', 'credentials were used before anybody asked who may', async ({ world, kubeproxyd, victor }) => {
		for (const path of [denied, denied.replace('default/pods', 'default/pods/web-1/exec?command=id')])
			assert.equal((await victor.request(path)).status, 404);
		assert.equal((await world.api(staging)('GET', '')).connections, 0, 'nothing was connected');
		const metrics = await kubeproxyd.call('/metrics');
		assert.ok(!new RegExp(`^eksgate_[a-z_]*token[a-z_]*\\{[^}]*${nameOf(staging)}`, 'm').test(metrics), 'no token was made');
	}],
	['CVE-2026-40575', 'the target was taken from a field that anybody can send', async ({ alice, victor, sent }) => {
		const headers = { 'x-forwarded-uri': '/version', 'x-original-url': '/version', 'x-rewrite-url': '/version', 'x-http-method-override': 'GET' };
		assert.equal((await victor.request(denied, { method: 'DELETE', headers })).status, 404);
		assert.equal((await alice.request(pods, { headers })).status, 200);
		const [request] = await sent();
		assert.match(request.target, /\/pods$/);
		assert.deepEqual(of(request, 'x-forwarded-uri'), []);
	}],
	['CVE-2026-32762', 'Forwarded was believed', async ({ alice, sent }) => {
		const headers = { forwarded: 'for=10.0.0.1;host=evil.example', 'x-forwarded-for': '10.0.0.2', 'x-real-ip': '10.0.0.3' };
		assert.equal((await alice.request(pods, { headers })).status, 200);
		const [request] = await sent();
		assert.deepEqual([of(request, 'forwarded'), of(request, 'x-forwarded-for'), of(request, 'x-real-ip')], [[], ['127.0.0.1'], []]);
	}],
	['CVE-2023-44487, CVE-2023-39325', 'streams that are reset at once cost nothing', async ({ rawH2, victor }) => {
		const h2 = await rawH2();
		for (let i = 1; i < 400; i += 2) h2.send(head(i, toPods), frame(FRAME.RST_STREAM, 0, i, Buffer.from([0, 0, 0, 8])));
		assert.notEqual(await h2.end(), 0);
		h2.destroy();
		assert.equal((await victor.request(pods)).status, 200, 'others go on');
	}],
];

scenario('advisories', async (world) => {
	writeFileSync(world.path('roles.d', 'helpdesk.yaml'), HELPDESK);
	const issuer = await addIssuer(world);
	const dev = await world.aws('PUT', `/users/${OWN}/dev`, { permissions: [] });
	world.config.eksgate.proxy.login.iam = { id: ID, accounts: [OWN], mappings: [{ arn: dev.arn, user: 'dev', groups: ['engineering'] }] };
	world.config.eksgate.proxy.limits = { resets: 100 };
	world.config.eksgate.test.verifier_sts_host = world.awsSimulator.ready.sts_host;
	world.writeConfig();
	const { kubeproxyd } = await startBoth(world);
	const api = world.api(prod);
	const alice = await person(world, kubeproxyd, 'alice', ['engineering']);
	const stage = {
		world,
		kubeproxyd,
		issuer,
		dev,
		alice,
		victor: await person(world, kubeproxyd, 'victor'),
		hanna: await person(world, kubeproxyd, 'hanna'),
		rawH2: () => new RawH2({ port: kubeproxyd.port, ca: alice.ca, cert: alice.certificate, key: alice.key }).open(),
		endpoint: (await api('GET', '')).endpoint,
		sent: () => world.received(prod),
		fault: (fault) => api('POST', '/faults', { times: 1, ...fault }),
	};
	const failed = [];
	for (const [name, what, attack] of ADVISORIES) {
		await api('DELETE', '/requests');
		await attack(stage).catch((error) => failed.push(`${name} (${what}): ${error.message}`));
		await api('DELETE', '/faults');
	}
	assert.deepEqual(failed, []);
	await issuer.close();
});
