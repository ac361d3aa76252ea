// People with AWS identities: tokens that `aws eks get-token` could have made for this proxy let in whom the settings name;
// a token for a cluster, a stranger's, an old or a changed one does not; STS is asked once a token. One that does not answer
// holds up its own people alone, and an address has its share.
import assert from 'node:assert/strict';
import { Agent } from 'node:https';
import { CLUSTERS, nameOf, OWN, person, OTHER, REGIONS, scenario, startBoth, until } from './harness.mjs';
import { encodeToken, makeAwsToken, presign } from '../sim/aws/token.mjs';
import { Bearer } from './tokens.mjs';

const ID = 'https://kube.example.com';
const [prod] = CLUSTERS;
const pods = `/clusters/${nameOf(prod)}/api/v1/namespaces/default/pods`;

// One part of a good URL, changed; what is signed is not.
const changed = [
	['another host', (url) => url.replace('sts.eu-west-1.amazonaws.com', 'sts.eu-west-1.example.com'), /no STS host/],
	['a port', (url) => url.replace('.amazonaws.com/', '.amazonaws.com:443/'), /no STS host/],
	['a user', (url) => url.replace('https://', 'https://a@'), /no STS host/],
	['plain HTTP', (url) => url.replace('https:', 'http:'), /not https/],
	['a path', (url) => url.replace('.com/?', '.com/x?'), /path \//],
	['a fragment', (url) => `${url}#a`, /path \//],
	['another action', (url) => url.replace('GetCallerIdentity', 'AssumeRole'), /action/],
	['another parameter', (url) => `${url}&RoleArn=x`, /does not belong/],
	['a parameter twice', (url) => `${url}&Version=2011-06-15`, /twice/],
	['a parameter in another case', (url) => url.replace('X-Amz-Date', 'x-amz-date'), /does not belong/],
	['a changed signature', (url) => url.replace(/.$/, (c) => (c === '0' ? '1' : '0')), /STS refuses it/],
	['another region than the host', (url) => url.replace('%2Feu-west-1%2F', '%2Fus-east-1%2F'), /another day, region/],
];

async function callsOf(world) {
	const counts = await world.aws('GET', '/calls');
	return counts
		.filter(({ operation }) => operation === 'sts:GetCallerIdentity')
		.reduce((sum, { calls, count }) => sum + (calls ?? count), 0);
}

scenario('IAM login', async (world) => {
	const user = (account, name) => world.aws('PUT', `/users/${account}/${name}`, { permissions: [] });
	const dev = await user(OWN, 'dev-anna');
	const ops = await user(OWN, 'ops-otto');
	const stranger = await user(OTHER, 'stranger');
	world.config.eksgate.proxy.login = {
		iam: {
			id: ID,
			arns: [`arn:aws:iam::${OWN}:user/*`],
			calls_per_address: 25,
			mappings: [
				{ arn: `arn:aws:iam::${OWN}:user/dev-*`, user: 'account:{{AccountID}}:dev', groups: ['engineering'] },
				{ arn: `arn:aws:iam::${OWN}:user/ops-*`, principal_id: 'AIDAGONE', user: 'ops' },
			],
		},
	};
	world.config.eksgate.test.verifier_sts_host = world.awsSimulator.ready.sts_host;
	world.writeConfig();
	const { kubeproxyd } = await startBoth(world);
	const get = (token) => new Bearer(world, kubeproxyd, token).request(pods);
	const refused = async (token, reason, name) => {
		const answer = await get(token);
		assert.equal(answer.status, 401, `${name}: ${answer.text}`);
		assert.match(answer.json.message, reason, name);
	};

	const token = makeAwsToken(dev, ID);
	const answers = await Promise.all(Array.from({ length: 10 }, () => get(token)));
	for (const answer of answers) assert.equal(answer.status, 200, answer.text);
	assert.equal(await callsOf(world), 1, 'STS is asked once a token');
	const seen = (await world.received(prod)).at(-1);
	assert.deepEqual([seen.user, seen.groups[0]], [`account:${OWN}:dev`, 'developers']);
	assert.match(await new Bearer(world, kubeproxyd, token).kubectlOk(nameOf(prod), ['get', 'pods']), /web-1/);
	for (const options of [{ host: 'sts.amazonaws.com', region: 'us-east-1' }, { host: 'sts-fips.us-east-1.amazonaws.com', region: 'us-east-1' }])
		assert.equal((await get(makeAwsToken(dev, ID, options))).status, 200, options.host);

	// With a certificate it must be the same user's.
	for (const [name, status] of [[`account:${OWN}:dev`, 200], ['alice', 401]]) {
		const { certificate: cert, key } = await person(world, kubeproxyd, name, ['engineering']);
		const answer = await new Bearer(world, kubeproxyd, token, { cert, key }).request(pods);
		assert.equal(answer.status, status, answer.text);
		if (status === 401) assert.match(answer.json.message, /two credentials that do not agree/);
	}

	// One that grows too old while it is known, so that STS is not asked again.
	const date = new Date(Date.now() - 15 * 60000 + 6000).toISOString().replace(/[-:]|\.\d+/g, '');
	const aging = makeAwsToken(dev, ID, { query: `&X-Amz-Date=${date}` });
	assert.equal((await get(aging)).status, 200);
	const old = await until('it is too old', async () => {
		const answer = await get(aging);
		return answer.status === 401 && answer;
	});
	assert.match(old.json.message, /older than 15 minutes/);

	const forCluster = makeAwsToken(dev, prod.name);
	await refused(forCluster, /SignatureDoesNotMatch/, 'a token for a cluster');
	const asked = await callsOf(world);
	await refused(forCluster, /SignatureDoesNotMatch/, 'once more');
	assert.equal(await callsOf(world), asked, 'a refusal is remembered, too');
	await refused(makeAwsToken(dev, null), /does not sign exactly/, 'no id signed');
	await refused(makeAwsToken(dev, ID, { headers: { 'x-more': '1' } }), /does not sign exactly/, 'more signed');
	await refused(makeAwsToken(stranger, ID), /not among the accounts and ARNs/, 'a stranger');
	await refused(makeAwsToken(ops, ID), /made anew/, 'another principal id');
	await refused(makeAwsToken(dev, ID, { region: 'moon-1' }), /no STS host/, 'a region that is none');
	await refused(makeAwsToken(dev, ID, { query: '&X-Amz-Date=20200101T000000Z' }), /older than 15 minutes/, 'an old one');
	await refused('k8s-aws-v1.!', /other characters|not base64url/, 'no base64');
	await refused(`k8s-aws-v1.${'a'.repeat(5000)}`, /longer than 4096/, 'a huge one');
	for (const [name, change, reason] of changed) await refused(encodeToken(change(presign(dev, ID))), reason, name);

	await world.aws('POST', '/faults', { operation: 'sts:GetCallerIdentity', kind: 'error', status: 400, code: 'Throttling', message: 'Rate exceeded', times: 1 });
	const throttled = await get(makeAwsToken(dev, ID, { region: REGIONS[1] }));
	assert.deepEqual([throttled.status, throttled.headers['retry-after']], [429, '2'], throttled.text);
	await world.aws('POST', '/faults', { operation: 'sts:GetCallerIdentity', kind: 'html', times: 1 });
	assert.equal((await get(makeAwsToken(dev, ID, { region: REGIONS[2] }))).status, 503);

	const before = await callsOf(world);
	let limited = null;
	for (let i = 0; i < 40 && limited === null; i++) {
		const answer = await get(makeAwsToken(stranger, `${ID}/${i}`));
		if (answer.status === 429) limited = answer;
	}
	assert.match(limited?.json.message ?? '', /calls_per_address/);
	assert.ok((await callsOf(world)) - before <= 25);
	assert.equal((await get(token)).status, 200, 'who is known does not need STS');
	// While an STS is silent.
	await world.aws('POST', '/faults', { operation: 'sts:GetCallerIdentity', region: REGIONS[1], kind: 'hang' });
	let signedAt = Date.now() - 60000; // a second apart: two of one second are one token
	const ask = (localAddress, region, agent, host) => {
		const date = new Date(signedAt -= 1000).toISOString().replace(/[-:]|\.\d+/g, '');
		const fresh = makeAwsToken(dev, ID, { region, host, query: `&X-Amz-Date=${date}` });
		return new Bearer(world, kubeproxyd, fresh).request(pods, { localAddress, agent });
	};
	const reached = await callsOf(world);
	const agent = new Agent();
	for (let i = 0; i < 32; i++) ask(`127.0.1.${1 + (i >> 3)}`, REGIONS[1], agent).catch(() => {});
	const outcome = async (localAddress, region) => {
		const answer = await ask(localAddress, region);
		return [answer.status, answer.headers['retry-after'], answer.json?.message ?? ''];
	};
	await until('all are under way', async () => (await callsOf(world)) === reached + 32);
	assert.match((await outcome('127.0.1.1', REGIONS[0])).join(' '), /^429 2 too many AWS tokens from this address/);
	assert.match((await outcome('127.0.1.9', REGIONS[1])).join(' '), /^429 2 too many AWS tokens for the same STS/);
	assert.equal((await outcome('127.0.1.9', REGIONS[0]))[0], 200, 'another region goes on');
	ask('127.0.1.9', REGIONS[1], agent, `sts-fips.${REGIONS[1]}.amazonaws.com`).catch(() => {});
	await until('so does another host of the same', async () => (await callsOf(world)) === reached + 34);
	agent.destroy();

	// What the settings let in ends with them.
	const running = new Bearer(world, kubeproxyd, token).startKubectl(nameOf(prod), ['exec', '-i', 'web-1', '--', 'cat'], { stdin: 'pipe' });
	running.child.stdin.write('running\n');
	await running.waitFor(/running/, { stream: 'stdout' });
	world.config.eksgate.proxy.login.iam.arns = [`arn:aws:iam::${OTHER}:user/*`];
	world.writeConfig();
	const began = Date.now();
	kubeproxyd.reload();
	await running.ended;
	assert.ok(Date.now() - began < 5000, `${Date.now() - began} ms`);
	await refused(token, /not among the accounts and ARNs/, 'who is no longer listed');

	assert.ok(!kubeproxyd.stderr.includes('X-Amz-Signature') && !kubeproxyd.stderr.includes(token.slice(11)));
});
