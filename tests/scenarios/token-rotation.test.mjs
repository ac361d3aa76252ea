// Tokens are replaced ahead of their time (shortened here), while requests and a watch go on without a failure.
import assert from 'node:assert/strict';
import { CLUSTERS, nameOf, person, scenario, startBoth, until } from './harness.mjs';

scenario('token rotation', async (world) => {
	world.config.eksgate.proxy.token_lifetime = '2s';
	world.writeConfig();
	const { kubeproxyd } = await startBoth(world);
	const [prod] = CLUSTERS;
	const alice = await person(world, kubeproxyd, 'alice', ['engineering']);
	const watch = alice.startKubectl(nameOf(prod), [
		'get',
		'--raw',
		'/api/v1/namespaces/default/configmaps?watch=true',
	]);
	await watch.waitFor(/settings/, { stream: 'stdout' });
	const path = `/clusters/${nameOf(prod)}/api/v1/namespaces/default/pods`;
	const tokens = await until(
		'three tokens',
		async () => {
			assert.equal((await alice.request(path)).status, 200);
			const used = (await world.received(prod)).map(
				(entry) => entry.headers.find(([name]) => name.toLowerCase() === 'authorization')[1],
			);
			const distinct = new Set(used);
			return distinct.size >= 3 && distinct;
		},
		{ everyMs: 300 },
	);
	for (const token of tokens) assert.match(token, /^Bearer k8s-aws-v1\./);
	await world.api(prod)('POST', '/objects', {
		apiVersion: 'v1',
		kind: 'ConfigMap',
		metadata: { name: 'later', namespace: 'default' },
	});
	await watch.waitFor(/later/, { stream: 'stdout' });
	await watch.kill();
});
