// The API-server simulator by itself: a real kubectl straight at it, with tokens that aws4 signed.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { connect } from 'node:http2';
import { request as httpsRequest } from 'node:https';
import { after, before, test } from 'node:test';
import { until } from '../clients/run.mjs';
import { mintToken } from './clients.mjs';
import { requestInfo } from './kube/request_info.mjs';
import { ACCOUNT as A, openStage } from './kube_stage.mjs';

let stage;
let aws;
let kube;
let place;
let proxyUser;

before(async () => {
	stage = await openStage();
	({ aws, kube, place, proxyUser } = stage);
});
after(() => stage.close());

const mint = (...args) => stage.mint(...args);
const kubectl = (...args) => stage.kubectl(...args);

function get(path, headers = {}, method = 'GET') {
	return new Promise((resolve, reject) => {
		const request = httpsRequest(
			place.endpoint + path,
			{ method, ca: Buffer.from(place.certificateAuthority, 'base64'), headers, agent: false },
			(response) => {
				let text = '';
				response.setEncoding('utf8').on('data', (part) => {
					text += part;
				});
				response.on('error', reject);
				response.on('end', () => resolve({ status: response.statusCode, json: JSON.parse(text) }));
			},
		);
		request.on('error', reject);
		request.end();
	});
}
const as = (...headers) => ({ authorization: `Bearer ${mint(proxyUser)}`, ...Object.assign({}, ...headers) });

test('request info is what Kubernetes itself sees', () => {
	const vectors = JSON.parse(readFileSync(new URL('../vectors/requestinfo.json', import.meta.url), 'utf8'));
	for (const vector of vectors) {
		const at = vector.request.indexOf(' ');
		const parse = () => requestInfo(vector.request.slice(0, at), vector.request.slice(at + 1));
		if (vector.error || vector.parse_error) {
			if (!/^(CONNECT|GET api)/.test(vector.request)) assert.throws(parse, vector.request);
			continue;
		}
		if (/^(CONNECT|GET api)/.test(vector.request)) continue;
		const info = parse();
		assert.equal(info.isResource, vector.resource_request, vector.request);
		const names = info.isResource ? ['verb', 'resource', 'subresource', 'namespace', 'name'] : ['verb', 'path'];
		for (const name of names) assert.equal(info[name], vector[name], `${vector.request}: ${name}`);
	}
});

test('kubectl gets, describes, creates, applies, deletes', async () => {
	assert.match((await kubectl(['version'])).stdout, /Server Version: v1\.34/);
	assert.match((await kubectl(['get', 'pods'])).stdout, /NAME +READY +STATUS.*\nweb-1 +1\/1 +Running/);
	assert.match((await kubectl(['describe', 'pod', 'web-1'])).stdout, /Name: +web-1/);
	assert.match((await kubectl(['api-resources'])).stdout, /deployments +deploy/);
	assert.match((await kubectl(['create', 'configmap', 'made', '--from-literal=a=b'])).stdout, /created/);
	const manifest = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'applied' }, data: { a: '1' } };
	const apply = (data) => kubectl(['apply', '-f', '-'], { input: JSON.stringify({ ...manifest, data }) });
	assert.match((await apply({ a: '1' })).stdout, /created/);
	const again = await apply({ b: '2' });
	assert.match(again.stdout, /configured/, again.stderr);
	assert.deepEqual(JSON.parse((await kubectl(['get', 'cm', 'applied', '-o', 'json'])).stdout).data, { b: '2' });
	assert.match((await kubectl(['delete', 'cm', 'applied', 'made'])).stdout, /deleted/);
	assert.match((await kubectl(['get', 'cm', 'made'])).stderr, /NotFound/);
});

