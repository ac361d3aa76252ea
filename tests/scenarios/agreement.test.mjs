// One policy, asked in three ways: `kubeproxyd can`, a SelfSubjectAccessReview and the request itself, through a running proxy.
// Whatever roles people hold and whatever they ask, the three say the same, and what is refused here never reaches the API
// server. Roles and requests are drawn by a seed, which a failure names; many more of them with EKSGATE_LONG.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { CLUSTERS, command, nameOf, person, scenario, startBoth } from './harness.mjs';

const PEOPLE = process.env.EKSGATE_LONG ? 30 : 4;
const QUESTIONS = process.env.EKSGATE_LONG ? 15 : 6;
const AT_A_TIME = 12; // more would only wait for each other, until the proxy gives a handshake up
const SEED = Number(process.env.EKSGATE_SEED ?? 1);
const OURS = /^user "|^the name of what is to be created|^an update may create/;
const REVIEWS = '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews';

// Mulberry32.
function generator(seed) {
	let state = seed >>> 0;
	const next = () => {
		state = (state + 0x6d2b79f5) >>> 0;
		let t = Math.imul(state ^ (state >>> 15), state | 1);
		t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
		return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
	};
	const one = (list) => list[Math.floor(next() * list.length)];
	return { one, some: (list, most) => [...new Set(Array.from({ length: 1 + Math.floor(next() * most) }, () => one(list)))], chance: (part) => next() < part };
}

const VERBS = ['get', 'list', 'watch', 'create', 'update', 'patch', 'delete', 'deletecollection'];
const NAMES = ['web-1', 'web-2', 'db-1'];
const NAMESPACES = ['dev', 'prod', 'default'];
// Subresources, with the verbs that are asked of them.
const OF_PODS = { log: ['get'], status: ['get', 'update', 'patch'], exec: ['create'], attach: ['create'], portforward: ['create'], eviction: ['create'], ephemeralcontainers: ['get', 'patch'], proxy: ['get', 'create'] };
const KINDS = [
	{ group: '', resource: 'pods', parts: OF_PODS },
	{ group: '', resource: 'secrets', parts: {} },
	{ group: '', resource: 'services', parts: { proxy: ['get', 'update'], status: ['get'] } },
	{ group: '', resource: 'serviceaccounts', parts: { token: ['create'] } },
	{ group: 'apps', resource: 'deployments', parts: { scale: ['get', 'update', 'patch'], status: ['patch'] } },
	{ group: '', resource: 'nodes', isWide: true, parts: { proxy: ['get', 'create'], status: ['get'] } },
	{ group: '', resource: 'namespaces', isWide: true, parts: { status: ['get'], finalize: ['update'] } },
	{ group: 'rbac.authorization.k8s.io', resource: 'clusterroles', isWide: true, parts: {} },
];

function drawRule(draw) {
	const kind = draw.one(KINDS);
	const parts = Object.keys(kind.parts);
	const named = parts.length && draw.chance(0.3) ? `${kind.resource}/${draw.one([...parts, '*'])}` : kind.resource;
	const isAny = draw.chance(0.35);
	const rule = {
		kind: isAny ? '*' : named,
		api_group: isAny ? '*' : kind.group,
		name: draw.one(['*', '*', 'web-*', 'web-1', '^db-.*$']),
		verbs: draw.chance(0.3) ? ['*'] : draw.some(named.includes('/') ? VERBS : [...VERBS, 'exec', 'portforward'], 4),
	};
	if (isAny || !kind.isWide) rule.namespace = draw.one(['*', '*', 'dev', 'd*', '^(dev|prod)$', 'prod']);
	return rule;
}

function drawRole(draw, name) {
	const allow = { kubernetes_labels: { '*': '*' }, kubernetes_groups: ['viewers'] };
	const rules = Array.from({ length: draw.one([0, 1, 1, 2, 3]) }, () => drawRule(draw));
	if (rules.length) allow.kubernetes_resources = rules;
	const denials = Array.from({ length: draw.one([0, 0, 1, 2]) }, () => drawRule(draw));
	return { kind: 'role', version: 'v8', metadata: { name }, spec: { allow, deny: denials.length ? { kubernetes_resources: denials } : {} } };
}

const METHODS = { get: 'GET', list: 'GET', watch: 'GET', create: 'POST', update: 'PUT', patch: 'PATCH', delete: 'DELETE', deletecollection: 'DELETE' };

