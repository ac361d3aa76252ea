// The AWS simulator by itself: calls signed by code that is not ours, and everything that AWS would refuse.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { mintToken, signedFetch } from './clients.mjs';
import { startSimulator } from './start.mjs';
import { answerComplaint } from './aws/model.mjs';
import { createState } from './aws/state.mjs';
import { verifyToken } from './aws/verifier.mjs';

const A = '111111111111';
const B = '222222222222';
let aws;
let keys;

before(async () => {
	aws = await startSimulator('aws');
	keys = { accessKeyId: aws.ready.access_key_id, secretAccessKey: aws.ready.secret_access_key };
	for (const name of ['one', 'three', 'two'])
		await aws.control('PUT', `/clusters/${A}/eu-west-1/${name}`, { tags: { env: name } });
});
after(() => aws.stop());

const call = (options) =>
	signedFetch(aws.ready.endpoint, { credentials: keys, service: 'eks', region: 'eu-west-1', ...options });
const sts = (body, options = {}) =>
	signedFetch(aws.ready.endpoint, {
		credentials: keys,
		service: 'sts',
		region: 'eu-west-1',
		method: 'POST',
		path: '/',
		body,
		headers: { 'content-type': 'application/x-www-form-urlencoded; charset=utf-8', accept: 'application/json' },
		...options,
	});

test('lists in pages with opaque tokens', async () => {
	const first = await call({ path: '/clusters?maxResults=2' });
	assert.equal(first.status, 200);
	assert.deepEqual(first.json.clusters, ['one', 'three']);
	assert.equal(answerComplaint('eks', 'ListClusters', first.json), null);
	const second = await call({ path: `/clusters?maxResults=2&nextToken=${first.json.nextToken}` });
	assert.deepEqual(second.json.clusters, ['two']);
	assert.equal(second.json.nextToken, null);
	const wrong = await call({ path: '/clusters?nextToken=guessed' });
	assert.deepEqual([wrong.status, wrong.headers.get('x-amzn-errortype')], [400, 'InvalidParameterException']);
});

test('an answer of DescribeCluster fits the model', async () => {
	const answer = await call({ path: '/clusters/one' });
	assert.equal(answerComplaint('eks', 'DescribeCluster', answer.json), null);
	assert.equal(answer.json.cluster.arn, `arn:aws:eks:eu-west-1:${A}:cluster/one`);
});

test('requests that do not fit the model are refused', async () => {
	const bad = [
		['GET', '/clusters?maxResults=0', 400],
		['GET', '/clusters?maxResults=101', 400],
		['GET', '/clusters?maxResults=x', 400],
		['GET', '/clusters?colour=red', 400],
		['GET', '/clusters?include=ALL', 400],
		['PUT', '/clusters', 404],
		['GET', '/cluster', 404],
		['GET', '/clusters/none', 404],
		['POST', '/clusters/one/access-entries', 400, '{"principalArn":1}'],
		['POST', '/clusters/one/access-entries', 400, '{"unknown":"x"}'],
		['POST', '/clusters/one/access-entries', 400, '{'],
	];
	for (const [method, path, status, body] of bad) {
		const answer = await call({ method, path, body, headers: body ? { 'content-type': 'application/json' } : {} });
		assert.equal(answer.status, status, `${method} ${path}: ${answer.text}`);
		assert.ok(answer.headers.get('x-amzn-errortype'), `${method} ${path} has an error type`);
		assert.ok(answer.json.message, `${method} ${path} has a message`);
	}
});

