// Nothing secret is written anywhere: after people came with every kind of credential, good and bad, and with Secrets at the
// highest level of the audit policy, the logs (at level debug), audit events, recordings, caches, the registry, metrics, the
// bus and what the admin sockets and commands say hold none of it, and no credential of a person reached an API server.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import WebSocket from 'ws';
import { makeAwsToken } from '../sim/aws/token.mjs';
import { CLUSTERS, command, nameOf, OWN, person, scenario, startBoth, startBustap, until } from './harness.mjs';
import { addIssuer, Bearer } from './tokens.mjs';

const ID = 'https://kube.example.com';
const [prod] = CLUSTERS;
const base = `/clusters/${nameOf(prod)}/api/v1/namespaces/default`;
const STEM = 'base64url.bearer.authorization.k8s.io';
const POLICY = 'apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n- level: RequestResponse\n';
const json = { 'content-type': 'application/json' };
// What people have in Secrets, cookies and passwords, as they write it.
const WORDS = ['Plum-tree-in-a-Secret', 'Pear-tree-in-a-Cookie', 'Fig-tree-in-a-Password', 'Oak-tree-in-a-Query', 'Elm-tree-in-a-Review', 'Ash-tree-in-a-Token'];
const [SECRET, COOKIE, PASSWORD, QUERY, REVIEWED, ISSUED] = WORDS;

// What of a credential would be enough to use or to guess it.
function partsOf(token) {
	const aws = token.startsWith('k8s-aws-v1.') ? Buffer.from(token.slice(11), 'base64url').toString() : '';
	const query = aws && new URL(aws).searchParams;
	const ofQuery = query ? [query.get('X-Amz-Signature'), query.get('X-Amz-Security-Token')] : [];
	return [token, ...token.split('.').slice(1), Buffer.from(token).toString('base64url'), ...ofQuery].filter((part) => part?.length > 15);
}

function filesBelow(directory) {
	return readdirSync(directory, { recursive: true, withFileTypes: true })
		.filter((entry) => entry.isFile())
		.map((entry) => `${entry.parentPath ?? entry.path}/${entry.name}`);
}

// A terminal by a WebSocket that offers a token, where a password is typed that is not shown; the status that it was answered
// with.
function offer(world, port, token) {
	return new Promise((resolve) => {
		const url = `wss://127.0.0.1:${port}${base}/pods/web-1/exec?command=sh&command=-c&command=${encodeURIComponent('read line; echo got')}&stdin=true&stdout=true&tty=true`;
		const ca = readFileSync(world.config.eksgate.proxy.tls.certificate, 'utf8');
		const socket = new WebSocket(url, ['v4.channel.k8s.io', `${STEM}.${Buffer.from(token).toString('base64url')}`], { ca });
		socket.on('unexpected-response', (_, response) => resolve(response.statusCode));
		socket.on('error', () => resolve(0));
		socket.on('open', () => socket.send(Buffer.from(`\0${PASSWORD}\n`)));
		socket.on('close', () => resolve(101));
	});
}

// In the cluster, people who are developers.
async function mayAskForTokens(api) {
	const kind = (name, more) => ({ apiVersion: 'rbac.authorization.k8s.io/v1', kind: name, metadata: { name: 'tokens' }, ...more });
	const rule = (group, resource) => ({ apiGroups: [group], resources: [resource], verbs: ['create'] });
	const rules = [rule('', 'serviceaccounts/token'), rule('authentication.k8s.io', 'tokenreviews'), rule('', 'services/proxy')];
	await api('POST', '/objects', kind('ClusterRole', { rules }));
	const apiGroup = 'rbac.authorization.k8s.io';
	const roleRef = { apiGroup, kind: 'ClusterRole', name: 'tokens' };
	await api('POST', '/objects', kind('ClusterRoleBinding', { roleRef, subjects: [{ apiGroup, kind: 'Group', name: 'developers' }] }));
}

