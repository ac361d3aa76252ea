// Many requests on one HTTP/2 connection: short ones at a time, watches side by side on few connections to the API server,
// and a stream that the client cancels is gone there at once, the others untouched.
import assert from 'node:assert/strict';
import { CLUSTERS, ended, nameOf, person, scenario, startBoth, until } from './harness.mjs';

const WATCHES = 100;

scenario('HTTP/2 streams', async (world) => {
	const { kubeproxyd } = await startBoth(world);
	const [prod] = CLUSTERS;
	const alice = await person(world, kubeproxyd, 'alice', ['engineering']);
	const base = `/clusters/${nameOf(prod)}/api/v1/namespaces/default`;
	const session = alice.h2();

	const answers = await Promise.all(Array.from({ length: 100 }, () => alice.ask(session, `${base}/pods`)));
	for (const { status, json } of answers) assert.deepEqual([status, json.kind], [200, 'PodList']);
	assert.ok((await alice.kubectlOk(nameOf(prod), ['get', 'pods'])).length > 0);
	const short = (await world.received(prod)).filter((entry) => entry.target.includes('/pods'));
	assert.ok(short.every((entry) => entry.version === '2.0'));
	const brief = new Set(short.map((entry) => entry.connection));
	assert.ok(brief.size >= 2 && brief.size <= 3, `short requests share connections, at least two when busy: ${brief.size}`);

	const watches = await Promise.all(
		Array.from({ length: WATCHES }, () => alice.open(session, `${base}/configmaps?watch=true&resourceVersion=0`)),
	);
	const seen = watches.map(() => '');
	watches.forEach((watch, i) =>
		watch.setEncoding('utf8').on('data', (text) => {
			seen[i] += text;
		}),
	);
	const put = (name) =>
		world.api(prod)('POST', '/objects', {
			apiVersion: 'v1',
			kind: 'ConfigMap',
			metadata: { name, namespace: 'default' },
		});
	await put('for-all');
	await until('every watch has the change', () => seen.every((text) => text.includes('for-all')));
	assert.equal((await kubeproxyd.status()).sessions, 1);
	const watching = (await world.received(prod)).filter((entry) => entry.target.includes('watch=true'));
	assert.equal(watching.length, WATCHES);
	const long = new Set(watching.map((entry) => entry.connection));
	// An API server that names no limit is taken for one that allows a hundred streams; near that another connection is made.
	assert.ok(long.size >= 2 && long.size <= 3, `${WATCHES} watches on ${long.size} connections`);
	assert.ok(!short.some((entry) => long.has(entry.connection)), 'watches have connections of their own');

	watches[0].close(8);
	await until('the cancelled watch is gone at the API server', async () => {
		const open = (await world.received(prod)).filter((e) => e.target.includes('watch=true') && !e.isClosed);
		return open.length === WATCHES - 1;
	});
	await put('for-the-others');
	await until('the others go on', () => seen.slice(1).every((text) => text.includes('for-the-others')));

	await world.api(prod)('POST', '/streams', { how: 'end' });
	const codes = await Promise.all(watches.slice(1).map(ended));
	assert.ok(codes.every((code) => code === 0), 'a clean end is a clean end');
	session.close();
});
