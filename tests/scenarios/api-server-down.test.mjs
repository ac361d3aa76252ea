// An API server that refuses, hangs, cuts or answers nonsense gives a Status that names the cluster; others are not affected.
import assert from 'node:assert/strict';
import { CLUSTERS, nameOf, person, scenario, startBoth, until } from './harness.mjs';

scenario('an API server is down', async (world) => {
	world.config.eksgate.proxy.limits = { connect_timeout: '2s', response_timeout: '2s' };
	world.writeConfig();
	const { kubeproxyd } = await startBoth(world);
	const [prod, , other] = CLUSTERS;
	const alice = await person(world, kubeproxyd, 'alice', ['engineering']);
	const pods = (cluster) => alice.request(`/clusters/${nameOf(cluster)}/api/v1/namespaces/default/pods`);
	assert.equal((await pods(prod)).status, 200);

	await world.api(prod)('POST', '/stop');
	const down = await pods(prod);
	assert.ok([502, 503].includes(down.status), String(down.status));
	assert.equal(down.json.kind, 'Status');
	assert.match(down.json.message, new RegExp(nameOf(prod)));
	assert.match(
		(await alice.kubectl(nameOf(prod), ['get', '--raw', '/api/v1/pods'])).stderr,
		new RegExp(nameOf(prod)),
	);
	assert.equal((await pods(other)).status, 200);
	await until('the trouble in the list', async () => {
		const { clusters } = await kubeproxyd.call('/v1/clusters');
		return clusters.find((cluster) => cluster.name === nameOf(prod)).last_error;
	});
	await world.api(prod)('POST', '/start');
	await until('service again', async () => (await pods(prod)).status === 200);

	const faults = [
		[{ kind: 'hang' }, 504],
		[{ kind: 'reset' }, 502],
		[{ kind: 'garbage' }, 502],
		[{ kind: 'redirect', location: 'https://evil.example/' }, 502],
	];
	for (const [fault, status] of faults) {
		await world.api(prod)('POST', '/faults', { ...fault, path: '/pods' });
		const answer = await pods(prod);
		assert.equal(answer.status, status, `${fault.kind}: ${answer.text}`);
		assert.equal(answer.json.kind, 'Status', fault.kind);
		await world.api(prod)('DELETE', '/faults');
	}
	await world.api(prod)('POST', '/faults', { kind: 'cut', path: '/pods' });
	await assert.rejects(pods(prod), 'a body that was cut never looks complete');
	await world.api(prod)('DELETE', '/faults');
	await world.api(prod)('POST', '/faults', { kind: 'cut', path: '/pods', chunked: true });
	await assert.rejects(pods(prod), 'nor does a chunked one');
	await world.api(prod)('DELETE', '/faults');
	assert.equal((await pods(prod)).status, 200);
});
