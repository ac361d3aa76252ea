// Objects of which nobody can say for certain whose they are, in lists and watches, as JSON and as protobuf, plain and compressed:
// none of them reaches a user whose roles show some objects, and each is counted, in the metric, in the log and in the audit.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { gunzipSync, gzipSync } from 'node:zlib';
import { readFrames, readList } from '../clients/protobuf.mjs';
import { encodeEvent, listMeta, MAGIC, PROTOBUF } from '../sim/kube/protobuf_answer.mjs';
import { fields, text } from '../sim/kube/protobuf_writer.mjs';
import { NAME, PROD, someRole } from './filtered.mjs';
import { ended, person, scenario, startBoth, until } from './harness.mjs';
import { allEvents, counter } from './recording.mjs';

const LARGEST = 64 * 1024; // limits.filtered_object
const DEEP = 20000;
const MAPS = `/clusters/${NAME}/api/v1/namespaces/default/configmaps`;
const VERDICTS = ['passed', 'dropped', 'unreadable'];
const ROLES = someRole('nadia', ["kind: configmaps, namespace: default, name: 'mine-*', verbs: [get, list, watch]"]);

const NAMELESS = '{"metadata":{"namespace":"default"},"data":{"name":"ghost"}}';
// Each holds "ghost". What is read as "mine-*" by some and as something else by others, or by nobody.
const OBJECTS = [
	'{"metadata":{"name":"mine-1","name":"ghost","namespace":"default"}}',
	'{"metadata":{"name":"ghost","name":"mine-1","namespace":"default"}}',
	'{"metadata":{"name":"mine-1","namespace":"default"},"metadata":{"name":"ghost"}}',
	'{"metadata":{"name":"mine-1","namespace":"default"},"meta\\u0064ata":{"name":"ghost"}}',
	'{"metadata":{"name":"mine-1","n\\u0061me":"ghost","namespace":"default"}}',
	NAMELESS,
	'{"metadata":{"name":7,"namespace":"default"},"data":{"name":"ghost"}}',
	'{"metadata":null,"data":{"name":"ghost"}}',
	'{"data":{"name":"ghost"}}',
	`{"metadata":{"name":"mine-${'x'.repeat(600)}","namespace":"default"},"data":"ghost"}`,
	`{"metadata":{"name":"mine-1","namespace":"default"},"data":"ghost${'x'.repeat(LARGEST)}"}`,
	`{"metadata":{"name":"mine-1","namespace":"default"},"data":${'{"ghost":'.repeat(DEEP)}1${'}'.repeat(DEEP)}}`,
	Buffer.from('{"metadata":{"name":"mine-\xff","namespace":"default"},"data":"ghost"}', 'latin1'),
	'"ghost"',
];
const MINE = '{"metadata":{"name":"mine-2","namespace":"default"},"data":{"x":"shown"}}';
const OTHER = '{"metadata":{"name":"other-1","namespace":"default"},"data":{"x":"ghost"}}';

const joined = (parts, between) => Buffer.concat(parts.flatMap((part, i) => [Buffer.from(i > 0 ? between : ''), Buffer.from(part)]));

const listOf = (items) =>
	Buffer.concat([
		Buffer.from('{"kind":"ConfigMapList","apiVersion":"v1","metadata":{"resourceVersion":"7"},"items":['),
		joined(items, ','),
		Buffer.from(']}\n'),
	]);

const lineOf = (object) => Buffer.concat([Buffer.from('{"type":"ADDED","object":'), Buffer.from(object), Buffer.from('}\n')]);

// --- the same as protobuf ---

