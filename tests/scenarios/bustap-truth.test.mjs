// What bustap prints is what is on the bus: a snapshot, then each change, one line of JSON a message; no secret in it.
import assert from 'node:assert/strict';
import { MATCHED, nameOf, OWN, scenario, startBoth, startBustap } from './harness.mjs';

scenario('bustap prints the truth', async (world) => {
	const { discoveryd } = await startBoth(world);
	const tap = startBustap(world);
	await tap.waitFor(/SNAPSHOT_END/, { stream: 'stdout' });
	for (const name of MATCHED) assert.match(tap.stdout, new RegExp(`"${name}"`));
	const cluster = { account: OWN, region: 'us-west-2', name: 'tapped', tags: { env: 'prod' } };
	await world.addCluster(cluster);
	await tap.waitFor(/"DELTA"[^\n]*tapped/, { stream: 'stdout' });
	const { sequence } = await discoveryd.status();
	await world.deleteCluster(cluster);
	await discoveryd.untilNames(MATCHED);
	await tap.waitFor(new RegExp(`HEARTBEAT[^\\n]*"sequence": ?(?!${sequence}\\b)\\d+`), { stream: 'stdout' });

	const messages = tap.messages();
	for (const message of messages) assert.equal(typeof message.type, 'string');
	const deltas = messages.filter((message) => message.type === 'DELTA');
	assert.ok(deltas.length >= 2, 'an addition and a removal');
	assert.ok(JSON.stringify(deltas).includes(nameOf(cluster)));
	for (const secret of [
		world.discoveryUser.secretAccessKey,
		world.proxyUser.secretAccessKey,
		'eksgate-test-external-id',
	]) {
		assert.ok(!tap.stdout.includes(secret) && !tap.stderr.includes(secret), 'no secret is shown');
	}
});
