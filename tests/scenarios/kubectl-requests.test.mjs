// What kubectl of each generation asks for arrives at the API server as it was sent: targets with their queries, Accept and
// Content-Type, bodies that are JSON, YAML or protobuf. One row a request, as captured; the generations differ where the
// second column says so.
import assert from 'node:assert/strict';
import { CLUSTERS, nameOf, person, scenario, startBoth } from './harness.mjs';
import { MINORS, toolsOf } from './tools.mjs';

const [prod] = CLUSTERS;
const PODS = '/api/v1/namespaces/default/pods';
const MAPS = '/api/v1/namespaces/default/configmaps';
const REVIEW = '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews';
const TABLE = /^application\/json;as=Table;v=v1;g=meta\.k8s\.io,application\/json;as=Table;v=v1beta1;g=meta\.k8s\.io,/;
const DISCOVERY = 'application/json;g=apidiscovery.k8s.io;v=';

const document = (name) =>
	JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data: { a: '1' } });

const LINES = [
	['get pods'],
	['get pods -A -o json'],
	['logs web-1 -c main --tail=1'],
	['wait --for=condition=Ready pod/web-1 --timeout=10s'],
	['auth can-i create pods'],
	['apply -f -', document('by-client')],
	['apply --server-side -f -', document('by-server')],
	['delete cm by-client by-server'],
];

const any = () => true;
const below = (minor) => (asked) => asked < minor;
const from = (minor) => (asked) => asked >= minor;

// [method, which generations, target, {accept, type, body: its length}]
const ROWS = [
	['GET', below(26), '/api?timeout=32s', { accept: /^application\/json, \*\/\*$/ }],
	['GET', (minor) => minor === 29, '/apis?timeout=32s', { accept: `${DISCOVERY}v2beta1;` }],
	['GET', from(30), '/apis?timeout=32s', { accept: `${DISCOVERY}v2;` }],
	['GET', any, `${PODS}?limit=500`, { accept: TABLE }],
	['GET', any, '/api/v1/pods?limit=500', { accept: 'application/json' }],
	['GET', any, `${PODS}/web-1/log?container=main&tailLines=1`, {}],
	['GET', below(35), `${PODS}?fieldSelector=metadata.name%3Dweb-1&limit=500&resourceVersion=0`, {}],
	[
		'GET',
		below(35),
		/pods\?allowWatchBookmarks=true&fieldSelector=metadata\.name%3Dweb-1&resourceVersion=\d+&.*watch=true$/,
		{},
	],
	['GET', from(35), /pods\?.*resourceVersionMatch=NotOlderThan&sendInitialEvents=true&.*watch=true$/, {}],
	['POST', below(33), REVIEW, { type: 'application/json', accept: 'application/json' }],
	[
		'POST',
		from(33),
		REVIEW,
		{ type: 'application/vnd.kubernetes.protobuf', accept: 'application/vnd.kubernetes.protobuf,' },
	],
	[
		'GET',
		below(27),
		'/openapi/v2?timeout=32s',
		{ accept: 'application/com.github.proto-openapi.spec.v2@v1.0+protobuf' },
	],
	['GET', from(29), '/openapi/v3?timeout=32s', { accept: 'application/json' }],
	['GET', from(29), /^\/openapi\/v3\/api\/v1\?hash=\w+&timeout=32s$/, { accept: 'application/json' }],
	[
		'POST',
		any,
		`${MAPS}?fieldManager=kubectl-client-side-apply&fieldValidation=Strict`,
		{ type: 'application/json' },
	],
	[
		'PATCH',
		any,
		/\/configmaps\/by-server\?fieldManager=kubectl&fieldValidation=Strict&force=false$/,
		{ type: 'application/apply-patch+yaml' },
	],
	['DELETE', any, `${MAPS}/by-client`, { type: 'application/json', body: 35 }],
];

const matches = (wanted, text = '') => (typeof wanted === 'string' ? text.startsWith(wanted) : wanted.test(text));
const isTarget = (wanted, text) => (typeof wanted === 'string' ? text === wanted : wanted.test(text));
const header = (entry, name) => entry.headers.find(([key]) => key.toLowerCase() === name)?.[1];

function checkRow(records, minor, [method, , target, wanted]) {
	const found = records.filter((entry) => entry.method === method && isTarget(target, entry.target));
	const what = `1.${minor}: ${method} ${target}`;
	assert.ok(found.length > 0, `${what} did not arrive`);
	if (wanted.accept)
		assert.ok(matches(wanted.accept, header(found[0], 'accept')), `${what}: ${header(found[0], 'accept')}`);
	if (wanted.type) assert.equal(header(found[0], 'content-type'), wanted.type, what);
	if (wanted.body) assert.equal(found[0].bodyLength, wanted.body, what);
}

scenario('what kubectl asks for', async (world) => {
	const { kubeproxyd } = await startBoth(world);
	const alice = await person(world, kubeproxyd, 'alice', ['engineering']);
	for (const minor of MINORS) {
		await world.api(prod)('DELETE', '/requests');
		const { ok } = toolsOf(alice, nameOf(prod), { minor });
		for (const [line, input] of LINES) await ok(line.split(' '), { input });
		const records = await world.received(prod);
		for (const row of ROWS) if (row[1](minor)) checkRow(records, minor, row);
		for (const entry of records) {
			assert.match(header(entry, 'user-agent'), new RegExp(`^kubectl.*/v1\\.${minor}\\.`));
			assert.match(header(entry, 'kubectl-session') ?? '', /^[0-9a-f-]{36}$/);
			assert.ok(!entry.target.includes('/clusters/'), 'the prefix ends at the proxy');
			assert.equal(header(entry, 'expect'), undefined);
		}
		const commands = new Set(records.map((entry) => header(entry, 'kubectl-command')));
		assert.deepEqual(
			[...commands].sort(),
			['apply', 'auth can-i', 'delete', 'get', 'logs', 'wait'].map((word) => `kubectl ${word}`),
		);
	}
});