async function useSecrets(world, alice) {
	const api = world.api(prod);
	const data = { key: Buffer.from(SECRET).toString('base64') };
	const secret = (more) => JSON.stringify({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'tree' }, ...more });
	const ask = async (method, path, status, options) => {
		const answer = await alice.request(`${base}${path}`, { method, ...options });
		assert.equal(answer.status, status, `${method} ${path}: ${answer.text}`);
		return answer;
	};
	await ask('POST', '/secrets', 201, { headers: json, body: secret({ stringData: { plain: SECRET }, data }) });
	await ask('PATCH', '/secrets/tree', 200, { headers: { 'content-type': 'application/merge-patch+json' }, body: secret({ data }) });
	await ask('GET', '/secrets/tree', 200);
	await ask('GET', '/secrets', 200);
	await ask('POST', '/secrets', 400, { headers: json, body: `{"apiVersion":"v1","kind":"Secret","data":{"a":"${SECRET}"` });
	writeFileSync(world.path('tree.yaml'), `${secret({ data })}\n`);
	await alice.kubectlOk(nameOf(prod), ['apply', '-f', world.path('tree.yaml')]);
	await alice.kubectlOk(nameOf(prod), ['get', 'secret', 'tree', '-o', 'yaml']);

	await mayAskForTokens(api);
	const answers = { times: 1, kind: 'status', code: 201 };
	await api('POST', '/faults', { ...answers, path: '/token$', body: JSON.stringify({ kind: 'TokenRequest', status: { token: ISSUED } }) });
	const made = await ask('POST', '/serviceaccounts/default/token', 201, { headers: json, body: '{"spec":{}}' });
	assert.match(made.text, /Ash-tree/);
	await api('POST', '/faults', { ...answers, path: '/tokenreviews$', body: '{"kind":"TokenReview"}' });
	const review = { method: 'POST', headers: json, body: JSON.stringify({ kind: 'TokenReview', spec: { token: REVIEWED } }) };
	assert.equal((await alice.request(`/clusters/${nameOf(prod)}/apis/authentication.k8s.io/v1/tokenreviews`, review)).status, 201);

	const page = `/services/http:web:80/proxy/echo?password=${QUERY}`;
	const posted = { headers: { cookie: `session=${COOKIE}`, ...json }, body: JSON.stringify({ password: PASSWORD }) };
	assert.match((await ask('POST', page, 200, posted)).text, /Fig-tree/);
}

// All that is written or said, by where it is.
async function everything(world, { discoveryd, kubeproxyd }, tap) {
	const told = { 'kubeproxyd log': kubeproxyd.stderr, 'discoveryd log': discoveryd.stderr, bustap: tap.stdout + tap.stderr };
	for (const directory of ['audit', 'cache', 'state', 'recordings'])
		for (const file of filesBelow(world.path(directory))) told[file] = readFileSync(file, 'latin1');
	for (const daemon of [discoveryd, kubeproxyd]) {
		told[`${daemon.name} metrics`] = await daemon.call('/metrics');
		told[`${daemon.name} status`] = JSON.stringify(await daemon.status());
		told[`${daemon.name} clusters`] = JSON.stringify(await daemon.call('/v1/clusters'));
		told[`${daemon.name} arguments`] = readFileSync(`/proc/${daemon.pid}/cmdline`, 'latin1');
	}
	for (const words of [['audit', '--format', 'json'], ['audit'], ['sessions', '--format', 'json'], ['ls', '--format', 'json']]) {
		const result = await command(world, 'kubeproxyd', words, world.proxyUser);
		told[`kubeproxyd ${words.join(' ')}`] = result.stdout + result.stderr;
	}
	return told;
}

