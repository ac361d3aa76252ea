// logs and logs -f: what there is, each line as it comes, the end when the container ends.
import assert from 'node:assert/strict';
import { CLUSTERS, nameOf, person, scenario, startBoth } from './harness.mjs';

scenario('kubectl logs', async (world) => {
	const { kubeproxyd } = await startBoth(world);
	const [prod] = CLUSTERS;
	const alice = await person(world, kubeproxyd, 'alice', ['engineering']);
	const line = (text) => world.api(prod)('POST', '/logs', { pod: 'web-1', line: text });
	await line('first');
	assert.match(await alice.kubectlOk(nameOf(prod), ['logs', 'web-1']), /listening\nfirst\n$/);
	assert.equal(await alice.kubectlOk(nameOf(prod), ['logs', 'web-1', '--tail=1']), 'first\n');
	const follow = alice.startKubectl(nameOf(prod), ['logs', '-f', 'web-1']);
	await follow.waitFor(/first/, { stream: 'stdout' });
	for (let i = 0; i < 5; i++) {
		await line(`line ${i}`);
		await follow.waitFor(new RegExp(`line ${i}`), { stream: 'stdout', timeoutMs: 3000 });
	}
	await world.api(prod)('POST', '/logs/end', { pod: 'web-1' });
	assert.equal((await follow.ended).code, 0);
	assert.match(
		(await alice.kubectl(nameOf(prod), ['logs', 'web-1', '-c', 'none'])).stderr,
		/container none is not valid/,
	);
});