test('kubectl asks who and what it may be', async () => {
	assert.match((await kubectl(['auth', 'can-i', 'create', 'pods'])).stdout, /yes/);
	assert.match((await kubectl(['--context', 'proxy', 'auth', 'can-i', 'create', 'pods'])).stdout, /no/);
	assert.match((await kubectl(['auth', 'whoami'])).stdout, /user\/admin/);
	const denied = await kubectl(['--context', 'proxy', 'get', 'secrets']);
	assert.match(
		denied.stderr,
		/secrets is forbidden: User "arn:.*user\/proxy" cannot list resource "secrets" in API group "" in the namespace "default"/,
	);
});

test('kubectl watches, follows logs, executes', async () => {
	const watch = stage.start(['get', 'cm', '-w']);
	await watch.waitFor(/settings/, { stream: 'stdout' });
	await kube.control('POST', '/clusters/one/objects', {
		apiVersion: 'v1',
		kind: 'ConfigMap',
		metadata: { name: 'seen', namespace: 'default' },
	});
	await watch.waitFor(/seen/, { stream: 'stdout' });
	await watch.kill();
	const logs = stage.start(['logs', '-f', 'web-1']);
	await until('a follower', async () =>
		(await kube.control('GET', '/clusters/one/requests')).some((r) => r.target.includes('/log')),
	);
	await kube.control('POST', '/clusters/one/logs', { pod: 'web-1', line: 'hello' });
	await logs.waitFor(/hello/, { stream: 'stdout' });
	await kube.control('POST', '/clusters/one/logs/end', { pod: 'web-1' });
	assert.equal((await logs.ended).code, 0);
	const upper = await kubectl(['exec', '-i', 'web-1', '--', 'sh', '-c', 'cat; echo problem >&2; exit 7'], {
		input: 'typed',
	});
	assert.deepEqual([upper.code, upper.stdout], [7, 'typed']);
	assert.match(upper.stderr, /problem/);
	assert.match((await kubectl(['exec', 'web-1', '--', 'nonsense'])).stderr, /executable file not found/);
});

test('tokens of another cluster, nobody and no mapping are 401', async () => {
	const stranger = await aws.control('PUT', `/users/${A}/stranger`, {});
	for (const token of [mint(proxyUser, 'two'), 'nonsense', mint(stranger)]) {
		assert.equal((await get('/api/v1/pods', { authorization: `Bearer ${token}` })).status, 401);
	}
	assert.equal((await get('/api/v1/pods')).status, 403);
	assert.equal((await get('/version')).status, 200);
});

test('impersonation is a permission check of its own each', async () => {
	assert.equal(
		(await get('/api/v1/pods', as({ 'impersonate-user': 'jane', 'impersonate-group': 'viewers' }))).status,
		200,
	);
	assert.equal(
		(await get('/api/v1/secrets', as({ 'impersonate-user': 'jane', 'impersonate-group': 'viewers' }))).status,
		403,
	);
	assert.equal((await get('/api/v1/pods', as({ 'impersonate-user': 'jane' }))).status, 403);
	assert.equal((await get('/api/v1/pods', as({ 'impersonate-group': 'viewers' }))).status, 400);
	const extra = await get(
		'/api/v1/pods',
		as({ 'impersonate-user': 'jane', 'impersonate-group': 'viewers', 'impersonate-extra-x': 'y' }),
	);
	assert.match(
		extra.json.message,
		/cannot impersonate resource "userextras\/x" in API group "authentication.k8s.io"/,
	);
	assert.equal(
		(
			await get(
				'/api/v1/pods',
				as({ 'impersonate-user': 'jane', 'impersonate-group': 'viewers', 'impersonate-uid': '1' }),
			)
		).status,
		403,
	);
});

