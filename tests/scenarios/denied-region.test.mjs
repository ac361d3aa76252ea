// One region is denied: the others are swept as ever, what was known there stays, and the status names the permission.
import assert from 'node:assert/strict';
import { MATCHED, OWN, scenario, startBoth, until } from './harness.mjs';

scenario('a denied region', async (world) => {
	const { discoveryd, kubeproxyd } = await startBoth(world);
	const allow = [
		{ effect: 'Allow', action: 'eks:*' },
		{ effect: 'Allow', action: 'sts:AssumeRole', resource: world.roleArn },
	];
	await world.aws('PUT', `/users/${OWN}/discovery`, {
		permissions: [...allow, { effect: 'Deny', action: 'eks:ListClusters', region: 'us-east-1' }],
	});
	const denied = await until('the denial in the status', async () => {
		const { scopes } = await discoveryd.status();
		return scopes.find((scope) => scope.error);
	});
	assert.deepEqual(
		[denied.region, denied.error.operation, denied.error.code],
		['us-east-1', 'eks:ListClusters', 'AccessDeniedException'],
	);
	assert.match(denied.error.remedy, /eks:ListClusters/);

	const name = await world.addCluster({
		account: OWN,
		region: 'eu-west-1',
		name: 'elsewhere',
		tags: { env: 'prod' },
	});
	await kubeproxyd.untilServed([...MATCHED, name]);
	await world.aws('PUT', `/users/${OWN}/discovery`, { permissions: allow });
	discoveryd.reload();
	await until('the region settles again', async () =>
		(await discoveryd.status()).scopes.every((scope) => !scope.error),
	);
});
