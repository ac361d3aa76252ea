// get -w, on each kubectl: each change arrives at once; a clean end upstream is a clean end here, a cut one is not; a client that leaves is
// gone upstream too.
import assert from 'node:assert/strict';
import { CLUSTERS, nameOf, person, scenario, startBoth, until } from './harness.mjs';
import { MINORS, toolsOf } from './tools.mjs';

scenario('kubectl watches', async (world) => {
	const { kubeproxyd } = await startBoth(world);
	const [prod] = CLUSTERS;
	const name = nameOf(prod);
	const alice = await person(world, kubeproxyd, 'alice', ['engineering']);
	const put = (word) =>
		world.api(prod)('POST', '/objects', {
			apiVersion: 'v1',
			kind: 'ConfigMap',
			metadata: { name: word, namespace: 'default' },
		});
	const watches = MINORS.map((minor) => toolsOf(alice, name, { minor }).start(['get', 'cm', '-w']));
	for (const watch of watches) await watch.waitFor(/settings/, { stream: 'stdout' });
	for (let i = 0; i < 5; i++) {
		await put(`change-${i}`);
		const change = new RegExp(`change-${i}`);
		for (const watch of watches) await watch.waitFor(change, { stream: 'stdout', timeoutMs: 3000 });
	}
	for (const watch of watches) await watch.kill();

	const raw = () => alice.startKubectl(name, ['get', '--raw', '/api/v1/namespaces/default/configmaps?watch=true']);
	const clean = raw();
	await clean.waitFor(/settings/, { stream: 'stdout' });
	await world.api(prod)('POST', '/streams', { how: 'end' });
	assert.equal((await clean.ended).code, 0);
	const cut = raw();
	await cut.waitFor(/settings/, { stream: 'stdout' });
	await world.api(prod)('POST', '/streams', { how: 'cut' });
	assert.notEqual((await cut.ended).code, 0, `a watch that was cut does not end cleanly: ${cut.stderr}`);

	const left = raw();
	await left.waitFor(/settings/, { stream: 'stdout' });
	assert.ok((await kubeproxyd.status()).exchanges >= 1);
	await left.kill('SIGKILL');
	await until('the watch is gone here', async () => (await kubeproxyd.status()).exchanges === 0);
});
