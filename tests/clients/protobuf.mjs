// Reads Kubernetes' protobuf as a client does: the envelope, lists and the frames of watches. Fields that are not known are
// skipped, as every decoder of protobuf does; a length that is longer than what is there is an error.

function fieldsOf(data) {
	const fields = [];
	let at = 0;
	const varint = () => {
		let value = 0;
		for (let scale = 1; ; scale *= 128) {
			if (at >= data.length) throw new Error('a varint is cut');
			const byte = data[at++];
			value += (byte % 128) * scale;
			if (byte < 128) return value;
		}
	};
	while (at < data.length) {
		const tag = varint();
		const number = Math.floor(tag / 8);
		if (tag % 8 === 0) {
			fields.push({ number, value: varint() });
			continue;
		}
		if (tag % 8 !== 2) throw new Error(`wire type ${tag % 8}`);
		const length = varint();
		if (at + length > data.length) throw new Error('a field is cut');
		fields.push({ number, value: data.subarray(at, at + length) });
		at += length;
	}
	return fields;
}

const last = (fields, number) => fields.filter((field) => field.number === number).at(-1)?.value;
const textOf = (fields, number) => last(fields, number)?.toString('utf8') ?? '';

function objectOf(data) {
	const metadata = fieldsOf(last(fieldsOf(data), 1) ?? Buffer.alloc(0));
	return { name: textOf(metadata, 1), namespace: textOf(metadata, 3), uid: textOf(metadata, 5) };
}

// {kind, raw}
export function openEnvelope(data) {
	if (!data.subarray(0, 4).equals(Buffer.from('k8s\0'))) throw new Error('no envelope');
	const envelope = fieldsOf(data.subarray(4));
	return { kind: textOf(fieldsOf(last(envelope, 1)), 2), raw: last(envelope, 2) };
}

// {kind, version, next, remaining, items: [{name, namespace, uid}], others: how many fields of it are neither metadata nor items}
export function readList(data) {
	const { kind, raw } = openEnvelope(data);
	const fields = fieldsOf(raw);
	const metadata = fieldsOf(last(fields, 1));
	return {
		kind,
		version: textOf(metadata, 2),
		next: textOf(metadata, 3),
		remaining: last(metadata, 4) ?? 0,
		items: fields.filter(({ number }) => number === 2).map(({ value }) => objectOf(value)),
		others: fields.filter(({ number }) => number > 2).length,
	};
}

// The frames that are complete: [{type, kind, name, namespace}].
export function readFrames(data) {
	const events = [];
	for (let at = 0; at + 4 <= data.length; ) {
		const length = data.readUInt32BE(at);
		if (at + 4 + length > data.length) break;
		const event = fieldsOf(data.subarray(at + 4, at + 4 + length));
		const { kind, raw } = openEnvelope(last(fieldsOf(last(event, 2)), 1));
		events.push({ type: textOf(event, 1), kind, ...objectOf(raw) });
		at += 4 + length;
	}
	return events;
}
