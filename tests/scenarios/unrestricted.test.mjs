// No restriction, no cost: for a user whose roles restrict nothing, lists, watches and deletions of collections go to the API
// server as the client asked, answers come back as they are, no filter is made and nothing more is allocated, whatever roles
// others have. A restricted user beside shows that each of these can be told.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { CLUSTERS, nameOf, person, scenario, startBoth, until } from './harness.mjs';
import { counter } from './recording.mjs';
import { isLong } from './tools.mjs';

const [prod] = CLUSTERS;
const cluster = nameOf(prod);
const PODS = '/api/v1/namespaces/default/pods';
const ROUNDS = isLong ? 20 : 4;
const REQUESTS = 40;

const role = (name, rules, user) => `kind: role
version: v8
metadata: {name: ${name}}
spec:
  allow:
    kubernetes_labels: {'*': '*'}
    kubernetes_groups: [developers]
    ${rules}
---
kind: role_binding
version: v1
metadata: {name: ${name}}
spec: {roles: [${name}], users: [${user}]}
---
`;
const ALL = `kubernetes_resources: [{kind: '*', api_group: '*', namespace: '*', name: '*', verbs: ['*']}]`;
const SOME = `kubernetes_resources: [{kind: pods, namespace: '*', name: 'web-*', verbs: ['*']}]`;
const FREE = role('all', ALL, 'una');
const OTHERS = role('some', SOME, 'fred') + Array.from({ length: 20 }, (_, i) => role(`other-${i}`, SOME.replace('web', `of-${i}`), `user-${i}`)).join('');

const HEADERS = {
	accept: 'application/json;as=Table;v=v1;g=meta.k8s.io,application/cbor;q=0.8, application/yaml;q=0.5',
	'accept-encoding': 'br, gzip;q=0.9, deflate',
	'user-agent': 'a client of its own/1.0',
	'if-none-match': '"seen"',
	'x-of-the-client': 'kept',
};
const BODY = '{"kind":"DeleteOptions","apiVersion":"v1","gracePeriodSeconds":7,"own":[1, 2]}';
const ASKED = [
	{ target: `${PODS}?limit=3&continue=abc%3D&labelSelector=app%20in%20(a,b)` },
	{ target: `${PODS}?watch=1&allowWatchBookmarks=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan` },
	{ target: `${PODS}?propagationPolicy=Background&fieldSelector=status.phase%3DRunning&dryRun=All`, method: 'DELETE', body: BODY },
];
// Nothing that a filter could read: all bytes there are, said to be YAML in brotli.
const BYTES = Buffer.from(Array.from({ length: 5000 }, (_, i) => (i * 11) & 255));

// {status, headers, trailers, body}
function overH1(who, path, { method = 'GET', body } = {}) {
	const length = body ? { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) } : {};
	return new Promise((resolve, reject) => {
		const { ca, certificate: cert, key } = who;
		const call = request({ host: '127.0.0.1', port: who.proxy.port, path, method, headers: { ...HEADERS, ...length }, ca, cert, key, agent: false });
		call.on('response', (answer) => {
			const parts = [];
			answer.on('data', (part) => parts.push(part)).on('error', reject);
			answer.on('end', () => resolve({ status: answer.statusCode, headers: answer.headers, trailers: answer.trailers, body: Buffer.concat(parts) }));
		});
		call.on('error', reject);
		call.end(body);
	});
}

async function overH2(who, path, { method = 'GET', body } = {}) {
	const session = who.h2();
	const headers = { ...HEADERS, ...(body && { 'content-type': 'application/json' }) };
	const stream = await who.open(session, path, { method, headers, body });
	const parts = [];
	const trailers = {};
	stream.on('trailers', (fields) => Object.assign(trailers, fields));
	for await (const part of stream) parts.push(part);
	session.close();
	return { status: stream.status, headers: stream.head, trailers, body: Buffer.concat(parts) };
}

async function lastReceived(world) {
	const { target, method, headers, bodyLength } = (await world.received(prod)).at(-1);
	const named = (name) => headers.filter(([key]) => key.toLowerCase() === name).map(([, value]) => value);
	return { target, method, bodyLength, headers: Object.fromEntries(Object.keys(HEADERS).map((name) => [name, named(name).join(' and ')])) };
}

