// Discovery over many accounts and regions, in small: the counts of calls that `make bench` has at full size. A first look asks
// each scope twice and describes each cluster once, a quiet cycle describes none, a restart knows what was described, and a
// change reaches a proxy that took the snapshot.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Company } from '../bench/discovery/company.mjs';
import { until } from '../clients/run.mjs';

const SIZE = process.env.EKSGATE_LONG
	? { clusters: 2000, accounts: 40, regions: 17, delay: 5 }
	: { clusters: 300, accounts: 10, regions: 6, delay: 2 };

const has = (company) =>
	until(
		'everything is found',
		async () => (await company.call('/v1/inventory')).clusters.ready === SIZE.clusters && (await company.call('/v1/status')).complete,
		{ timeoutMs: 120000 },
	);

// The calls of AWS since they were forgotten, once there are no more.
async function callsOf(company, atLeast) {
	let asked = -1;
	await until('AWS is asked no more', async () => {
		const { requests, calls } = await company.aws.ask('stats');
		const isQuiet = requests === asked && (calls.ListClusters ?? 0) >= atLeast && (calls.GetResources ?? 0) >= atLeast;
		asked = requests;
		return isQuiet;
	});
	const { calls, refused } = await company.aws.ask('stats');
	assert.equal(refused, 0, 'every signature that was checked is good');
	await company.aws.ask('reset');
	return calls;
}

const start = (company) => company.start('discoveryd', ['run']);

async function follow(company) {
	const { scopes } = company;
	const init = company.start('kubeproxyd', ['init']);
	await init.ended;
	const first = start(company);
	await has(company);
	const calls = await callsOf(company, scopes);
	assert.deepEqual(
		[calls.AssumeRole, calls.ListClusters, calls.GetResources, calls.DescribeCluster],
		[SIZE.accounts, scopes, scopes, SIZE.clusters],
	);
	first.child.kill('SIGHUP');
	const quiet = await callsOf(company, scopes);
	assert.deepEqual([quiet.ListClusters, quiet.GetResources, quiet.DescribeCluster ?? 0], [scopes, scopes, 0]);
	await first.stop();

	const second = start(company);
	await has(company);
	assert.equal((await callsOf(company, scopes)).DescribeCluster ?? 0, 0, 'a restart knows what was described');
	const proxy = company.start('kubeproxyd', ['run']);
	await company.untilLog(proxy, new RegExp(`event=ready [^\\n]*clusters=${SIZE.clusters}\\b`));
	await company.aws.ask('tag', company.aws.accounts[0], company.aws.regions[0], 'cluster-00000', 'env', 'dev');
	second.child.kill('SIGHUP');
	await until('the cluster that matches no more is served no more', async () => {
		const { clusters } = await company.call('/v1/inventory');
		return clusters.total === SIZE.clusters - 1;
	});
	await until('the proxy applied it', async () => {
		const { sequence, subscribers } = await company.call('/v1/inventory');
		return subscribers.some(({ role, applied }) => role === 'proxy' && applied === sequence);
	});
	assert.equal((await callsOf(company, scopes)).DescribeCluster, 1, 'only what changed is described');
	for (const running of [first, second, proxy])
		assert.doesNotMatch(running.logText(), /Sanitizer|runtime error/, `${running.name} has a sanitizer report`);
}

test('a company of many accounts', { timeout: 170000 }, async () => {
	const company = new Company(SIZE);
	try {
		await company.open();
		await follow(company);
	} finally {
		await company.close();
	}
});
