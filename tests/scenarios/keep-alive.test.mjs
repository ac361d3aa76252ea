// Connections are kept on both sides: many requests of one client use one connection here and few at the API server, and
// users who share one never mix.
import assert from 'node:assert/strict';
import { Agent } from 'node:https';
import { CLUSTERS, nameOf, person, scenario, startBoth } from './harness.mjs';

scenario('keep-alive', async (world) => {
	const { kubeproxyd } = await startBoth(world);
	const [prod] = CLUSTERS;
	const path = `/clusters/${nameOf(prod)}/api/v1/namespaces/default/pods`;
	const people = [
		await person(world, kubeproxyd, 'alice', ['engineering']),
		await person(world, kubeproxyd, 'victor'),
	];
	const agents = people.map(() => new Agent({ keepAlive: true, maxSockets: 1 }));
	for (let i = 0; i < 20; i++) {
		const who = i % 2;
		assert.equal((await people[who].request(path, { agent: agents[who] })).status, 200);
	}
	const received = await world.received(prod);
	assert.equal(received.length, 20);
	received.forEach((entry, i) => assert.equal(entry.user, people[i % 2].name));
	assert.ok(new Set(received.map((entry) => entry.connection)).size <= 2, 'connections to the API server are reused');
	assert.ok((await kubeproxyd.status()).sessions <= 2, 'two clients, two connections');
	agents.forEach((agent) => agent.destroy());
});
