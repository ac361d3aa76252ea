// Long bodies over HTTP/2: up to what an API server takes, and lists and endless answers to readers that stop reading,
// who hold back the API server, not the proxy's memory, and nobody else on their connection.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { CLUSTERS, nameOf, person, scenario, startBoth, until } from './harness.mjs';

const MIB = 1024 * 1024;
const residentMiB = (pid) => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) / 1024;

scenario('HTTP/2 bodies', async (world) => {
	const { kubeproxyd } = await startBoth(world);
	const [prod] = CLUSTERS;
	const alice = await person(world, kubeproxyd, 'alice', ['engineering']);
	const base = `/clusters/${nameOf(prod)}/api/v1/namespaces`;
	const session = alice.h2({ settings: { initialWindowSize: 256 * 1024 } });
	const post = (name, size) =>
		alice.ask(session, `${base}/default/configmaps`, {
			method: 'POST',
			headers: { 'content-type': 'application/json' },
			body: JSON.stringify({
				apiVersion: 'v1',
				kind: 'ConfigMap',
				metadata: { name },
				data: { text: 'x'.repeat(size) },
			}),
		});
	assert.equal((await post('large', 3 * MIB - 1000)).status, 201);
	assert.equal((await post('too-large', 3 * MIB + 1000)).status, 413);

	await world.api(prod)('POST', '/fill', { count: 48000, namespace: 'team-a' });
	const list = `${base}/team-a/pods`;
	const whole = await alice.ask(session, list);
	assert.ok(whole.json.items.length >= 48000);
	assert.ok(whole.text.length > 20 * MIB, `${whole.text.length} bytes`);

	const before = residentMiB(kubeproxyd.pid);
	await world.api(prod)('POST', '/faults', { kind: 'endless', path: '/endless' });
	const stalled = await Promise.all([
		alice.open(session, list),
		alice.open(session, list),
		alice.open(session, `${base}/endless/pods`),
		alice.open(session, `${base}/endless/pods`),
	]);
	stalled.forEach((stream) => stream.on('error', () => {}));
	for (let i = 0; i < 20; i++) assert.equal((await alice.ask(session, `${base}/default/pods`)).status, 200);
	const grown = residentMiB(kubeproxyd.pid) - before;
	assert.ok(grown < 24, `four stalled answers cost ${grown} MiB`);
	let length = 0;
	for await (const part of stalled[0]) length += part.length;
	assert.equal(length, Buffer.byteLength(whole.text));
	stalled.slice(1).forEach((stream) => stream.close(8));
	await until('nothing is left', async () => (await kubeproxyd.status()).exchanges === 0);
	session.close();
});
