// kubectl sends reviews as protobuf. This reads Kubernetes' envelope (runtime.Unknown) and the fields of the few messages
// that the simulator takes in that form; answers go out as JSON, which such clients also accept.
import { StatusError } from './status.mjs';

const MAGIC = Buffer.from([0x6b, 0x38, 0x73, 0x00]);

// [[field, value]] with value a number or a Buffer.
function readFields(data) {
	const fields = [];
	let at = 0;
	const varint = () => {
		let value = 0;
		for (let shift = 0; ; shift += 7) {
			if (at >= data.length || shift > 49) throw new StatusError(400, 'the protobuf body is not valid');
			const byte = data[at++];
			value += (byte & 0x7f) * 2 ** shift;
			if (byte < 0x80) return value;
		}
	};
	while (at < data.length) {
		const tag = varint();
		if ((tag & 7) === 0) {
			fields.push([tag >>> 3, varint()]);
			continue;
		}
		if ((tag & 7) !== 2) throw new StatusError(400, 'the protobuf body has an unexpected wire type');
		const length = varint();
		if (at + length > data.length) throw new StatusError(400, 'the protobuf body is truncated');
		fields.push([tag >>> 3, data.subarray(at, at + length)]);
		at += length;
	}
	return fields;
}

// A message as an object: `shape` maps field numbers to a name, or to [name, shape of a nested message], and
// [name, 'map'] for string maps and [name, 'bytes'] for maps to bytes, which JSON has in base64.
function readMessage(data, shape) {
	const message = {};
	for (const [field, value] of readFields(data)) {
		const entry = shape[field];
		if (entry === undefined) continue;
		if (typeof entry === 'string') message[entry] = Buffer.isBuffer(value) ? value.toString('utf8') : value;
		else if (entry[1] === 'map') Object.assign((message[entry[0]] ??= {}), readPair(value, 'utf8'));
		else if (entry[1] === 'bytes') Object.assign((message[entry[0]] ??= {}), readPair(value, 'base64'));
		else Object.assign((message[entry[0]] ??= {}), readMessage(value, entry[1]));
	}
	return message;
}

function readPair(data, encoding) {
	const [key, value] = [1, 2].map((wanted) => readFields(data).find(([field]) => field === wanted)?.[1]);
	return { [key.toString('utf8')]: value?.toString(encoding) ?? '' };
}

const METADATA = {
	1: 'name',
	2: 'generateName',
	3: 'namespace',
	5: 'uid',
	6: 'resourceVersion',
	11: ['labels', 'map'],
	12: ['annotations', 'map'],
};
const RESOURCE = { 1: 'namespace', 2: 'verb', 3: 'group', 4: 'version', 5: 'resource', 6: 'subresource', 7: 'name' };
const SHAPES = {
	SelfSubjectAccessReview: {
		1: ['metadata', METADATA],
		2: ['spec', { 1: ['resourceAttributes', RESOURCE], 2: ['nonResourceAttributes', { 1: 'path', 2: 'verb' }] }],
	},
	SelfSubjectRulesReview: { 1: ['metadata', METADATA], 2: ['spec', { 1: 'namespace' }] },
	SelfSubjectReview: { 1: ['metadata', METADATA] },
	Secret: { 1: ['metadata', METADATA], 2: ['data', 'bytes'], 3: 'type', 4: ['stringData', 'map'] },
	ConfigMap: { 1: ['metadata', METADATA], 2: ['data', 'map'] },
	Namespace: { 1: ['metadata', METADATA] },
	Eviction: { 1: ['metadata', METADATA] },
	DeleteOptions: {
		1: 'gracePeriodSeconds',
		2: ['preconditions', { 1: 'uid', 2: 'resourceVersion' }],
		4: 'propagationPolicy',
		5: 'dryRun',
	},
};

export function readProtobuf(body) {
	if (!body.subarray(0, 4).equals(MAGIC)) throw new StatusError(400, 'the protobuf body lacks the k8s prefix');
	const envelope = readFields(body.subarray(4));
	const typeMeta = readMessage(envelope.find(([field]) => field === 1)?.[1] ?? Buffer.alloc(0), {
		1: 'apiVersion',
		2: 'kind',
	});
	const shape = SHAPES[typeMeta.kind];
	if (!shape) throw new StatusError(415, `the simulator reads no protobuf ${typeMeta.kind}`);
	const raw = envelope.find(([field]) => field === 2)?.[1] ?? Buffer.alloc(0);
	return { apiVersion: typeMeta.apiVersion, kind: typeMeta.kind, ...readMessage(raw, shape) };
}
