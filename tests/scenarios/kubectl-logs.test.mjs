// logs and logs -f: what there is, each line as it comes, the end when the container ends. Followed for a moment, or for
// EKSGATE_LOGS_SECONDS (3600 is an hour; then with silences of more than a minute), by the oldest kubectl and the newest.
import assert from 'node:assert/strict';
import { CLUSTERS, nameOf, person, scenario, startBoth } from './harness.mjs';
import { MINORS, toolsOf } from './tools.mjs';

const [prod] = CLUSTERS;
const SECONDS = Number(process.env.EKSGATE_LOGS_SECONDS ?? 2);
const SILENCE_MS = Math.min((SECONDS * 1000) / 8, 65000);
const ARRIVAL_MAX_MS = 3000;

const pause = (ms) =>
	new Promise((resolve) => {
		setTimeout(resolve, ms);
	});

scenario('kubectl logs', { maxMs: (SECONDS + 120) * 1000 }, async (world) => {
	const { kubeproxyd } = await startBoth(world);
	const alice = await person(world, kubeproxyd, 'alice', ['engineering']);
	const line = (text) => world.api(prod)('POST', '/logs', { pod: 'web-1', line: text });
	await line('first');
	const { ok, kubectl } = toolsOf(alice, nameOf(prod));
	assert.match(await ok(['logs', 'web-1']), /listening\nfirst\n$/);
	assert.equal(await ok(['logs', 'web-1', '--tail=1']), 'first\n');
	assert.match((await kubectl(['logs', 'web-1', '-c', 'none'])).stderr, /container none is not valid/);
	const ofBoth = await ok(['logs', '-l', 'app in (web-1,web-2)', '--prefix']);
	for (const pod of ['web-1', 'web-2']) assert.match(ofBoth, new RegExp(`pod/${pod}/main`));

	const followers = [MINORS[0], MINORS.at(-1)].map((minor) =>
		toolsOf(alice, nameOf(prod), { minor }).start(['logs', '-f', 'web-1']),
	);
	for (const follower of followers) await follower.waitFor(/first/, { stream: 'stdout' });
	const end = Date.now() + SECONDS * 1000;
	let count = 0;
	for (; count < 5 || Date.now() < end; count++) {
		await pause(SILENCE_MS);
		await line(`line ${count}`);
		const arrived = new RegExp(`line ${count}\n`);
		for (const follower of followers)
			await follower.waitFor(arrived, { stream: 'stdout', timeoutMs: ARRIVAL_MAX_MS });
	}
	await world.api(prod)('POST', '/logs/end', { pod: 'web-1' });
	const wanted = ['starting', 'listening', 'first', ...Array.from({ length: count }, (_, i) => `line ${i}`)];
	for (const follower of followers) {
		assert.equal((await follower.ended).code, 0, follower.stderr);
		assert.equal(follower.stdout, `${wanted.join('\n')}\n`, 'every line once');
	}
});