test('a wrong signature, key, scope or time is refused', async () => {
	const cases = [
		[{ credentials: { ...keys, secretAccessKey: 'wrong' } }, 'InvalidSignatureException'],
		[{ credentials: { ...keys, accessKeyId: 'AKIANOBODY' } }, 'UnrecognizedClientException'],
		[{ credentials: { ...keys, sessionToken: 'made-up' } }, 'UnrecognizedClientException'],
		[{ service: 'sts' }, 'InvalidSignatureException'],
		[{ region: 'eu-nowhere-1' }, 'InvalidSignatureException'],
		[{ region: 'af-south-1' }, 'UnrecognizedClientException'],
		[{ headers: { 'x-amz-date': '20200101T000000Z' } }, 'InvalidSignatureException'],
		[{ unsigned: true }, 'MissingAuthenticationTokenException'],
		[
			{ tamper: (request) => ({ ...request, path: '/clusters/two' }), path: '/clusters/one' },
			'InvalidSignatureException',
		],
	];
	for (const [options, code] of cases) {
		const answer = await call({ path: '/clusters', ...options });
		assert.equal(answer.status, 403, answer.text);
		assert.equal(answer.headers.get('x-amzn-errortype'), code, answer.text);
	}
});

test('a principal ARN in the path is signed encoded twice', async () => {
	const { arn } = await aws.control('PUT', `/roles/${A}/My+Role=x,y.@-z`, { path: '/path/' });
	const path = `/clusters/one/access-entries/${encodeURIComponent(arn)}`;
	const body = JSON.stringify({ principalArn: arn, kubernetesGroups: ['eksgate:proxy'], clientRequestToken: 'abc' });
	const json = { 'content-type': 'application/json' };
	const created = await call({ method: 'POST', path: '/clusters/one/access-entries', body, headers: json });
	assert.equal(created.status, 200, created.text);
	assert.equal(answerComplaint('eks', 'CreateAccessEntry', created.json), null);
	assert.equal(
		(await call({ method: 'POST', path: '/clusters/one/access-entries', body, headers: json })).status,
		200,
		'idempotent',
	);
	const again = await call({
		method: 'POST',
		path: '/clusters/one/access-entries',
		body: body.replace('abc', 'def'),
		headers: json,
	});
	assert.equal(again.status, 409);
	assert.deepEqual((await call({ path })).json.accessEntry.kubernetesGroups, ['eksgate:proxy']);
	const updated = await call({
		method: 'POST',
		path,
		body: '{"kubernetesGroups":["system:masters"]}',
		headers: json,
	});
	assert.match(updated.json.message, /cannot start with system:/);
	assert.equal((await call({ method: 'DELETE', path })).status, 200);
	assert.equal((await call({ path })).status, 404);
});

test('permissions are per operation and region', async () => {
	const user = await aws.control('PUT', `/users/${A}/limited`, {
		permissions: [
			{ effect: 'Allow', action: 'eks:List*' },
			{ effect: 'Deny', action: 'eks:*', region: 'us-east-1' },
		],
	});
	const credentials = { accessKeyId: user.accessKeyId, secretAccessKey: user.secretAccessKey };
	assert.equal((await call({ path: '/clusters', credentials })).status, 200);
	const denied = await call({ path: '/clusters', credentials, region: 'us-east-1' });
	assert.equal(denied.headers.get('x-amzn-errortype'), 'AccessDeniedException');
	assert.match(
		denied.json.message,
		/not authorized to perform: eks:ListClusters on resource: .* with an explicit deny/,
	);
	assert.match(
		(await call({ path: '/clusters/one', credentials })).json.message,
		/no identity-based policy allows the eks:DescribeCluster/,
	);
});