// {verb, group, resource, subresource, namespace, name}
function drawQuestion(draw) {
	const { group, resource, isWide, parts } = draw.one(KINDS);
	const subresource = Object.keys(parts).length && draw.chance(0.4) ? draw.one(Object.keys(parts)) : '';
	const verb = draw.one(subresource ? parts[subresource] : VERBS);
	const isOfMany = !subresource && ['list', 'watch', 'deletecollection'].includes(verb);
	const needsPlace = verb === 'create' || !isOfMany;
	const namespace = isWide || (!needsPlace && draw.chance(0.4)) ? '' : draw.one(NAMESPACES);
	return { verb, group, resource, subresource, namespace, name: isOfMany ? '' : draw.one(resource === 'namespaces' ? NAMESPACES : NAMES) };
}

function requestOf({ verb, group, resource, subresource, namespace, name }) {
	const isMade = verb === 'create' && !subresource;
	const parts = [group ? `apis/${group}/v1` : 'api/v1', namespace && `namespaces/${namespace}`, resource, !isMade && name, subresource];
	const query = { watch: '?watch=1', deletecollection: '?dryRun=All' }[verb] ?? (subresource === 'exec' ? '?command=ls' : '');
	const body = { create: { metadata: { name } }, update: { metadata: { name, uid: '1' } }, patch: {} }[verb];
	return {
		method: METHODS[verb],
		target: `/${parts.filter(Boolean).join('/')}${query}`,
		headers: body ? { 'content-type': verb === 'patch' ? 'application/merge-patch+json' : 'application/json' } : {},
		body: body && JSON.stringify(body),
	};
}

scenario('three ways to ask', { clusters: CLUSTERS.slice(0, 1) }, async (world) => {
	const draw = generator(SEED);
	const cluster = nameOf(CLUSTERS[0]);
	const people = Array.from({ length: PEOPLE }, (_, i) => `p${i}`);
	const documents = people.flatMap((user) => {
		const roles = Array.from({ length: draw.one([1, 2]) }, (_, i) => drawRole(draw, `${user}-${i}`));
		const spec = { roles: roles.map(({ metadata }) => metadata.name), users: [user] };
		return [...roles, { kind: 'role_binding', version: 'v1', metadata: { name: user }, spec }];
	});
	writeFileSync(world.path('roles.d', 'drawn.yaml'), documents.map((document) => JSON.stringify(document)).join('\n---\n'));
	const { kubeproxyd } = await startBoth(world, [cluster]);
	const counts = { yes: 0, no: 0 };

	// By the proxy itself, that is; what RBAC says of the rest is the API server's own affair.
	const isRefused = async (somebody, { target, ...options }) => {
		const session = somebody.h2(); // of its own: one that waits for its first request too long is ended
		const stream = await somebody.open(session, `/clusters/${cluster}${target}`, options);
		let text = '';
		if (stream.status === 403) for await (const part of stream) text += part;
		session.destroy();
		return text !== '' && OURS.test(JSON.parse(text).message);
	};
	const review = async (somebody, { verb, group, resource, subresource, namespace, name }) => {
		const spec = { resourceAttributes: { verb, group, resource, subresource, namespace, name } };
		const options = { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ spec }) };
		const { status, json, text } = await somebody.request(`/clusters/${cluster}${REVIEWS}`, options);
		// Who is denied to create anything may not ask, either.
		if (status === 403 && OURS.test(json.message)) return null;
		assert.equal(status, 201, text);
		return json.status.denied === true && OURS.test(json.status.reason);
	};
	const can = async (user, { verb, group, resource, subresource, namespace, name }) => {
		const what = `${resource}${group && `.${group}`}${subresource && `/${subresource}`}`;
		const words = ['can', user, verb, what, '--cluster', cluster, ...(namespace ? ['--namespace', namespace] : []), ...(name ? ['--name', name] : [])];
		const { code, stdout, stderr } = await command(world, 'kubeproxyd', words, world.proxyUser);
		assert.ok(code < 2, stderr);
		return { isRefused: code === 1, says: stdout };
	};

	const askAll = async (user, i) => {
		const own = generator(SEED * 1000 + i);
		const somebody = await person(world, kubeproxyd, user);
		for (let j = 0; j < QUESTIONS; j++) {
			const question = drawQuestion(own);
			const request = requestOf(question);
			const [told, reviewed, done] = [await can(user, question), await review(somebody, question), await isRefused(somebody, request)];
			const what = `EKSGATE_SEED=${SEED}, ${user}: ${request.method} ${request.target} ${JSON.stringify(question)}`;
			assert.deepEqual([reviewed ?? done, done], [told.isRefused, told.isRefused], `${what}\ncan: ${told.says}`);
			counts[done ? 'no' : 'yes']++;
		}
	};
	for (let first = 0; first < PEOPLE; first += AT_A_TIME)
		await Promise.all(people.slice(first, first + AT_A_TIME).map((user, i) => askAll(user, first + i)));
	assert.ok(counts.yes > 0 && counts.no > 0, JSON.stringify(counts));
});
