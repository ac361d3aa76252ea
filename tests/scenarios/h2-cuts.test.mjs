// What is cut looks cut, over HTTP/2 and HTTP/1.1 alike; what ends, ends: an API server that resets a stream or dies, one
// that speaks HTTP/1.1 alone, and a proxy that is told to stop.
import assert from 'node:assert/strict';
import { CLUSTERS, ended, nameOf, person, scenario, startBoth, until } from './harness.mjs';

const RESET = 2; // INTERNAL_ERROR

scenario('HTTP/2 cuts and ends', async (world) => {
	const { kubeproxyd } = await startBoth(world);
	const [prod] = CLUSTERS;
	const alice = await person(world, kubeproxyd, 'alice', ['engineering']);
	const base = `/clusters/${nameOf(prod)}/api/v1/namespaces/default`;
	const api = world.api(prod);
	const session = alice.h2();
	const watch = async () => {
		const stream = await alice.open(session, `${base}/configmaps?watch=true`);
		stream.on('error', () => {});
		stream.resume();
		return stream;
	};

	const broken = await watch();
	await api('POST', '/streams', { how: 'cut' });
	assert.equal(await ended(broken), RESET, 'a watch that is cut');
	assert.equal((await alice.ask(session, `${base}/pods`)).status, 200, 'its connection goes on');
	await api('POST', '/faults', { kind: 'reset-stream', path: '/pods', times: 2 });
	await assert.rejects(alice.ask(session, `${base}/pods`), /cut with|INTERNAL_ERROR/);
	await assert.rejects(alice.request(`${base}/pods`), 'over HTTP/1.1 too');
	await api('POST', '/faults', { kind: 'slow', path: '/pods', times: 1, ms: 2 });
	assert.equal((await alice.ask(session, `${base}/pods`)).json.kind, 'PodList');

	await api('POST', '/restart', { http1: true });
	await until('it serves again', async () => (await alice.ask(session, `${base}/pods`)).status === 200);
	const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'by-h1' } };
	const made = await alice.ask(session, `${base}/configmaps`, {
		method: 'POST',
		headers: { 'content-type': 'application/json' },
		body: JSON.stringify(object),
	});
	assert.equal(made.status, 201);
	assert.equal((await world.received(prod)).at(-1).version, '1.1');
	const cutByH1 = await watch();
	await api('POST', '/streams', { how: 'cut' });
	assert.equal(await ended(cutByH1), RESET);

	const last = await watch();
	const farewell = new Promise((resolve) => {
		session.once('goaway', resolve);
	});
	const stopping = kubeproxyd.stop();
	await farewell;
	assert.equal(await ended(last), 0, 'a watch ends cleanly when the proxy stops');
	await stopping;
});
