// The matrix of tests/vectors/decisions.json, asked of the real proxy: each role is bound to a user of its name; what is
// allowed reaches the API server, what is not is answered here and never does. By default every row of what has
// a right of its own, for all roles, and a part of the others; all with EKSGATE_LONG.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { CLUSTERS, nameOf, person, scenario, startBoth } from './harness.mjs';

const { roles, rows } = JSON.parse(readFileSync(new URL('../vectors/decisions.json', import.meta.url)));
const EVERY_ROW = process.env.EKSGATE_LONG ? 1 : 10;
// Rights that are not those to their object, and collections, which DELETE without a name deletes.
const OWN_RIGHTS = /\/(exec|attach|portforward|proxy|ephemeralcontainers|eviction|scale|token|approval)\b/;
const COLLECTION = /^DELETE \/(api\/v1|apis\/[^/]+\/v1)(\/namespaces\/[^/]+)?\/[^/]+(\?|$)/;
const OURS = /^user "|^the name of what is to be created/;

function side(name, rules) {
	return rules ? `  ${name}:\n    kubernetes_resources:\n${rules.map((rule) => `    - ${rule}\n`).join('')}` : '';
}

function roleText({ name, version, allow, deny }) {
	const allowed = `  allow:\n    kubernetes_labels: {'*': '*'}\n${allow ? side('', allow).slice('  :\n'.length) : ''}`;
	return `kind: role
version: ${version}
metadata: {name: ${name}}
spec:
${allowed}${side('deny', deny)}---
kind: role_binding
version: v1
metadata: {name: ${name}}
spec: {roles: [${name}], users: [${name}]}
`;
}

// What is allowed in part: an answer is filtered, a collection is deleted one by one; what a body names here no role allows by
// name, and none denies.
const mayName = (request, role) => !role.allow && /^(POST|PUT|PATCH) /.test(request);
const isAnswered = (request, letter, role) => letter === '+' || (letter === '~' && (/^(GET|DELETE) /.test(request) || mayName(request, role)));
// The same, as it came.
const isSent = (request, letter, role) => letter === '+' || (letter === '~' && (/^GET /.test(request) || mayName(request, role)));

const isAlwaysAsked = (request) => OWN_RIGHTS.test(request) || COLLECTION.test(request);

// A refusal of HEAD has no words to know it by.
const isAsked = (column) => ([request], i) => !request.startsWith('HEAD') && (isAlwaysAsked(request) || i % EVERY_ROW === column % EVERY_ROW);

// What a request needs in its body to be one.
function bodyOf(method, target) {
	if (/selfsubjectaccessreviews/.test(target))
		return JSON.stringify({ spec: { nonResourceAttributes: { path: '/version', verb: 'get' } } });
	return ['POST', 'PUT', 'PATCH'].includes(method) ? '{"metadata":{"name":"zzz"}}' : undefined;
}

scenario('the matrix of decisions', { clusters: CLUSTERS.slice(0, 1) }, async (world) => {
	writeFileSync(world.path('roles.d', 'matrix.yaml'), roles.map(roleText).join('---\n'));
	world.config.eksgate.log.level = 'info';
	world.writeConfig();
	const { kubeproxyd } = await startBoth(world, [nameOf(CLUSTERS[0])]);
	const prefix = `/clusters/${nameOf(CLUSTERS[0])}`;

	const ask = async (somebody, session, request) => {
		const [method, target] = request.split(' ');
		const body = bodyOf(method, target);
		const headers = body ? { 'content-type': 'application/json' } : {};
		const stream = await somebody.open(session, prefix + target, { method, headers, body });
		let text = '';
		if (stream.status === 403) for await (const part of stream) text += part;
		stream.close();
		return text && OURS.test(JSON.parse(text).message) ? text : '';
	};

	await Promise.all(
		roles.map(async ({ name }, column) => {
			const somebody = await person(world, kubeproxyd, name);
			const session = somebody.h2();
			for (const [request, row] of rows.filter(isAsked(column))) {
				const refusal = await ask(somebody, session, request);
				const isRight = (refusal === '') === isAnswered(request, row[column], roles[column]);
				assert.ok(isRight, `${request} by ${name}: ${refusal || 'passed'}`);
			}
			session.destroy();
		}),
	);
	// Nothing that was refused was sent, whoever's group would have had the right.
	for (const { user, method, target } of await world.received(CLUSTERS[0])) {
		const column = roles.findIndex(({ name }) => name === user);
		const row = rows.find(([request]) => request === `${method} ${target}`);
		if (row && column >= 0)
			assert.ok(isSent(row[0], row[1][column], roles[column]), `${method} ${target} was sent for ${user}`);
	}
});