scenario('secrets', async (world) => {
	writeFileSync(world.path('policy.yaml'), POLICY);
	world.config.eksgate.proxy.audit.policy = world.path('policy.yaml');
	const issuer = await addIssuer(world);
	const dev = await world.aws('PUT', `/users/${OWN}/dev`, { permissions: [] });
	world.config.eksgate.proxy.login.iam = { id: ID, accounts: [OWN], mappings: [{ arn: dev.arn, user: 'dev', groups: ['engineering'] }] };
	world.config.eksgate.test.verifier_sts_host = world.awsSimulator.ready.sts_host;
	world.writeConfig();
	const roles = readFileSync(world.path('roles.d', 'roles.yaml'), 'utf8');
	writeFileSync(world.path('roles.d', 'roles.yaml'), roles.replace('spec:\n', 'spec:\n  options: {record_session: {k8s: strict}}\n'));
	const daemons = await startBoth(world);
	const { kubeproxyd } = daemons;
	const tap = startBustap(world);
	const alice = await person(world, kubeproxyd, 'alice', ['engineering']);
	const groups = ['engineering'];
	const secrets = new Map(WORDS.flatMap((word) => [[word, word], [Buffer.from(word).toString('base64').slice(0, 20), word]]));
	const note = (what, token) => partsOf(token).forEach((part) => secrets.set(part, what));

	// Each kind of token: one that is let in and some that are not, in a field and in a subprotocol.
	const now = Math.floor(Date.now() / 1000);
	const tokens = [
		['an ID token', issuer.token({ groups }), 200],
		['an ID token that expired', issuer.token({ groups, exp: now - 5 }), 401],
		['an ID token for somebody else', issuer.token({ groups, aud: 'x' }), 401],
		['an ID token with an unknown key', issuer.token({ groups }, { header: { kid: 'gone' } }), 401],
		['an AWS token', makeAwsToken({ ...dev, sessionToken: undefined }, ID), 200],
		['an AWS token for a cluster', makeAwsToken(dev, prod.name), 401],
		['an AWS token of a session', makeAwsToken({ ...dev, sessionToken: 'Yew-tree-in-a-session-token' }, ID), 401],
		['a token of no kind', 'Gum-tree-in-an-opaque-token', 401],
	];
	for (const [what, token, status] of tokens) {
		note(what, token);
		const answer = await new Bearer(world, kubeproxyd, token).request(`${base}/pods`);
		assert.equal(answer.status, status, `${what}: ${answer.text}`);
		if (status !== 200) for (const part of partsOf(token)) assert.ok(!answer.text.includes(part), `${what} comes back`);
		assert.equal(await offer(world, kubeproxyd.port, token), status === 200 ? 101 : status, `${what} in a subprotocol`);
	}
	const basic = Buffer.from(`alice:${PASSWORD}`).toString('base64');
	secrets.set(basic, 'a password');
	assert.equal((await alice.request(`${base}/pods`, { headers: { authorization: `Basic ${basic}` } })).status, 401);
	const stranger = new Bearer(world, kubeproxyd, 'x');
	assert.equal((await stranger.request(`${base}/pods?access_token=${QUERY}`, { headers: { authorization: '' } })).status, 401);
	await useSecrets(world, alice);

	// What the daemons themselves have: keys, and what they sent.
	const key = alice.key.split('\n')[1];
	secrets.set(key, "a person's private key");
	for (const user of [world.proxyUser, world.discoveryUser]) secrets.set(user.secretAccessKey, 'an AWS key');
	const minted = await command(world, 'kubeproxyd', ['token', nameOf(prod)], world.proxyUser);
	note('a token that was printed for root', JSON.parse(minted.stdout).status.token);
	const received = await world.received(prod);
	for (const { headers } of received)
		for (const [name, value] of headers) if (/^authorization$/i.test(name)) note('an EKS token', value.replace(/^Bearer /, ''));
	assert.ok([...secrets.values()].includes('an EKS token'));

	await until('all events are there', async () => readFileSync(world.path('audit', 'main.jsonl'), 'utf8').includes('serviceaccounts'));
	const told = await everything(world, daemons, tap);
	const events = told[world.path('audit', 'main.jsonl')];
	for (const part of ['"resource":"secrets"', '"resource":"tokenreviews"', '"subresource":"token"', '"subresource":"proxy"', '"level":"RequestResponse"'])
		assert.ok(events.includes(part), `${part} is not audited`);
	const recorded = Object.entries(told).filter(([where]) => where.endsWith('.cast'));
	assert.ok(recorded.length === 2 && recorded.every(([, text]) => text.includes('got')), 'the two who were let in were recorded');
	assert.ok(told.bustap.includes('kube_cluster') && told['kubeproxyd audit'].includes('alice'), 'there is something to look at');
	for (const [where, text] of Object.entries(told))
		for (const [secret, what] of secrets) assert.ok(!text.includes(secret), `${what} stands in ${where}`);

	// An API server gets the proxy's own token, and what is its own: Secrets, and what an application is asked.
	const own = new Set(received.flatMap(({ headers }) => headers.filter(([name]) => /^authorization$/i.test(name)).map(([, value]) => value)));
	for (const value of own) assert.match(value, /^Bearer k8s-aws-v1\./);
	for (const [what, token] of tokens)
		for (const part of partsOf(token)) assert.ok(!JSON.stringify(received).includes(part), `${what} reached an API server`);
	await issuer.close();
});
