// What a client claims about itself is refused or dropped, and what the API server gets is exactly ours.
import assert from 'node:assert/strict';
import { CLUSTERS, nameOf, person, scenario, startBoth } from './harness.mjs';

const path = `/clusters/${nameOf(CLUSTERS[0])}/api/v1/namespaces/default/pods`;
const REFUSED = [
	'Impersonate-User: root',
	'Impersonate-Group: system:masters',
	'Impersonate-Uid: 1',
	'Impersonate-Extra-scopes: all',
	'impersonate-user: root',
	'Impersonate-Anything: x',
];
const DROPPED = [
	'X-Remote-User: root',
	'X-Remote-Group: system:masters',
	'X-Remote-Extra-a: b',
	'X-Forwarded-For: 10.0.0.1',
	'Forwarded: for=10.0.0.1',
	'X-Real-Ip: 10.0.0.1',
	'Proxy-Authorization: Basic eDp5',
	'Cookie: a=b',
	'Audit-ID: forged',
	'X-Amz-Date: 1',
	'X-Client-Cert: x',
];

scenario('identity headers', async (world) => {
	const { kubeproxyd } = await startBoth(world);
	const [prod] = CLUSTERS;
	const alice = await person(world, kubeproxyd, 'alice', ['engineering']);
	for (const header of REFUSED) {
		const answer = await alice.curl(path, ['-H', header]);
		assert.match(answer.stdout, /"kind": ?"Status"[^]*40[03]$/, header);
	}
	assert.match((await alice.curl(path, ['-H', 'Impersonate_User: root'])).stdout, /400$/);
	assert.equal((await world.received(prod)).length, 0);

	const dropped = await alice.curl(
		path,
		DROPPED.flatMap((header) => ['-H', header]),
	);
	assert.match(dropped.stdout, /200$/);
	for (const connection of [
		'Impersonate-User',
		'close, Impersonate-User',
		'keep-alive, impersonate-group',
		'Authorization',
	]) {
		assert.match((await alice.curl(path, ['-H', `Connection: ${connection}`])).stdout, /(200|400)$/, connection);
	}
	const received = await world.received(prod);
	assert.ok(received.length > 0);
	for (const { headers, user, groups } of received) {
		const of = (name) => headers.filter(([n]) => n.toLowerCase() === name).map(([, value]) => value);
		assert.deepEqual([user, groups], ['alice', ['developers', 'system:authenticated']]);
		assert.deepEqual([of('impersonate-user'), of('impersonate-group')], [['alice'], ['developers']]);
		assert.equal(of('authorization').length, 1);
		assert.equal(of('audit-id').length, 1);
		assert.notEqual(of('audit-id')[0], 'forged');
		for (const header of DROPPED) {
			const [name, value] = header.split(': ');
			assert.ok(!of(name.toLowerCase()).includes(value), header);
		}
		assert.ok(!of('connection').some((value) => /impersonate|authorization/i.test(value)));
	}
	const raw = ['get', '--raw', '/api/v1/namespaces/default/pods'];
	assert.match((await alice.kubectl(nameOf(prod), [...raw, '--as', 'root'])).stderr, /acting as user "root"/);
});
