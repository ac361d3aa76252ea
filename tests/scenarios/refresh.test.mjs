// A certificate of an API server that is not its authority's any more: the proxy asks discoveryd, once, to look again, and
// serves without waiting for the next poll.
import assert from 'node:assert/strict';
import { CLUSTERS, nameOf, person, scenario, startBoth, until } from './harness.mjs';

scenario('a refresh over the bus', async (world) => {
	world.config.discovery_service.poll_interval = '1h';
	world.config.eksgate.discovery.describe_age = '1h';
	world.writeConfig();
	const { discoveryd, kubeproxyd } = await startBoth(world);
	const [prod] = CLUSTERS;
	const alice = await person(world, kubeproxyd, 'alice', ['engineering']);
	const session = alice.h2();
	const pods = () => alice.ask(session, `/clusters/${nameOf(prod)}/api/v1/namespaces/default/pods`);
	assert.equal((await pods()).status, 200);

	const place = await world.api(prod)('POST', '/rotate', {});
	await world.putCluster(prod, { certificateAuthority: place.certificateAuthority });
	const refused = await Promise.all(Array.from({ length: 20 }, pods));
	assert.ok(refused.some(({ status }) => status === 503), 'until it is looked at');
	for (const answer of refused) if (answer.status !== 200) assert.match(answer.json.message, /certificate/);
	await until('service under the new authority', async () => (await pods()).status === 200);
	assert.equal(discoveryd.stderr.match(/room=main event=refresh /g).length, 1, 'one question, however many failed');
	session.destroy();
});