const metadataOf = (...names) => fields([...names.map((name) => [1, text(name)]), [3, text('default')]]);
const ghost = [2, fields([[1, text('x')], [2, text('ghost')]])];
const ITEMS = [
	fields([[1, metadataOf('mine-1', 'ghost')]]),
	fields([[1, metadataOf('ghost', 'mine-1')]]),
	fields([[1, metadataOf('mine-1')], [1, metadataOf('ghost')]]),
	fields([[1, metadataOf()], ghost]),
	fields([ghost]),
	fields([[1, 7], ghost]),
	fields([[1, fields([[1, Buffer.from([0x6d, 0xff])]])], ghost]),
	fields([[1, metadataOf('mine-\0')], ghost]),
	fields([[1, metadataOf('mine-1')], [2, text(`ghost${'x'.repeat(LARGEST)}`)]]),
	// Lengths that are lies: of the metadata, of a name within it, of what stands behind it.
	Buffer.concat([Buffer.from([0x0a, 0x7f]), metadataOf('mine-1'), fields([ghost])]),
	fields([[1, Buffer.concat([Buffer.from([0x0a, 0x7f]), text('ghost')])]]),
	Buffer.concat([fields([[1, metadataOf('mine-1')]]), Buffer.from([0x12, 0x7f]), text('ghost')]),
	Buffer.concat([fields([[1, metadataOf('mine-1')]]), Buffer.from([0x12, ...Array(10).fill(0xff)]), text('ghost')]),
];
const MY_ITEM = fields([[1, metadataOf('mine-2')]]);
const ITS_ITEM = fields([[1, metadataOf('other-1')], ghost]);

const envelope = (kind, raw) =>
	Buffer.concat([MAGIC, fields([[1, fields([[1, text('v1')], [2, text(kind)]])], [2, raw], [3, text('')], [4, text('')]])]);

const protobufListOf = (items) => {
	const list = [[1, listMeta({ resourceVersion: '7' })], ...items.map((item) => [2, item])];
	return envelope('ConfigMapList', fields(list));
};

function frameOf(item) {
	const event = fields([[1, text('ADDED')], [2, fields([[1, envelope('ConfigMap', item)]])]]);
	const length = Buffer.alloc(4);
	length.writeUInt32BE(event.length);
	return Buffer.concat([length, event]);
}

// --- what is asked ---

async function counts(kubeproxyd) {
	const all = await Promise.all(VERDICTS.map((verdict) => counter(kubeproxyd, `eksgate_filtered_objects_total{verdict="${verdict}"}`)));
	return Object.fromEntries(VERDICTS.map((verdict, i) => [verdict, all[i]]));
}

async function bytesOf(stream) {
	const parts = [];
	stream.on('data', (part) => parts.push(part));
	assert.equal(await ended(stream), 0, 'it was cut');
	return Buffer.concat(parts);
}

// What nadia gets of `body`; `unreadable` objects of it are counted, beside one that is hers and one that is not.
async function answerTo(world, { kubeproxyd, nadia, session }, { body, type, query = '', isPacked, unreadable }) {
	const fault = { kind: 'status', path: '/configmaps', times: 1, code: 200, type };
	const sent = isPacked ? gzipSync(body) : body;
	const headers = isPacked ? { 'content-encoding': 'gzip' } : {};
	await world.api(PROD)('POST', '/faults', { ...fault, headers, base64: sent.toString('base64') });
	const before = await counts(kubeproxyd);
	const accept = type.replace(/;.*/, '');
	const stream = await nadia.open(session, `${MAPS}${query}`, { headers: { accept, ...(isPacked && { 'accept-encoding': 'gzip' }) } });
	assert.equal(stream.status, 200);
	const data = await bytesOf(stream);
	const shown = stream.head['content-encoding'] === 'gzip' ? gunzipSync(data) : data;
	const after = await counts(kubeproxyd);
	const grown = Object.fromEntries(VERDICTS.map((verdict) => [verdict, after[verdict] - before[verdict]]));
	assert.deepEqual(grown, { passed: 1, dropped: 1, unreadable });
	assert.ok(!shown.includes('ghost'), shown.toString('latin1').slice(0, 300));
	const id = stream.head['audit-id'];
	if (unreadable > 0) await kubeproxyd.log('exchange', 'objects-unreadable', new RegExp(`audit_id=${id} [^\\n]*count=${unreadable}`));
	const { annotations } = await until('its audit event', () =>
		allEvents(world).find(({ auditID, stage }) => auditID === id && stage === 'ResponseComplete'),
	);
	const told = ['passed', 'left-out', 'unreadable'].map((word) => annotations[`eksgate.io/objects-${word}`]);
	assert.deepEqual(told, ['1', String(1 + unreadable), unreadable > 0 ? String(unreadable) : undefined]);
	return shown;
}