test('aws-auth counts unless an entry overrides it or the mode is API', async () => {
	const mapped = await aws.control('PUT', `/roles/${A}/mapped`, { path: '/some/path/' });
	const session = await aws.control('POST', '/sessions', { roleArn: mapped.arn, sessionName: 'sess@x' });
	const token = () =>
		mintToken({ credentials: session, region: 'eu-west-1', host: aws.ready.sts_host, cluster: 'one' });
	const whoami = () => get('/api/v1/pods', { authorization: `Bearer ${token()}` });
	assert.equal((await whoami()).status, 401);
	await kube.control('POST', '/clusters/one/objects', {
		apiVersion: 'v1',
		kind: 'ConfigMap',
		metadata: { name: 'aws-auth', namespace: 'kube-system' },
		data: {
			mapRoles: JSON.stringify([
				{ rolearn: `arn:aws:iam::${A}:role/mapped`, username: 'map:{{SessionName}}', groups: ['viewers'] },
			]),
		},
	});
	assert.equal((await whoami()).status, 200);
	await aws.control('PUT', `/clusters/${A}/eu-west-1/one/access-entries`, {
		principalArn: mapped.arn,
		kubernetesGroups: ['none'],
	});
	assert.match((await whoami()).json.message, /User "arn:aws:sts::111111111111:assumed-role\/mapped\/sess-x"/);
});

test('a role made anew under its old ARN is a stranger', async () => {
	const { arn } = await aws.control('PUT', `/roles/${A}/again`, {});
	await aws.control('PUT', `/clusters/${A}/eu-west-1/one/access-entries`, {
		principalArn: arn,
		kubernetesGroups: ['viewers'],
	});
	await aws.control('POST', '/roles/recreate', { arn });
	const session = await aws.control('POST', '/sessions', { roleArn: arn, sessionName: 'x1' });
	const token = mintToken({ credentials: session, region: 'eu-west-1', host: aws.ready.sts_host, cluster: 'one' });
	assert.equal((await get('/api/v1/pods', { authorization: `Bearer ${token}` })).status, 401);
});

test('lists come in pages, over h2 too', async () => {
	await kube.control('POST', '/clusters/one/fill', { count: 7, namespace: 'team-a' });
	const client = connect(place.endpoint, { ca: Buffer.from(place.certificateAuthority, 'base64') });
	const page = (query) =>
		new Promise((resolve) => {
			const stream = client.request({
				':path': `/api/v1/namespaces/team-a/pods?${query}`,
				...as({ 'impersonate-user': 'j', 'impersonate-group': 'viewers' }),
			});
			let text = '';
			stream
				.setEncoding('utf8')
				.on('data', (part) => {
					text += part;
				})
				.on('end', () => resolve(JSON.parse(text)));
		});
	const first = await page('limit=5');
	assert.deepEqual([first.items.length, first.metadata.remainingItemCount], [5, 3]);
	const rest = await page(`limit=5&continue=${first.metadata.continue}`);
	assert.deepEqual([rest.items.length, rest.metadata.continue], [3, undefined]);
	client.close();
});

test('an API server fails as it is told to', async () => {
	const api = (method, path, body) => kube.control(method, `/clusters/one${path}`, body);
	const viewer = () => get('/api/v1/pods', as({ 'impersonate-user': 'j', 'impersonate-group': 'viewers' }));
	await api('POST', '/faults', { kind: 'unauthorized', times: 1 });
	assert.equal((await viewer()).status, 401);
	assert.equal((await viewer()).status, 200);
	await api('POST', '/faults', { kind: 'cut', path: '/pods', times: 1 });
	await assert.rejects(viewer());
	await api('POST', '/faults', { kind: 'slow', path: '/pods', times: 1, ms: 1 });
	assert.equal((await viewer()).json.kind, 'PodList');
	await assert.rejects(api('POST', '/faults', { kind: 'unheard-of' }), /no fault of kind/);
	await api('POST', '/stop');
	await assert.rejects(viewer(), /ECONNREFUSED/);
	assert.equal((await api('POST', '/start')).endpoint, place.endpoint);
	assert.equal((await viewer()).status, 200);
	const rotated = await api('POST', '/rotate', {});
	await assert.rejects(viewer(), /certificate|self.signed|verify/i);
	place = rotated;
	assert.equal((await viewer()).status, 200);
});