async function checkAnswers(world, ask, una, what) {
	const api = world.api(prod);
	for (const { target, method = 'GET', body } of ASKED) {
		const fault = { times: 1, path: '/pods', method };
		const path = `/clusters/${cluster}${target}`;
		const headers = { 'content-encoding': 'br', 'content-length': String(BYTES.length), etag: '"all"', vary: 'Accept' };
		await api('POST', '/faults', { ...fault, kind: 'status', code: 200, type: 'application/yaml', headers, base64: BYTES.toString('base64') });
		const answer = await ask(una, path, { method, body });
		assert.deepEqual([answer.status, answer.body.equals(BYTES)], [200, true], `${what} ${target}`);
		for (const [name, value] of Object.entries(headers)) assert.equal(answer.headers[name], value, `${what} ${name}`);
		assert.equal(answer.headers['transfer-encoding'], undefined, what);
		assert.deepEqual(await lastReceived(world), { target, method, bodyLength: body?.length ?? 0, headers: HEADERS }, what);

		await api('POST', '/faults', { ...fault, kind: 'trailers', trailers: { 'x-checksum': 'abc' } });
		const trailed = await ask(una, path, { method, body });
		assert.equal(trailed.body.toString(), '{"kind":"PodList","apiVersion":"v1","items":[]}');
		assert.equal(trailed.trailers['x-checksum'], 'abc', what);
	}
}

const filters = (kubeproxyd) => counter(kubeproxyd, 'eksgate_filtered_answers_total');

// The same for a restricted user, where each of it is otherwise.
async function checkContrast(world, kubeproxyd, fred) {
	const [{ target }] = ASKED;
	const before = await filters(kubeproxyd);
	const answer = await overH1(fred, `/clusters/${cluster}${target.replace(/&continue=[^&]*/, '')}`);
	assert.equal(answer.status, 200);
	assert.equal(answer.headers['content-length'], undefined);
	assert.deepEqual(JSON.parse(answer.body).kind, 'Table');
	const asked = await lastReceived(world);
	assert.doesNotMatch(asked.target, /limit/);
	assert.doesNotMatch(asked.headers.accept, /yaml|cbor/);
	assert.equal(asked.headers['accept-encoding'], 'gzip');
	assert.equal(await filters(kubeproxyd), before + 1);
}

// Allocations of our own code for each of many lists over one connection, in the quietest of a few rounds: what else happens
// meanwhile counts, too.
async function allocations(kubeproxyd, who) {
	const agent = new Agent({ keepAlive: true, maxSockets: 1 });
	const path = `/clusters/${cluster}${PODS}`;
	const count = () => counter(kubeproxyd, 'eksgate_proxy_allocations_total{by="kubeproxyd"}');
	const rounds = [];
	for (let round = 0; round <= ROUNDS; round++) {
		const before = await count();
		for (let i = 0; i < REQUESTS; i++) assert.equal((await who.request(path, { agent })).status, 200);
		rounds.push(((await count()) - before) / REQUESTS);
	}
	agent.destroy();
	return Math.min(...rounds.slice(1)); // the first fills pools
}

async function reload(world, kubeproxyd, roles) {
	writeFileSync(world.path('roles.d', 'roles.yaml'), roles);
	const from = kubeproxyd.reload();
	await kubeproxyd.log('main', 'reloaded', /./, { from });
}

async function checkAllocations(world, kubeproxyd, una, fred) {
	await reload(world, kubeproxyd, FREE);
	const alone = await allocations(kubeproxyd, una);
	await reload(world, kubeproxyd, FREE + OTHERS);
	const beside = await allocations(kubeproxyd, una);
	const filtered = await allocations(kubeproxyd, fred);
	const text = `${alone} a request where nobody is restricted, ${beside} where others are, ${filtered} of who is`;
	assert.ok(Math.abs(beside - alone) < 0.5, text);
	assert.ok(filtered > beside + 1, text);
}

scenario('a user whom nothing restricts', { clusters: [prod] }, async (world) => {
	writeFileSync(world.path('roles.d', 'roles.yaml'), FREE + OTHERS);
	const { kubeproxyd } = await startBoth(world, [cluster]);
	const [una, fred] = [await person(world, kubeproxyd, 'una'), await person(world, kubeproxyd, 'fred')];
	await checkAllocations(world, kubeproxyd, una, fred);
	const before = await filters(kubeproxyd);
	for (const isH1 of [false, true]) {
		if (isH1) {
			await world.api(prod)('POST', '/restart', { http1: true });
			await until('it serves again', async () => (await una.request(`/clusters/${cluster}${PODS}`)).status === 200);
		}
		await checkAnswers(world, overH1, una, `HTTP/1.1 to ${isH1 ? 'HTTP/1.1' : 'HTTP/2'}`);
		await checkAnswers(world, overH2, una, `HTTP/2 to ${isH1 ? 'HTTP/1.1' : 'HTTP/2'}`);
	}
	assert.equal(await filters(kubeproxyd), before, 'no filter is made');
	await checkContrast(world, kubeproxyd, fred);
});
