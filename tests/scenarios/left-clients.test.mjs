// A client that leaves is noticed, though bytes of its stand before its end that are not read now: a request that it
// pipelined behind a watch, or the rest of a body that the API server does not take. Who ends its side behind an answer gets
// a proper end.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { CLUSTERS, nameOf, person, run, scenario, startBoth, until } from './harness.mjs';

scenario('clients that left', { clusters: CLUSTERS.slice(0, 1) }, async (world) => {
	const cluster = nameOf(CLUSTERS[0]);
	const { kubeproxyd } = await startBoth(world, [cluster]);
	const alice = await person(world, kubeproxyd, 'alice', ['engineering']);
	const ends = () =>
		readFileSync(world.path('audit', 'main.jsonl'), 'utf8')
			.split('\n')
			.filter(Boolean)
			.map((line) => JSON.parse(line))
			.filter(({ verb, stage }) => verb === 'watch' && stage === 'ResponseComplete');
	for (const leave of ['end', 'destroy']) {
		const before = ends().length;
		const socket = alice.connect();
		socket.on('error', () => {});
		const pods = `/clusters/${cluster}/api/v1/namespaces/default/pods`;
		const get = (target) => `GET ${target} HTTP/1.1\r\nHost: proxy\r\n\r\n`;
		let text = '';
		socket.on('data', (part) => {
			text += part;
		});
		socket.write(get(`${pods}?watch=true`) + get(pods));
		await until('the watch has begun', async () => /^HTTP\/1\.1 200/.test(text));
		socket[leave]();
		await until(`its end after ${leave}()`, async () => ends().length > before, { timeoutMs: 15000 });
		assert.match(ends().at(-1).annotations['eksgate.io/ending'], /the client closed the connection/);
		socket.destroy();
	}

	writeFileSync(world.path('alice.crt'), alice.certificate);
	writeFileSync(world.path('alice.key'), alice.key);
	const client = fileURLToPath(new URL('../clients/tls_end.py', import.meta.url));
	const args = [client, `${kubeproxyd.port}`, world.path('alice.crt'), world.path('alice.key'), '/v1/clusters'];
	const ended = await run('/usr/bin/python3', args);
	assert.equal(ended.stdout, '200\nclose_notify\n', ended.stderr);
});