test('AssumeRole checks trust, external id and duration', async () => {
	const { arn } = await aws.control('PUT', `/roles/${B}/reader`, {
		trust: [{ principal: aws.ready.arn, externalId: 'secret-1' }],
		permissions: [{ effect: 'Allow', action: 'eks:*' }],
	});
	const form = (extra) =>
		`Action=AssumeRole&Version=2011-06-15&RoleArn=${encodeURIComponent(arn)}&RoleSessionName=test${extra}`;
	assert.equal((await sts(form(''))).json.Error.Code, 'AccessDenied');
	assert.equal((await sts(form('&ExternalId=wrong'))).status, 403);
	assert.equal((await sts(form('&ExternalId=secret-1&DurationSeconds=10'))).status, 400);
	assert.equal((await sts(form('&ExternalId=secret-1&Colour=red'))).status, 400);
	const answer = await sts(form('&ExternalId=secret-1'));
	assert.equal(answer.status, 200, answer.text);
	const { Credentials: c } = answer.json.AssumeRoleResponse.AssumeRoleResult;
	const credentials = {
		accessKeyId: c.AccessKeyId,
		secretAccessKey: c.SecretAccessKey,
		sessionToken: c.SessionToken,
	};
	await aws.control('PUT', `/clusters/${B}/eu-west-1/theirs`, {});
	assert.deepEqual((await call({ path: '/clusters', credentials })).json.clusters, ['theirs']);
	const identity = await sts('Action=GetCallerIdentity&Version=2011-06-15', { credentials });
	assert.equal(
		identity.json.GetCallerIdentityResponse.GetCallerIdentityResult.Arn,
		`arn:aws:sts::${B}:assumed-role/reader/test`,
	);
});

test('STS speaks XML unless asked for JSON', async () => {
	const headers = { 'content-type': 'application/x-www-form-urlencoded; charset=utf-8' };
	const good = await sts('Action=GetCallerIdentity&Version=2011-06-15', { headers });
	assert.match(good.text, /<GetCallerIdentityResult>\s*<Arn>arn:aws:iam::111111111111:user\/first<\/Arn>/);
	const bad = await sts('Action=Nonsense&Version=2011-06-15', { headers });
	assert.match(bad.text, /<Code>InvalidAction<\/Code>/);
});

test('ListRegions is a call of the global region', async () => {
	const options = {
		service: 'account',
		method: 'POST',
		path: '/listRegions',
		headers: { 'content-type': 'application/json' },
	};
	const body = '{"RegionOptStatusContains":["ENABLED","ENABLED_BY_DEFAULT"],"MaxResults":50}';
	const answer = await call({ ...options, region: 'us-east-1', body });
	assert.equal(answerComplaint('account', 'ListRegions', answer.json), null);
	assert.ok(answer.json.Regions.some((region) => region.RegionName === 'eu-west-1'));
	assert.ok(!answer.json.Regions.some((region) => region.RegionName === 'af-south-1'));
	assert.equal((await call({ ...options, body })).status, 403);
	assert.equal((await call({ ...options, region: 'us-east-1', body: '{"MaxResults":51}' })).status, 400);
});

test('GetResources lags behind, comes in pages, and knows only what had tags', async () => {
	const account = aws.ready.arn.split(':')[4];
	const region = 'eu-north-1';
	const target = 'ResourceGroupsTaggingAPI_20170126.GetResources';
	const ask = (input = {}, headers = {}) =>
		call({
			service: 'tagging',
			region,
			method: 'POST',
			path: '/',
			headers: { 'Content-Type': 'application/x-amz-json-1.1', 'X-Amz-Target': target, ...headers },
			body: JSON.stringify({ ResourceTypeFilters: ['eks:cluster'], ...input }),
		});
	const put = (name, tags) => aws.control('PUT', `/clusters/${account}/${region}/${name}`, { tags });
	const names = (answer) => answer.json.ResourceTagMappingList.map((item) => item.ResourceARN.split('/')[1]);
	for (const name of ['a', 'b', 'c']) await put(name, { env: 'prod' });
	await put('untagged', {});
	const whole = await ask();
	assert.equal(answerComplaint('tag', 'GetResources', whole.json), null);
	assert.deepEqual([names(whole), whole.json.PaginationToken], [['a', 'b', 'c'], '']);
	assert.deepEqual(names(await ask({ TagFilters: [{ Key: 'env', Values: ['dev'] }] })), []);

	await aws.control('PUT', '/settings', { tagEmptyPages: true });
	const seen = [];
	let token;
	do {
		const page = await ask({ ResourcesPerPage: 2, ...(token ? { PaginationToken: token } : {}) });
		seen.push(names(page));
		token = page.json.PaginationToken;
	} while (token);
	assert.deepEqual(seen, [['a', 'b'], [], ['c'], []]);

	await aws.control('PUT', '/settings', { tagEmptyPages: false, tagDelayMs: 60000 });
	assert.deepEqual(names(await ask()), []);
	await aws.control('PUT', '/settings', { tagDelayMs: 0 });
	await put('a', {});
	assert.deepEqual((await ask()).json.ResourceTagMappingList[0].Tags, []);
	assert.equal((await ask({ Nonsense: 1 })).json.__type, 'InvalidParameterException');
	assert.equal((await ask({}, { 'X-Amz-Target': 'Nobody.Knows' })).status, 400);
	for (const name of ['a', 'b', 'c', 'untagged'])
		await aws.control('DELETE', `/clusters/${account}/${region}/${name}`);
});

