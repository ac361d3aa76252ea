// Why a cluster is missing: each cause is brought about, and what `discoveryd explain` answers names it and what to do. What
// costs without hiding a cluster (the tagging API denied, a clock that is off) is told by `discoveryd status`.
import assert from 'node:assert/strict';
import { CLUSTERS, command, nameOf, OTHER, OWN, REGIONS, scenario, startDiscoveryd, until } from './harness.mjs';

const REGION = 'us-east-1';
const OFF = 'me-south-1'; // which an account has to enable
const arnOf = ({ account, region, name }) => `arn:aws:eks:${region}:${account}:cluster/${name}`;
const READS = ['eks:ListClusters', 'eks:DescribeCluster', 'tag:GetResources', 'sts:AssumeRole'];
const allow = (actions) => actions.map((action) => ({ effect: 'Allow', action }));

// What the command line answers, until `cause` is in it: the cause's entry.
async function explained(world, query, cause) {
	return until(`explain ${query} names ${cause}`, async () => {
		const { stdout, stderr, code } = await command(world, 'discoveryd', ['explain', query, '--format', 'json']);
		assert.ok(code < 2, stderr);
		const found = JSON.parse(stdout).causes.find((entry) => entry.cause === cause);
		if (!found) throw new Error(JSON.stringify(JSON.parse(stdout).causes));
		return found;
	});
}

// Brings it about, reads the answer, undoes it.
async function withUser(world, discoveryd, permissions, check) {
	await world.aws('PUT', `/users/${OWN}/discovery`, { permissions });
	discoveryd.reload();
	await check();
	await world.aws('PUT', `/users/${OWN}/discovery`, { permissions: allow(READS) });
	discoveryd.reload();
	await until('all is well again', async () =>
		(await discoveryd.status()).scopes.every((scope) => !scope.error || scope.region === OFF),
	);
}

async function putLike(world, cluster, fields) {
	const { endpoint, certificateAuthority } = await world.api(CLUSTERS[0])('GET', '');
	await world.putCluster(cluster, { tags: cluster.tags, endpoint, certificateAuthority, ...fields });
}

const own = (name, tags = { env: 'prod' }) => ({ account: OWN, region: REGION, name, tags });

async function clustersThemselves(world) {
	await putLike(world, own('shouting', { env: 'PROD ' }));
	await putLike(world, own('young'), { status: 'CREATING' });
	await putLike(world, own('broken'), { status: 'FAILED' });
	await putLike(world, own('rival', { env: 'prod', TeleportKubernetesName: nameOf(CLUSTERS[0]) }));
	const tags = await explained(world, 'shouting', 'tags');
	assert.match(tags.text, /label env is "PROD ", wanted "prod": it differs in case and white space only/);
	assert.match(tags.remedy, /tag-resource --resource-arn arn:aws:eks:us-east-1:111111111111:cluster\/shouting/);
	assert.match((await explained(world, 'young', 'status')).text, /CREATING/);
	assert.match((await explained(world, 'broken', 'status')).remedy, /repair or delete/);
	const name = await explained(world, 'rival', 'name');
	assert.match(name.text, new RegExp(`rival-eks-us-east-1-${OWN}.*${nameOf(CLUSTERS[0])}`));
	const region = await explained(world, arnOf({ ...own('far'), region: 'sa-east-1' }), 'region');
	assert.match(region.remedy, /regions:/);
	const account = await explained(world, arnOf({ ...own('alien'), account: '333333333333' }), 'account');
	assert.match(account.remedy, /assume_role_arn/);
	await explained(world, arnOf({ ...own('nowhere'), region: 'eu-west-1' }), 'absent');
}

async function permissions(world, discoveryd) {
	const without = (action) => allow(READS.filter((one) => one !== action));
	const hidden = own('hidden');
	await withUser(world, discoveryd, without('eks:ListClusters'), async () => {
		const list = await explained(world, arnOf(hidden), 'permission');
		assert.match(list.text, /own\/us-east-1: eks:ListClusters: AccessDeniedException/);
		assert.match(list.remedy, /allow eks:ListClusters for/);
	});
	await withUser(world, discoveryd, without('eks:DescribeCluster'), async () => {
		await putLike(world, hidden);
		discoveryd.reload();
		const describe = await explained(world, 'hidden', 'permission');
		assert.match(describe.text, /eks:DescribeCluster: AccessDeniedException/);
	});
	await withUser(world, discoveryd, without('tag:GetResources'), async () => {
		const text = await until('the status tells of the tags', async () => {
			const { stdout } = await command(world, 'discoveryd', ['status']);
			return /allow tag:GetResources/.test(stdout) ? stdout : null;
		});
		assert.match(text, /every cluster is described at every poll/);
	});
}

async function regionsAndCalls(world, discoveryd) {
	const disabled = await explained(world, arnOf({ ...own('nobody-knows'), region: OFF }), 'region-disabled');
	assert.match(disabled.remedy, new RegExp(`enable region ${OFF}`));
	for (const [cause, rule, path] of [
		['throttled', { rate: 0.001, burst: 0 }, '/throttles'],
		[
			'clock',
			{ kind: 'error', status: 403, code: 'InvalidSignatureException', message: 'Signature expired: 1 is now earlier than 2' },
			'/faults',
		],
		['bad-reply', { kind: 'html' }, '/faults'],
	]) {
		await world.aws('POST', path, { ...rule, operation: 'eks:ListClusters', account: OWN, region: REGION });
		discoveryd.reload();
		assert.ok((await explained(world, arnOf(own('nobody-knows')), cause)).remedy, cause);
		await world.aws('DELETE', '/faults');
	}
	await world.aws('PUT', '/settings', { skewMs: 600000 });
	discoveryd.reload();
	await until('the status tells of the clock', async () => {
		const { stdout } = await command(world, 'discoveryd', ['status']);
		return /clock: (599|600) s behind AWS/.test(stdout);
	});
	await world.aws('PUT', '/settings', { skewMs: 0 });
}

scenario('why a cluster is missing', async (world) => {
	await world.aws('PUT', `/users/${OWN}/discovery`, { permissions: allow(READS) });
	world.config.discovery_service.aws[0].regions = [...REGIONS, OFF];
	world.writeConfig();
	const discoveryd = await startDiscoveryd(world);
	await discoveryd.untilSwept();
	await clustersThemselves(world);
	await permissions(world, discoveryd);
	await regionsAndCalls(world, discoveryd);
	await discoveryd.stop();
});

scenario('why a cluster is missing: credentials', async (world) => {
	await world.aws('PUT', `/users/${OWN}/discovery`, {
		permissions: allow(READS.filter((action) => action !== 'sts:AssumeRole')),
	});
	const refused = await startDiscoveryd(world);
	const role = await explained(world, arnOf({ account: OTHER, region: 'us-west-2', name: 'staging' }), 'permission');
	assert.match(role.text, /cannot assume role .*AccessDenied/);
	assert.match(role.remedy, /allow sts:AssumeRole/);
	await refused.stop();

	const session = await world.aws('POST', '/sessions', { roleArn: world.roleArn, sessionName: 'gone', seconds: -1 });
	const environment = world.environment.bind(world);
	world.environment = (user) => ({ ...environment(user), AWS_SESSION_TOKEN: session.sessionToken });
	world.discoveryUser = { ...world.discoveryUser, ...session };
	const expired = await startDiscoveryd(world);
	const over = await explained(world, arnOf(own('nobody-knows')), 'credentials-expired');
	assert.match(over.remedy, /renew the credentials/);
	await expired.stop();
});
