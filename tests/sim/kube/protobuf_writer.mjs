// Protobuf as bytes, without a schema: a message is its fields, each a number and either the bytes of a length-delimited
// value or a number (a boolean is 1 or 0).

export function varint(value) {
	const bytes = [];
	for (let rest = value; ; rest = Math.floor(rest / 128)) {
		if (rest < 128) return Buffer.from([...bytes, rest]);
		bytes.push((rest % 128) + 128);
	}
}

function field([number, value]) {
	if (typeof value === 'number') return [varint(number * 8), varint(value)];
	return [varint(number * 8 + 2), varint(value.length), value];
}

// [[field number, bytes or number]] -> the message.
export function fields(pairs) {
	return Buffer.concat(pairs.flatMap(field));
}

export function text(value) {
	return Buffer.from(value, 'utf8');
}

// gnostic's Any: its second field is YAML, and JSON is YAML.
export function yaml(value) {
	return fields([[2, text(JSON.stringify(value))]]);
}