test('faults and throttles are chosen at run time and counted', async () => {
	await aws.control('DELETE', '/calls');
	await aws.control('POST', '/faults', { operation: 'eks:ListClusters', kind: 'truncated', times: 1 });
	assert.equal((await call({ path: '/clusters' })).json, null);
	assert.equal((await call({ path: '/clusters' })).status, 200);
	await aws.control('POST', '/throttles', { operation: 'eks:ListClusters', rate: 0.001, burst: 1 });
	await call({ path: '/clusters' });
	const throttled = await call({ path: '/clusters' });
	assert.deepEqual([throttled.status, throttled.headers.get('x-amzn-errortype')], [429, 'ThrottlingException']);
	await aws.control('DELETE', '/faults');
	const [counted] = (await aws.control('GET', '/calls')).filter((entry) => entry.operation === 'eks:ListClusters');
	assert.deepEqual([counted.calls, counted.errors], [4, { ThrottlingException: 1 }]);
});

test('verify-token answers as the authenticator does', async () => {
	const mint = (options) =>
		mintToken({ credentials: keys, region: 'eu-west-1', host: aws.ready.sts_host, cluster: 'one', ...options });
	const verify = (token, cluster = 'one') => aws.control('POST', '/verify-token', { token, cluster });
	assert.equal((await verify(mint({}))).canonicalArn, aws.ready.arn);
	assert.match((await verify(mint({}), 'two')).error, /SignatureDoesNotMatch/);
	assert.match((await verify(mint({ host: 'sts.evil.example' }))).error, /unexpected hostname/);
	assert.match((await verify(mint({ at: Date.now() - 16 * 60000 }))).error, /expired/);
	assert.match((await verify(mint({ at: Date.now() + 10 * 60000 }))).error, /not yet current/);
	assert.match((await verify(`${mint({})}=`)).error, /base64url/);
	assert.match((await verify(mint({ extra: '&Colour=red' }))).error, /non-whitelisted/);
	assert.match((await verify(mint({ expires: 901 }))).error, /X-Amz-Expires/);
	assert.match((await verify('nonsense')).error, /prefix/);
});

test('tokens that botocore signed verify at their time', () => {
	const golden = JSON.parse(readFileSync(new URL('../vectors/golden.json', import.meta.url), 'utf8'));
	for (const vector of golden.tokens) {
		const state = createState();
		state.accounts.set(A, {
			id: A,
			regions: new Map([
				[vector.region, 'ENABLED'],
				['us-east-1', 'ENABLED'],
			]),
		});
		state.keys.set(golden.access_key, {
			secret: golden.secret_key,
			token: vector.session_token,
			expires: 0,
			principal: {
				principalArn: 'x',
				account: A,
				arn: `arn:aws:iam::${A}:user/x`,
				userId: 'AIDAX',
				sessionName: null,
			},
		});
		if (/^(cn|us-gov|us-iso|eu-iso|eusc)/.test(vector.region)) continue;
		const time = Date.UTC(2026, 0, 2, 3, 4, 5);
		assert.equal(verifyToken(state, vector.token, vector.cluster, time).account, A, vector.url);
		assert.throws(() => verifyToken(state, vector.token, `${vector.cluster}x`, time));
	}
});
