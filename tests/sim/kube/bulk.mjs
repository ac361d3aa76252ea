// Lists of any size, made while they are sent: a namespace that holds `count` ConfigMaps of `bytes` each, without one of
// them being kept; in protobuf for whoever asks for that first. Pages by limit and continue as other lists do; compressed when
// that was asked for; on order with a pause before each piece, or cut in the middle.
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { createGzip } from 'node:zlib';
import { pageOf } from './pages.mjs';
import { listMeta, MAGIC, PROTOBUF } from './protobuf_answer.mjs';
import { fields, text as textBytes, varint } from './protobuf_writer.mjs';

const PIECE = 64 * 1024;

const nameOf = (index) => `bulk-${index}`;
const uidOf = (index) => `00000000-0000-0000-0000-${String(index).padStart(12, '0')}`;

function configMap(namespace, index, value) {
	return JSON.stringify({
		metadata: {
			name: nameOf(index),
			namespace,
			uid: uidOf(index),
			resourceVersion: '1',
			creationTimestamp: '2026-01-01T00:00:00Z',
		},
		data: { value },
	});
}

function* textOf({ namespace, bytes, page, version }) {
	const metadata = { resourceVersion: String(version), ...page.remaining };
	const value = 'x'.repeat(bytes);
	let text = `{"kind":"ConfigMapList","apiVersion":"v1","metadata":${JSON.stringify(metadata)},"items":[`;
	for (let index = page.from; index < page.to; index++) {
		if (index > page.from) text += ',';
		text += configMap(namespace, index, value);
		if (text.length < PIECE) continue;
		yield text;
		text = '';
	}
	yield `${text}]}\n`;
}

// The length of all stands before the first: it is summed up from those of one object of each length of name.
function* bytesOf({ namespace, bytes, page, version }) {
	const data = fields([[1, textBytes('value')], [2, Buffer.alloc(bytes, 'x')]]);
	const item = (index) => {
		const metadata = fields([[1, textBytes(nameOf(index))], [3, textBytes(namespace)], [5, textBytes(uidOf(index))], [6, textBytes('1')]]);
		return fields([[2, fields([[1, metadata], [2, data]])]]);
	};
	const lengths = new Map();
	const lengthOf = (index) => {
		const digits = String(index).length;
		if (!lengths.has(digits)) lengths.set(digits, item(index).length);
		return lengths.get(digits);
	};
	const metadata = fields([[1, listMeta({ resourceVersion: String(version), ...page.remaining })]]);
	let length = metadata.length;
	for (let index = page.from; index < page.to; index++) length += lengthOf(index);
	const type = fields([[1, textBytes('v1')], [2, textBytes('ConfigMapList')]]);
	yield Buffer.concat([MAGIC, fields([[1, type]]), Buffer.from([2 * 8 + 2]), varint(length), metadata]);
	let parts = [];
	for (let index = page.from; index < page.to; index++) {
		parts.push(item(index));
		if (parts.length * bytes < PIECE) continue;
		yield Buffer.concat(parts);
		parts = [];
	}
	yield Buffer.concat([...parts, fields([[3, textBytes('')], [4, textBytes('')]])]);
}

// As an API server that is slow, or whose connection breaks after so many pieces.
async function* hampered(pieces, { pauseMs, piecesMax = Infinity }) {
	let count = 0;
	for (const piece of pieces) {
		if (count++ >= piecesMax) throw new Error('cut on order');
		if (pauseMs) await sleep(pauseMs);
		yield piece;
	}
}

// `lists`: namespace -> {count, bytes, isCompressed, pauseMs, piecesMax}. Whether this request was for one of them.
export function answerBulk(lists, { store, type, info, request, response }) {
	const list = info.verb === 'list' && type.resource === 'configmaps' && lists.get(info.namespace);
	if (!list) return false;
	const page = pageOf(info.query, list.count);
	const isProtobuf = (request.headers.accept ?? '').startsWith(PROTOBUF);
	const made = { namespace: info.namespace, bytes: list.bytes, page, version: store.version };
	const source = Readable.from(hampered(isProtobuf ? bytesOf(made) : textOf(made), list));
	const isCompressed = list.isCompressed && /\bgzip\b/.test(request.headers['accept-encoding'] ?? '');
	response.writeHead(200, {
		'content-type': isProtobuf ? PROTOBUF : 'application/json',
		...(isCompressed ? { 'content-encoding': 'gzip', vary: 'Accept-Encoding' } : {}),
	});
	const stages = isCompressed ? [source, createGzip({ level: 1 }), response] : [source, response];
	pipeline(...stages).catch(() => response.destroy?.()); // the client left, or it is cut
	return true;
}
