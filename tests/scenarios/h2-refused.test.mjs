// What an API server provably did not process is sent again and nobody notices: streams above the last id of a GOAWAY and
// refused ones, writes included, none failed and none doubled. One that refuses for ever gives a Status.
import assert from 'node:assert/strict';
import { CLUSTERS, nameOf, person, rounds, scenario, startBoth } from './harness.mjs';

const AT_A_TIME = 20;
// The sanitizers have a fifth of it to do.
const FULL = /asan/.test(process.env.EKSGATE_BUILD) ? 20000 : 100000;

scenario('refused HTTP/2 requests', async (world) => {
	const { kubeproxyd } = await startBoth(world);
	const [prod] = CLUSTERS;
	const alice = await person(world, kubeproxyd, 'alice', ['engineering']);
	const path = `/clusters/${nameOf(prod)}/api/v1/namespaces/default/configmaps`;
	const api = world.api(prod);
	const headers = { 'content-type': 'application/json' };
	const session = alice.h2();
	const post = async (name) => {
		const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data: { text: 'x'.repeat(4000) } };
		const answer = await alice.ask(session, path, { method: 'POST', headers, body: JSON.stringify(object) });
		assert.equal(answer.status, 201, `${name}: ${answer.text}`);
	};

	for (const fault of [{ kind: 'goaway', refuses: true }, { kind: 'goaway' }, { kind: 'refused-stream' }]) {
		await post(`before-${fault.kind}-${fault.refuses}`);
		await api('POST', '/faults', { ...fault, method: 'POST', times: 2 });
		await post(`during-${fault.kind}-${fault.refuses}`);
		await api('DELETE', '/faults');
	}

	await api('POST', '/faults', { kind: 'goaway', refuses: true, method: 'POST', chance: 0.01 });
	await api('POST', '/faults', { kind: 'goaway', method: 'POST', chance: 0.01 });
	const count = process.env.EKSGATE_LONG ? FULL : rounds(10) * 100;
	const names = Array.from({ length: count }, (_, i) => `write-${i}`);
	const work = names.values();
	await Promise.all(
		Array.from({ length: AT_A_TIME }, async () => {
			for (const name of work) await post(name);
		}),
	);
	assert.ok((await api('GET', '/faults')).every((fault) => fault.hits > 0), 'it was put to the test');
	await api('DELETE', '/faults');
	const { json } = await alice.ask(session, path);
	const made = json.items.filter((item) => item.metadata.name.startsWith('write-'));
	assert.equal(made.length, count);

	await api('POST', '/faults', { kind: 'refused-stream', method: 'DELETE' });
	const refused = await alice.ask(session, `${path}/write-0`, { method: 'DELETE' });
	assert.deepEqual([refused.status, refused.json.kind], [503, 'Status']);
	assert.match(refused.json.message, new RegExp(nameOf(prod)));
	const tries = (await world.received(prod)).filter((entry) => entry.method === 'DELETE');
	assert.equal(tries.length, 7, 'once, and six times again');
	session.close();
});
