// An API server that refuses the token once is asked again with a new one; the client never sees the 401, which is not its.
import assert from 'node:assert/strict';
import { CLUSTERS, nameOf, person, scenario, startBoth } from './harness.mjs';

scenario('the API server refuses the token', async (world) => {
	const { kubeproxyd } = await startBoth(world);
	const [prod] = CLUSTERS;
	const alice = await person(world, kubeproxyd, 'alice', ['engineering']);
	const path = `/clusters/${nameOf(prod)}/api/v1/namespaces/default/pods`;
	await world.api(prod)('POST', '/faults', { kind: 'unauthorized', times: 1 });
	assert.equal((await alice.request(path)).status, 200);
	await world.api(prod)('POST', '/faults', { kind: 'unauthorized' });
	const answer = await alice.request(path);
	assert.ok([502, 503].includes(answer.status), `${answer.status} ${answer.text}`);
	assert.equal(answer.headers['www-authenticate'], undefined);
	await world.api(prod)('DELETE', '/faults');
	await world.aws('PUT', `/clusters/${prod.account}/${prod.region}/${prod.name}/access-entries`, {
		principalArn: world.proxyUser.arn,
		kubernetesGroups: [],
	});
	const unbound = await alice.request(path);
	assert.ok([403, 502, 503].includes(unbound.status), `${unbound.status} ${unbound.text}`);
	assert.match(unbound.json.message, /impersonate/);
});
