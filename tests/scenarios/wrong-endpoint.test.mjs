// A cluster whose endpoint is none of EKS's is listed with the reason, and never gets a token.
import assert from 'node:assert/strict';
import { CLUSTERS, MATCHED, nameOf, OWN, person, scenario, startBoth, until } from './harness.mjs';

scenario('an endpoint that is not EKS’s', async (world) => {
	const { discoveryd, kubeproxyd } = await startBoth(world);
	const alice = await person(world, kubeproxyd, 'alice', ['engineering']);
	const place = await world.api(CLUSTERS[0])('GET', '');
	const cluster = { account: OWN, region: 'us-west-2', name: 'spoofed', tags: { env: 'prod' } };
	await world.putCluster(cluster, {
		tags: cluster.tags,
		endpoint: place.endpoint.replace('127.0.0.1', 'localhost'),
		certificateAuthority: place.certificateAuthority,
	});
	const name = nameOf(cluster);
	await until('the newcomer is known', async () => (await kubeproxyd.names()).includes(name));
	const answer = await alice.request(`/clusters/${name}/api/v1/pods`);
	assert.ok([502, 503].includes(answer.status), `${answer.status} ${answer.text}`);
	assert.match(answer.json.message, /endpoint/);
	assert.equal((await world.received(CLUSTERS[0])).length, 0);

	const second = nameOf(CLUSTERS[2]);
	const bundle = (text) => ({ certificateAuthority: Buffer.from(text).toString('base64') });
	await world.putCluster(CLUSTERS[2], bundle('-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n'));
	await until('the broken certificate is told', async () => {
		const other = await alice.request(`/clusters/${second}/api/v1/pods`);
		return [502, 503].includes(other.status) && /certificate/i.test(other.json.message);
	});
	await world.putCluster(CLUSTERS[2], bundle('nonsense'));
	await until('the text that is no bundle is told', async () => {
		const explained = JSON.stringify(await discoveryd.call(`/v1/explain?q=${second}`));
		return /certificate_authority/.test(explained) && /"unusable"/.test(explained);
	});
	await discoveryd.log('reconcile', 'unusable', /reason=/);
	assert.deepEqual(await discoveryd.names(), [...MATCHED, name].sort(), 'what was known stays');
	assert.equal(
		(await alice.request(`/clusters/${MATCHED.find((word) => word.startsWith('prod-1'))}/version`)).status,
		200,
	);
});
