// Nothing bound means denied, with a sentence about what to ask for; a role's labels bound where it counts; no request of
// the denied reaches the API server.
import assert from 'node:assert/strict';
import { CLUSTERS, nameOf, person, scenario, startBoth } from './harness.mjs';

scenario('an unbound user', async (world) => {
	const { kubeproxyd } = await startBoth(world);
	const [prod, , , , staging] = CLUSTERS;
	const mallory = await person(world, kubeproxyd, 'mallory', ['nobodies']);
	const denied = await mallory.request(`/clusters/${nameOf(prod)}/api/v1/namespaces/default/pods`);
	assert.equal(denied.json.kind, 'Status');
	assert.ok([403, 404].includes(denied.status));
	assert.match(denied.json.message, /mallory/);
	assert.equal((await world.received(prod)).length, 0);

	const victor = await person(world, kubeproxyd, 'victor');
	assert.match(await victor.kubectlOk(nameOf(prod), ['get', 'pods']), /web-1/);
	const write = await victor.kubectl(nameOf(prod), ['delete', 'pod', 'web-1']);
	assert.match(
		write.stderr,
		/pods "web-1" is forbidden: User "victor" cannot delete/,
		"the cluster's own RBAC decides",
	);
	const elsewhere = await victor.request(`/clusters/${nameOf(staging)}/api/v1/namespaces/default/pods`);
	assert.ok([403, 404].includes(elsewhere.status));
	assert.equal((await world.received(staging)).length, 0);
});
