// With descriptions that may grow old, tags still decide at the next poll, in both directions, page by page.
import assert from 'node:assert/strict';
import { CLUSTERS, MATCHED, nameOf, scenario, startDiscoveryd } from './harness.mjs';

scenario('retagged while descriptions are fresh', async (world) => {
	const [prod, dev] = CLUSTERS;
	world.config.eksgate.discovery.describe_age = '1h';
	world.writeConfig();
	await world.aws('PUT', '/settings', { pageSize: 1, tagEmptyPages: true });
	const discoveryd = await startDiscoveryd(world);
	await discoveryd.untilNames(MATCHED);
	await discoveryd.untilSwept();
	await world.putCluster(prod, { tags: { env: 'retired' } });
	await world.putCluster(dev, { tags: { env: 'prod' } });
	const left = MATCHED.filter((name) => name !== nameOf(prod));
	await discoveryd.untilNames([...left, nameOf(dev)]);
	await discoveryd.log('reconcile', 'removed', /reason="?unmatched/);
	await world.putCluster(dev, { tags: {} });
	await discoveryd.untilNames(left);

	world.config.discovery_service.aws[0].tags = { env: ['prod', 'retired'] };
	world.writeConfig();
	discoveryd.reload();
	await discoveryd.untilNames(MATCHED);
	assert.equal((await discoveryd.status()).scopes.filter((scope) => scope.error).length, 0);
});
