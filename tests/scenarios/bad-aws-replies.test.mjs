// AWS answers nonsense: truncated, wrong types, 100 MB, HTML, without end. The scope's status says so, nothing is removed, no
// more is read than an answer can be, and when AWS is itself again everything settles.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { CLUSTERS, MATCHED, nameOf, OWN, scenario, startDiscoveryd, until } from './harness.mjs';

const HUGE = { kind: 'huge', bytes: 100e6 };
const PEAK_KIB_MAX = 128 * 1024; // more than before, with all answers and the sanitizers' red zones
const REGIONS = ['eu-west-1', 'us-east-1'];

// By operation; each pair is tried at once, one in each region.
const FAULTS = {
	'eks:ListClusters': [
		[{ kind: 'truncated' }, { kind: 'wrong-types' }],
		[{ kind: 'html' }, { kind: 'html', status: 503 }],
		[HUGE, { kind: 'endless-pages' }],
		[{ kind: 'not-json' }, { kind: 'reset' }],
		[{ kind: 'duplicate-keys' }, { kind: 'error', status: 500, code: 'ServerException' }],
	],
	'eks:DescribeCluster': [
		[{ kind: 'truncated' }, { kind: 'wrong-types' }],
		[{ kind: 'html' }, HUGE],
		[{ kind: 'error', status: 500, code: 'ServerException' }, { kind: 'not-json' }],
	],
	'tag:GetResources': [
		[{ kind: 'truncated' }, { kind: 'wrong-types' }],
		[{ kind: 'html' }, HUGE],
		[{ kind: 'endless-pages' }, { kind: 'not-json' }],
	],
};

const peakOf = ({ pid }) => Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]);
const scopeOf = (status, region) => status.scopes.find(({ id }) => id === `own/${region}`);
const troubleOf = (scope) => scope.error ?? scope.tagging.error;

async function withFaults(world, discoveryd, operation, pair) {
	const words = `${operation} ${pair.map(({ kind }) => kind).join(' and ')}`;
	for (const [i, fault] of pair.entries())
		await world.aws('POST', '/faults', { ...fault, operation, account: OWN, region: REGIONS[i] });
	discoveryd.reload();
	const troubles = await until(`the status tells of ${words}`, async () => {
		const status = await discoveryd.status();
		const found = REGIONS.map((region) => troubleOf(scopeOf(status, region)));
		return found.every(Boolean) ? found : null;
	});
	for (const trouble of troubles) {
		assert.equal(trouble.operation, operation, words);
		assert.ok(trouble.message, words);
	}
	assert.deepEqual(await discoveryd.names(), MATCHED, `${words} removed something`);
	await world.aws('DELETE', '/faults');
	discoveryd.reload();
	await until(`recovery from ${words}`, async () => {
		const status = await discoveryd.status();
		return REGIONS.every((region) => !troubleOf(scopeOf(status, region)));
	});
}

const countOf = async (world) => (await world.aws('GET', '/clusters')).filter(({ tags }) => tags.env !== 'dev').length;

// STS is asked once a session, so each nonsense gets a daemon of its own, which has the registry of the one before.
async function rolesThatCannotBeAssumed(world, count) {
	for (const fault of [HUGE, { kind: 'html' }]) {
		await world.aws('POST', '/faults', { ...fault, operation: 'sts:AssumeRole' });
		const discoveryd = await startDiscoveryd(world);
		const isRole = ({ id }) => id.startsWith(world.roleArn);
		await until(`the status tells of AssumeRole and ${fault.kind}`, async () =>
			(await discoveryd.status()).scopes.filter(isRole).every(({ error }) => error?.outcome === 'credentials'),
		);
		assert.equal((await discoveryd.names()).length, count, `${fault.kind} removed something`);
		await world.aws('DELETE', '/faults');
		discoveryd.reload();
		await until(`recovery from ${fault.kind}`, async () => (await discoveryd.status()).scopes.every(({ error }) => !error));
		await discoveryd.stop();
	}
}

scenario('bad replies of AWS', async (world) => {
	world.asanOptions = 'quarantine_size_mb=4'; // what is freed shall not count as used
	const discoveryd = await startDiscoveryd(world);
	await discoveryd.untilNames(MATCHED);
	const before = peakOf(discoveryd);
	for (const [operation, pairs] of Object.entries(FAULTS))
		for (const pair of pairs) await withFaults(world, discoveryd, operation, pair);
	assert.ok(peakOf(discoveryd) - before < PEAK_KIB_MAX, `${peakOf(discoveryd) - before} KiB more than before`);
	await world.aws('POST', '/faults', { operation: 'eks:DescribeCluster', kind: 'wrong-types', cluster: 'prod-1' });
	const name = await world.addCluster({
		account: OWN,
		region: 'us-east-1',
		name: 'still-found',
		tags: { env: 'prod' },
	});
	await discoveryd.untilNames([...MATCHED, name]);
	assert.ok((await discoveryd.names()).includes(nameOf(CLUSTERS[0])));
	await discoveryd.stop();
	await rolesThatCannotBeAssumed(world, await countOf(world));
});
