// This machine's clock is ten minutes slow, and then ten minutes fast: discoveryd learns it from AWS's answers and signs by
// AWS's time, also as a role; proxies learn it from the bus, and their tokens are good.
import assert from 'node:assert/strict';
import { MATCHED, person, scenario, startBoth, until } from './harness.mjs';

const PODS = '/api/v1/namespaces/default/pods';
const MINUTES = 60000;

scenario('a clock that is off', async (world) => {
	await world.aws('PUT', '/settings', { skewMs: 10 * MINUTES });
	const { discoveryd, kubeproxyd } = await startBoth(world);
	await discoveryd.log('aws', 'clock-differs', /offset_seconds=(599|600)/);
	const alice = await person(world, kubeproxyd, 'alice', ['engineering']);
	const served = () =>
		until('every cluster takes the tokens', async () => {
			const answers = await Promise.all(MATCHED.map((name) => alice.request(`/clusters/${name}${PODS}`)));
			const codes = answers.map(({ status }) => status);
			if (codes.some((code) => code !== 200)) throw new Error(`answers: ${codes}`);
			return true;
		});
	await served();

	const from = discoveryd.stderr.length;
	await world.aws('PUT', '/settings', { skewMs: -10 * MINUTES });
	discoveryd.reload();
	await discoveryd.log('aws', 'clock-differs', /offset_seconds=-(600|601)/, { from });
	await discoveryd.untilSwept();
	await served();
	const { scopes } = await discoveryd.status();
	assert.deepEqual(scopes.filter(({ error }) => error).map(({ error }) => error.message), []);
	assert.deepEqual(await discoveryd.names(), MATCHED);
});
