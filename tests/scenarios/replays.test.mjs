// What may be sent to the API server again is, once, unnoticed; what may have been processed, or is not at hand any more, is
// not: the client gets a Status that says whether to try again.
import assert from 'node:assert/strict';
import { CLUSTERS, nameOf, person, scenario, startBoth } from './harness.mjs';

const base = '/api/v1/namespaces/default/configmaps';
const headers = { 'Content-Type': 'application/json' };
const document = (name, size) =>
	JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data: { filler: 'x'.repeat(size) } });

scenario('what is sent again', async (world) => {
	world.config.eksgate.proxy.limits = { body_in_hand: '4KiB' };
	world.writeConfig();
	const { kubeproxyd } = await startBoth(world);
	const [prod] = CLUSTERS;
	const api = world.api(prod);
	const path = `/clusters/${nameOf(prod)}${base}`;
	const alice = await person(world, kubeproxyd, 'alice', ['engineering']);
	const post = (name, size) => alice.request(path, { method: 'POST', headers, body: document(name, size) });
	const arrivals = async (method) => (await world.received(prod)).filter((entry) => entry.method === method && entry.target.startsWith(base));
	const isThere = async (name) => (await alice.request(`${path}/${name}`)).status === 200;

	// The connection was used before, and ends before the first byte of the answer.
	assert.equal((await alice.request(path)).status, 200);
	await api('POST', '/faults', { kind: 'reset', path: '/configmaps', times: 1 });
	assert.equal((await alice.request(path)).status, 200);
	const reads = await arrivals('GET');
	assert.equal(reads.length, 3, 'one more than was asked');
	assert.notEqual(reads[2].connection, reads[1].connection);
	await api('POST', '/faults', { kind: 'reset', path: '/configmaps', times: 1 });
	const lost = await post('lost', 10);
	assert.equal(lost.status, 502, 'a write may have been processed');
	assert.equal(lost.json.kind, 'Status');
	assert.match(lost.json.message, new RegExp(`cluster "${nameOf(prod)}"`));
	assert.equal((await arrivals('POST')).length, 1);
	assert.ok(!(await isThere('lost')));

	// Refused, and so not processed: a body that is at hand goes again, a larger one is the client's to send again.
	await api('POST', '/faults', { kind: 'refused-stream', method: 'POST', path: '/configmaps', times: 2 });
	assert.equal((await post('small', 10)).status, 201);
	await api('POST', '/faults', { kind: 'refused-stream', method: 'POST', path: '/configmaps', times: 1, behind: 32 * 1024 });
	const large = await post('large', 64 * 1024);
	assert.equal(large.status, 429, large.text);
	assert.equal(large.headers['retry-after'], '1');
	assert.match(large.json.message, /body_in_hand/);
	assert.ok(!(await isThere('large')));
	assert.equal((await post('large', 64 * 1024)).status, 201);
});
