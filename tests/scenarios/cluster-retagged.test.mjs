// Tags decide: retagged out a cluster leaves, retagged in it comes; other tags become labels of the running proxy.
import assert from 'node:assert/strict';
import { CLUSTERS, MATCHED, nameOf, scenario, startBoth, until } from './harness.mjs';

scenario('a cluster is retagged', async (world) => {
	const { discoveryd, kubeproxyd } = await startBoth(world);
	const [prod, dev] = CLUSTERS;
	await world.putCluster(dev, { tags: { env: 'prod' } });
	await kubeproxyd.untilServed([...MATCHED, nameOf(dev)]);
	await world.putCluster(prod, { tags: { env: 'retired' } });
	await kubeproxyd.untilServed([...MATCHED.filter((name) => name !== nameOf(prod)), nameOf(dev)]);
	const explained = await discoveryd.call(`/v1/explain?q=${nameOf(prod)}`);
	assert.equal(explained.served, false);

	await world.putCluster(dev, { tags: { env: 'prod', colour: 'green' } });
	await until('the new label', async () => {
		const resource = (await discoveryd.clusters()).find((cluster) => cluster.metadata.name === nameOf(dev));
		return resource.metadata.labels.colour === 'green';
	});
});