async function checkJson(world, stage, isPacked) {
	const type = 'application/json';
	const ask = (rows, unreadable, rest) => answerTo(world, stage, { type, isPacked, unreadable, ...rest, body: rows });
	const all = listOf([...OBJECTS.slice(0, 5), MINE, ...OBJECTS.slice(5), OTHER]);
	const list = JSON.parse(await ask(all, OBJECTS.length));
	assert.deepEqual(list.items, [JSON.parse(MINE)]);
	// In a watch, what has a namespace and no name is read, and is nobody's.
	const objects = OBJECTS.filter((object) => object !== NAMELESS);
	const lines = joined([...objects.slice(0, 5), MINE, ...objects.slice(5), OTHER].map(lineOf), '');
	const seen = await ask(lines, objects.length, { query: '?watch=1' });
	assert.equal(seen.toString(), lineOf(MINE).toString());
	if (isPacked) return;
	// Alone, so that none of them hides behind another.
	for (const [i, object] of OBJECTS.entries()) {
		const one = JSON.parse(await ask(listOf([object, MINE, OTHER]), 1));
		assert.deepEqual(one.items, [JSON.parse(MINE)], `row ${i}`);
	}
}

async function checkProtobuf(world, stage, isPacked) {
	const ask = (body, unreadable, rest) => answerTo(world, stage, { type: PROTOBUF, isPacked, unreadable, ...rest, body });
	const items = [...ITEMS.slice(0, 5), MY_ITEM, ...ITEMS.slice(5), ITS_ITEM];
	const list = readList(await ask(protobufListOf(items), ITEMS.length));
	assert.deepEqual(list.items.map(({ name }) => name), ['mine-2']);
	const watch = { type: `${PROTOBUF};stream=watch`, query: '?watch=1' };
	const seen = readFrames(await ask(Buffer.concat(items.map(frameOf)), ITEMS.length, watch));
	assert.deepEqual(seen.map(({ type, name }) => [type, name]), [['ADDED', 'mine-2']]);
	if (isPacked) return;
	for (const [i, item] of ITEMS.entries()) {
		const one = readList(await ask(protobufListOf([item, MY_ITEM, ITS_ITEM]), 1));
		assert.deepEqual(one.items.map(({ name }) => name), ['mine-2'], `row ${i}`);
	}
	// What no list has, and could be an object.
	const unknown = fields([[1, listMeta({})], [7, text('ghost')], [2, MY_ITEM], [2, ITS_ITEM]]);
	const known = readList(await ask(envelope('ConfigMapList', unknown), 1));
	assert.deepEqual([known.others, known.items.length], [0, 1]);
}

scenario('objects that cannot be read', { clusters: [PROD] }, async (world) => {
	world.config.eksgate.proxy.limits = { filtered_object: `${LARGEST / 1024}KiB` };
	world.writeConfig();
	writeFileSync(world.path('roles.d', 'some.yaml'), ROLES);
	const { kubeproxyd } = await startBoth(world, [NAME]);
	const nadia = await person(world, kubeproxyd, 'nadia');
	const session = nadia.h2();
	for (const isPacked of [false, true]) {
		await checkJson(world, { kubeproxyd, nadia, session }, isPacked);
		await checkProtobuf(world, { kubeproxyd, nadia, session }, isPacked);
	}
	session.close();
});
