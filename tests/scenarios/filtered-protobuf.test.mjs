// A role for some names, and clients that take protobuf: lists, pages, watches and WatchLists hold what the role shows and
// nothing else, whole or compressed; so does what kubectl reads in protobuf; helm, which keeps its releases in secrets and reads them in protobuf, sees the
// releases that are its user's.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { gunzipSync, gzipSync } from 'node:zlib';
import { readFrames, readList } from '../clients/protobuf.mjs';
import { encodeObject } from '../sim/kube/protobuf_answer.mjs';
import { someRole } from './filtered.mjs';
import { CLUSTERS, ended, nameOf, person, scenario, startBoth, until } from './harness.mjs';
import { MINORS, toolsOf } from './tools.mjs';

const [prod] = CLUSTERS;
const cluster = nameOf(prod);
const PROTOBUF = 'application/vnd.kubernetes.protobuf';
const METADATA = `${PROTOBUF};as=PartialObjectMetadataList;g=meta.k8s.io;v=v1`;

const ROLES = someRole('nadia', [
	"kind: pods, namespace: default, name: 'mine-*', verbs: [get, list, watch]",
	"kind: pods, namespace: 'group-*', name: '*', verbs: [get, list, watch]",
	"kind: events, namespace: default, name: 'mine-*', verbs: [get, list, watch]",
	"kind: secrets, namespace: default, name: 'sh.helm.release.v1.mine*', verbs: [get, list, watch]",
]);

const pod = (name, namespace = 'default', bytes = 0) => ({
	apiVersion: 'v1',
	kind: 'Pod',
	metadata: { name, namespace, labels: { app: 'web' } },
	spec: { containers: [{ name: 'main', image: 'x' }], nodeName: 'x'.repeat(bytes) },
	status: { phase: 'Running' },
});

async function bytesOf(stream) {
	const parts = [];
	stream.on('data', (part) => parts.push(part));
	assert.equal(await ended(stream), 0, 'it was cut');
	return Buffer.concat(parts);
}

const names = ({ items }) => items.map(({ namespace, name }) => `${namespace}/${name}`);

async function checkLists(world, nadia, session) {
	const get = async (path, accept = PROTOBUF, headers = {}) => {
		const stream = await nadia.open(session, `/clusters/${cluster}${path}`, { headers: { accept, ...headers } });
		return { status: stream.status, head: stream.head, data: await bytesOf(stream) };
	};
	const pods = '/api/v1/namespaces/default/pods';
	const MINE = ['default/mine-1', 'default/mine-2'];
	for (const accept of [PROTOBUF, METADATA]) {
		const { status, head, data } = await get(pods, accept);
		assert.equal(status, 200);
		assert.equal(head['content-type'], PROTOBUF);
		assert.equal(head['content-length'], undefined);
		const list = readList(data);
		assert.equal(list.kind, accept === METADATA ? 'PartialObjectMetadataList' : 'PodList');
		assert.deepEqual(names(list), MINE);
		assert.equal(list.others, 0);
		assert.ok(list.version !== '');
	}
	assert.deepEqual(names(readList((await get('/api/v1/pods')).data)), [...MINE, 'group-a/b']);

	// There are no pages: their tokens would name what is not shown.
	const whole = readList((await get(`${pods}?limit=2`)).data);
	assert.deepEqual(names(whole), MINE);
	assert.equal(whole.remaining, 0);
	assert.ok(!whole.next);

	// Longer than what is held in memory: nothing tells what is left out.
	const one = world.api(prod);
	for (const i of [1, 2, 3]) {
		await one('POST', '/objects', pod(`mine-large-${i}`, 'default', 60000));
		await one('POST', '/objects', pod(`secret-large-${i}`, 'default', 60000));
	}
	for (const name of ['zz-1', 'zz-2']) await one('POST', '/objects', pod(name, 'default', 500));
	const long = await get(pods);
	const list = readList(long.data);
	assert.deepEqual(names(list), [...MINE, ...[1, 2, 3].map((i) => `default/mine-large-${i}`)]);
	assert.equal(list.others, 0);
	assert.ok(long.data.length < 3 * 61000 + 1000, `${long.data.length}`);
	for (const hidden of ['secret-large', 'zz-1', 'web-1']) assert.ok(!long.data.includes(hidden), hidden);

	const answerOnce = (data, headers) =>
		one('POST', '/faults', {
			kind: 'status',
			path: '/pods',
			times: 1,
			code: 200,
			type: PROTOBUF,
			headers,
			base64: data.toString('base64'),
		});
	// Compressed, as API servers do with what is long.
	const items = [pod('mine-9'), pod('zz-9')];
	const packed = encodeObject({ kind: 'PodList', apiVersion: 'v1', metadata: { resourceVersion: '7' }, items });
	await answerOnce(gzipSync(packed), { 'content-encoding': 'gzip' });
	const zipped = await get(pods, PROTOBUF, { 'accept-encoding': 'gzip' });
	assert.equal(zipped.head['content-encoding'], 'gzip');
	assert.deepEqual(names(readList(gunzipSync(zipped.data))), ['default/mine-9']);
	// What lies about its length is no whole answer.
	await answerOnce(Buffer.from('k8s\0\x0a\x09\x12\x07PodList\x12\x7f\x12\x05\x0a\x03\x0a\x01m'));
	const refused = await nadia.ask(session, `/clusters/${cluster}${pods}`, { headers: { accept: PROTOBUF } });
	assert.equal(refused.status, 502);
	assert.match(refused.json.message, /cannot be filtered.*ends too early/);
	await one('DELETE', '/faults');
}

