// SIGTERM: a request under way is finished, nothing new is taken, watches end, and the status is 0.
import assert from 'node:assert/strict';
import { CLUSTERS, nameOf, person, scenario, startBoth, until } from './harness.mjs';

scenario('a graceful stop', async (world) => {
	const { kubeproxyd } = await startBoth(world);
	const [prod] = CLUSTERS;
	const alice = await person(world, kubeproxyd, 'alice', ['engineering']);
	const base = `/clusters/${nameOf(prod)}/api/v1/namespaces/default`;
	const watch = alice.startKubectl(nameOf(prod), [
		'get',
		'--raw',
		'/api/v1/namespaces/default/configmaps?watch=true',
	]);
	await watch.waitFor(/settings/, { stream: 'stdout' });
	await world.api(prod)('POST', '/faults', { kind: 'slow', path: '/pods', times: 1, ms: 15 });
	const slow = alice.request(`${base}/pods`);
	await until('the slow answer has begun', async () => (await kubeproxyd.status()).exchanges === 2);

	const stopped = kubeproxyd.stop();
	assert.equal((await slow).json.kind, 'PodList', 'what was under way is finished');
	await until('nothing new is taken', async () => {
		try {
			await alice.request(`${base}/pods`);
			return false;
		} catch (error) {
			return error.code === 'ECONNREFUSED';
		}
	});
	await stopped;
	await watch.ended;
});
