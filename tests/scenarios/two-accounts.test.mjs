// The second account is reached by assuming a role with an external id; when that fails, only its clusters are affected
// and the status says what is missing.
import assert from 'node:assert/strict';
import { MATCHED, OTHER, scenario, startDiscoveryd, until } from './harness.mjs';

scenario('two accounts', async (world) => {
	const discoveryd = await startDiscoveryd(world);
	await discoveryd.untilNames(MATCHED);
	const calls = await world.aws('GET', '/calls');
	const assumed = calls.filter((call) => call.operation === 'sts:AssumeRole');
	assert.equal(
		assumed.reduce((sum, call) => sum + call.calls, 0),
		1,
		'one session serves every region of the account',
	);
	assert.ok(calls.some((call) => call.operation === 'eks:DescribeCluster' && call.account === OTHER));
	await discoveryd.stop();

	await world.aws('PUT', `/roles/${OTHER}/eksgate-discover`, { trust: [] });
	const again = await startDiscoveryd(world);
	assert.deepEqual(await again.names(), MATCHED);
	const failing = await until('the refusal in the status', async () => {
		const { scopes } = await again.status();
		return scopes.filter((scope) => scope.error).length === 3 && scopes.filter((scope) => scope.error);
	});
	for (const { error } of failing) {
		assert.match(error.message, /sts:AssumeRole/);
		assert.match(error.message, /eksgate-discover/);
	}
	assert.deepEqual(await again.names(), MATCHED);
});
