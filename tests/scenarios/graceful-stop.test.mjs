// SIGTERM: a request under way is finished, nothing new is taken, watches end at once and cleanly, an exec gets the time that
// is set, and the status is 0.
import assert from 'node:assert/strict';
import { CLUSTERS, ended, nameOf, person, scenario, startBoth, until } from './harness.mjs';

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

scenario('a graceful stop with tunnels', async (world) => {
	world.config.eksgate.proxy.limits = { drain_timeout: '1s', tunnel_grace: '4s' };
	world.writeConfig();
	const { kubeproxyd } = await startBoth(world);
	const name = nameOf(CLUSTERS[0]);
	const alice = await person(world, kubeproxyd, 'alice', ['engineering']);
	const [short, long] = ['one', 'two'].map(() =>
		alice.startKubectl(name, ['exec', '-i', 'web-1', '--', 'sh', '-c', 'echo here; cat; echo over; exit 5'], { stdin: 'pipe' }),
	);
	for (const exec of [short, long]) await exec.waitFor(/here/, { stream: 'stdout' });
	const base = `/clusters/${name}/api/v1/namespaces/default`;
	const session = alice.h2();
	const watch = await alice.open(session, `${base}/configmaps?watch=true`);
	const begin = Date.now();
	const stopped = kubeproxyd.stop();
	assert.equal(await ended(watch.resume()), 0, 'a watch ends cleanly');
	assert.ok(Date.now() - begin < 2000, 'and does not wait for the execs');

	short.child.stdin.end('typed while it stops\n');
	assert.equal((await short.ended).code, 5, 'an exec that ends in time ends as ever');
	assert.match(short.stdout, /typed while it stops\nover\n/);
	assert.notEqual((await long.ended).code, 5, 'one that goes on is cut');
	assert.ok(Date.now() - begin > 3500, 'after the grace');
	await stopped;
});
