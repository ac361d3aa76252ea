// Without tag:GetResources everything is described at every poll; the status and one line of the log say so and what it
// costs. With the permission it is used again.
import assert from 'node:assert/strict';
import { CLUSTERS, MATCHED, nameOf, OWN, scenario, startDiscoveryd, until } from './harness.mjs';

scenario('the tagging API is denied', async (world) => {
	const allow = [
		{ effect: 'Allow', action: 'eks:*' },
		{ effect: 'Allow', action: 'sts:AssumeRole', resource: world.roleArn },
	];
	world.config.eksgate.discovery.describe_age = '1h';
	world.writeConfig();
	await world.aws('PUT', `/users/${OWN}/discovery`, { permissions: allow });
	const discoveryd = await startDiscoveryd(world);
	await discoveryd.untilNames(MATCHED);
	const own = (status) => status.scopes.find((scope) => scope.id === 'own/eu-west-1');
	const scope = own(await discoveryd.untilSwept());
	assert.equal(scope.error, undefined);
	assert.equal(scope.state, 'settled');
	assert.equal(scope.calls_by_operation['eks:DescribeCluster'], 2);
	assert.equal(scope.tagging.state, 'failed');
	assert.equal(scope.tagging.error.operation, 'tag:GetResources');
	assert.match(scope.tagging.error.remedy, /allow tag:GetResources/);
	assert.match(scope.tagging.cost, /every cluster is described at every poll: 2 calls/);
	await discoveryd.untilSwept();
	const told = discoveryd.stderr.match(/event=tags-not-used scope=own\/eu-west-1/g);
	assert.equal(told?.length, 1, 'the log says it once');

	await world.putCluster(CLUSTERS[0], { tags: { env: 'dev' } });
	await discoveryd.untilNames(MATCHED.filter((name) => name !== nameOf(CLUSTERS[0])));
	await world.aws('PUT', `/users/${OWN}/discovery`, {
		permissions: [...allow, { effect: 'Allow', action: 'tag:GetResources' }],
	});
	await until('the tags are used', async () => own(await discoveryd.status()).tagging.state === 'used');
	await until('a quiet cycle', async () => own(await discoveryd.status()).calls === 2);
});