async function watch(nadia, session, query) {
	const stream = await nadia.open(session, `/clusters/${cluster}/api/v1/namespaces/default/pods?watch=1&${query}`, {
		headers: { accept: PROTOBUF },
	});
	assert.equal(stream.status, 200);
	assert.equal(stream.head['content-type'], `${PROTOBUF};stream=watch`);
	let data = Buffer.alloc(0);
	stream.on('data', (part) => {
		data = Buffer.concat([data, part]);
	});
	return { stream, events: () => readFrames(data), data: () => data };
}

async function checkWatches(world, kubeproxyd, nadia, session) {
	const one = world.api(prod);
	const initial = 'sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true';
	const { stream, events, data } = await watch(nadia, session, initial);
	await until('the end of the initial events', () => events().some(({ type }) => type === 'BOOKMARK'));
	assert.deepEqual(
		events().filter(({ type }) => type === 'ADDED').map(({ name }) => name),
		['mine-1', 'mine-2', 'mine-large-1', 'mine-large-2', 'mine-large-3'],
	);
	assert.ok(data().includes('k8s.io/initial-events-end'));
	await one('POST', '/objects', pod('hidden-1'));
	await one('POST', '/objects', pod('mine-3'));
	await until('the new pod', () => events().some(({ name }) => name === 'mine-3'));
	assert.ok(!data().includes('hidden-1'));
	// The roles change: the watcher is told to begin anew.
	writeFileSync(world.path('roles.d', 'some.yaml'), ROLES.replaceAll('mine-*', 'zz-*'));
	kubeproxyd.reload();
	const code = await ended(stream);
	assert.equal(code, 0, 'it ends cleanly');
	const end = events().at(-1);
	assert.deepEqual([end.type, end.kind], ['ERROR', 'Status']);
	assert.ok(data().includes('Expired'));
	writeFileSync(world.path('roles.d', 'some.yaml'), ROLES);
	kubeproxyd.reload();
}

// From 1.33 on kubectl reads what it knows of in protobuf, where it does not ask for tables.
async function checkKubectl(world, nadia) {
	for (const name of ['mine-1', 'other-1'])
		await world.api(prod)('POST', '/objects', {
			apiVersion: 'v1',
			kind: 'Event',
			metadata: { name: `${name}.e`, namespace: 'default' },
			involvedObject: { kind: 'Pod', namespace: 'default', name },
			reason: 'Scheduled',
			message: `about ${name}`,
			type: 'Normal',
			lastTimestamp: new Date().toISOString(),
		});
	await world.api(prod)('DELETE', '/requests');
	const events = await toolsOf(nadia, cluster, { minor: MINORS.at(-1) }).ok(['events']);
	assert.match(events, /Normal +Scheduled +Pod\/mine-1 +about mine-1/);
	assert.ok(!events.includes('other-1'), events);
	const [asked] = (await world.received(prod)).filter(({ target }) => /\/events/.test(target));
	assert.equal(asked.answerType, PROTOBUF);
}

async function checkHelm(alice, nadia) {
	const minor = MINORS.at(-1);
	const hers = toolsOf(alice, cluster, { minor });
	const chart = alice.world.path('chart');
	mkdirSync(`${chart}/templates`, { recursive: true });
	writeFileSync(`${chart}/Chart.yaml`, 'apiVersion: v2\nname: shop\nversion: 1.0.0\n');
	writeFileSync(
		`${chart}/templates/settings.yaml`,
		'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: "{{ .Release.Name }}"}\ndata: {text: "{{ .Values.text }}"}\n',
	);
	// Of a size that no compression takes away: together they are longer than what is held.
	writeFileSync(`${chart}/values.yaml`, `text: ${randomBytes(30000).toString('hex')}\n`);
	for (const name of ['mine1', 'mine2', 'other1', 'other2']) await hers.helm(['install', name, chart]);
	assert.match(await hers.helm(['list', '-q']), /^mine1\nmine2\nother1\nother2\n$/);
	const { helm } = toolsOf(nadia, cluster, { minor });
	assert.equal(await helm(['list', '-q']), 'mine1\nmine2\n');
	assert.match(await helm(['status', 'mine2']), /STATUS: deployed/);
}

scenario('lists and watches in protobuf', { clusters: [prod] }, async (world) => {
	writeFileSync(world.path('roles.d', 'some.yaml'), ROLES);
	const { kubeproxyd } = await startBoth(world, [cluster]);
	const one = world.api(prod);
	await one('POST', '/objects', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'group-a' } });
	for (const name of ['mine-1', 'mine-2']) await one('POST', '/objects', pod(name));
	await one('POST', '/objects', pod('b', 'group-a'));
	const nadia = await person(world, kubeproxyd, 'nadia');
	const alice = await person(world, kubeproxyd, 'alice', ['engineering']);
	const session = nadia.h2();
	await checkLists(world, nadia, session);
	await checkWatches(world, kubeproxyd, nadia, session);
	session.close();
	await checkKubectl(world, nadia);
	await checkHelm(alice, nadia);
});
