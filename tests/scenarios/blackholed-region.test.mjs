// A region from which no answer comes: the others are looked at as ever, nothing waits for it, and what was known there
// stays. With EKSGATE_LONG also until the time-outs are over and the status says that it cannot be reached.
import assert from 'node:assert/strict';
import { MATCHED, OTHER, OWN, scenario, startBoth, until } from './harness.mjs';

const isLong = Boolean(process.env.EKSGATE_LONG);

scenario('a blackholed region', async (world) => {
	const { discoveryd, kubeproxyd } = await startBoth(world);
	await world.aws('POST', '/faults', { kind: 'hang', region: 'us-east-1' });
	await world.aws('POST', '/faults', { kind: 'hang', region: 'us-west-2' });
	discoveryd.reload();
	await until('passes hang', async () => {
		const { scopes } = await discoveryd.status();
		return scopes.filter(({ state }) => state === 'listing').length === 4;
	});
	const added = await Promise.all(
		[OWN, OTHER].map((account, i) =>
			world.addCluster({ account, region: 'eu-west-1', name: `new-${i}`, tags: { env: 'prod' } }),
		),
	);
	await kubeproxyd.untilServed([...MATCHED, ...added]);
	await discoveryd.untilNames([...MATCHED, ...added]);
	if (!isLong) return; // and it stops at once, with calls under way
	const scope = await until(
		'the time-outs',
		async () => (await discoveryd.status()).scopes.find(({ error }) => error),
		{ timeoutMs: 120000 },
	);
	assert.deepEqual([scope.error.outcome, scope.error.operation], ['unreachable', 'eks:ListClusters']);
	assert.deepEqual(await discoveryd.names(), [...MATCHED, ...added].sort());
	await world.aws('DELETE', '/faults');
	discoveryd.reload();
	await until('all is well', async () => (await discoveryd.status()).scopes.every(({ error }) => !error));
});
