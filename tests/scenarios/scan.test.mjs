// `discoveryd scan` with nothing but credentials: what would be enrolled, what not and why, what failed and what to do; it
// writes nothing. And every verb's answer in three formats, which say the same.
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { binary, CLUSTERS, command, MATCHED, nameOf, OWN, run, scenario, startBustap, startDiscoveryd, until } from './harness.mjs';

const allow = (action) => ({ effect: 'Allow', action });

// Without a configuration: no file is there to be read.
function scan(world, ...words) {
	return run(binary('discoveryd'), ['scan', ...words], { env: world.environment(world.discoveryUser), cwd: world.path('roles.d') });
}

async function withoutConfiguration(world) {
	const [prod, dev, other] = CLUSTERS;
	const found = await scan(world, '--regions', 'us-east-1');
	assert.equal(found.code, 0, found.stderr);
	assert.match(found.stdout, /^1 clusters would be enrolled$/m);
	assert.match(found.stdout, new RegExp(nameOf(other)));
	assert.ok(!found.stdout.includes(prod.name));
	const both = JSON.parse((await scan(world, '--regions', 'eu-west-1,us-east-1', '--format', 'json')).stdout);
	assert.deepEqual(both.clusters.map(({ metadata }) => metadata.name).sort(), [prod, dev, other].map(nameOf).sort());
	assert.deepEqual(both.scopes.map(({ region }) => region).sort(), ['eu-west-1', 'us-east-1']);
	const off = await scan(world, '--regions', 'us-east-1,me-south-1');
	assert.equal(off.code, 1);
	assert.match(off.stdout, /Problems:\n {2}own\/me-south-1:\n.*UnrecognizedClientException.*\n.*enable region me-south-1/);
	assert.equal((await scan(world, '--regions', 'nowhere')).code, 2);
	await world.aws('PUT', `/users/${OWN}/discovery`, { permissions: [allow('eks:ListClusters')] });
	const denied = await scan(world, '--regions', 'us-east-1');
	assert.equal(denied.code, 1);
	assert.match(denied.stdout, /eks:DescribeCluster: AccessDeniedException/);
	assert.match(denied.stdout, /what to do: allow eks:DescribeCluster for/);
	await world.aws('PUT', `/users/${OWN}/discovery`, { permissions: [allow('eks:*'), allow('tag:*'), allow('sts:AssumeRole')] });
	assert.deepEqual(readdirSync(world.path('state')), [], 'nothing was written');
}

async function withConfiguration(world) {
	const { code, stdout, stderr } = await command(world, 'discoveryd', ['scan']);
	assert.equal(code, 0, stderr);
	assert.match(stdout, new RegExp(`^${MATCHED.length} clusters would be enrolled$`, 'm'));
	assert.match(stdout, /dev-1 +own\/eu-west-1 +unmatched +ACTIVE +line \d+: label env is "dev", wanted "prod"/);
	assert.deepEqual(readdirSync(world.path('state')), []);
}

// The scalars of a document, as they would stand in YAML.
function leaves(value) {
	if (value !== null && typeof value === 'object') return Object.values(value).flatMap(leaves);
	return [String(value)];
}

async function formats(world, discoveryd) {
	const name = nameOf(CLUSTERS[0]);
	await until('every scope has settled', async () => (await discoveryd.status()).scopes.every(({ state }) => state === 'settled'));
	for (const [code, ...words] of [
		[0, 'check'],
		[0, 'scan'],
		[0, 'get', 'kube_cluster'],
		[0, 'get', `kube_cluster/${name}`],
		[0, 'explain', name],
		[1, 'explain', 'dev-1'],
		[0, 'status'],
		[0, 'inventory'],
		[0, 'inventory', '--connected'],
		[0, 'iam-policy'],
		[1, 'confirm-removal'],
	]) {
		const say = words.join(' ');
		const ask = async (format) => {
			const result = await command(world, 'discoveryd', [...words, '--format', format]);
			assert.equal(result.code, code, `${say} --format ${format}: ${result.stdout}${result.stderr}`);
			return result.stdout;
		};
		const document = JSON.parse(await ask('json'));
		const asYaml = await ask('yaml');
		assert.throws(() => JSON.parse(asYaml), undefined, say);
		for (const leaf of leaves(document).filter((word) => /^[a-z][a-z0-9-]{3,}$/.test(word)))
			assert.ok(asYaml.includes(leaf), `${say}: ${leaf} is not in ${asYaml}`);
		assert.notEqual(await ask('text'), '', say);
	}
}

scenario('scan, and the formats of all answers', async (world) => {
	await withoutConfiguration(world);
	await withConfiguration(world);
	// Nothing moves between two answers.
	world.config.discovery_service.poll_interval = '1h';
	world.writeConfig();
	const discoveryd = await startDiscoveryd(world);
	await discoveryd.untilNames(MATCHED);
	const tap = startBustap(world);
	await tap.waitFor(/SNAPSHOT_END/, { stream: 'stdout' });
	await formats(world, discoveryd);
});
