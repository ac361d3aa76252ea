// The certificate authority of a cluster changes in place: the proxy follows what DescribeCluster says, and trusts nothing
// else meanwhile.
import assert from 'node:assert/strict';
import { CLUSTERS, nameOf, person, scenario, startBoth, until } from './harness.mjs';

scenario('the CA of a cluster is rotated', async (world) => {
	const { kubeproxyd } = await startBoth(world);
	const [prod] = CLUSTERS;
	const alice = await person(world, kubeproxyd, 'alice', ['engineering']);
	const pods = () => alice.request(`/clusters/${nameOf(prod)}/api/v1/namespaces/default/pods`);
	assert.equal((await pods()).status, 200);

	const place = await world.api(prod)('POST', '/rotate', {});
	const refused = await pods();
	assert.ok([502, 503].includes(refused.status), `an unknown authority is refused: ${refused.status}`);
	assert.match(refused.json.message, /certificate/i);
	assert.equal((await world.received(prod)).length, 1, 'no token went to the unknown one');
	await world.putCluster(prod, { certificateAuthority: place.certificateAuthority });
	await until('service under the new authority', async () => (await pods()).status === 200);
});
