// Lists of any size, made while they are sent: a namespace that holds `count` ConfigMaps of `bytes` each, without one of
// them being kept. Pages by limit and continue as other lists do; compressed when that was asked for.
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { pageOf } from './pages.mjs';

const PIECE = 64 * 1024;

function configMap(namespace, index, value) {
	return JSON.stringify({
		metadata: {
			name: `bulk-${index}`,
			namespace,
			uid: `00000000-0000-0000-0000-${String(index).padStart(12, '0')}`,
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

// `lists`: namespace -> {count, bytes, isCompressed}. Whether this request was for one of them.
export function answerBulk(lists, { store, type, info, request, response }) {
	const list = info.verb === 'list' && type.resource === 'configmaps' && lists.get(info.namespace);
	if (!list) return false;
	const page = pageOf(info.query, list.count);
	const source = Readable.from(
		textOf({ namespace: info.namespace, bytes: list.bytes, page, version: store.version }),
	);
	const isCompressed = list.isCompressed && /\bgzip\b/.test(request.headers['accept-encoding'] ?? '');
	response.writeHead(200, {
		'content-type': 'application/json',
		...(isCompressed ? { 'content-encoding': 'gzip', vary: 'Accept-Encoding' } : {}),
	});
	const stages = isCompressed ? [source, createGzip({ level: 1 }), response] : [source, response];
	pipeline(...stages).catch(() => response.destroy?.()); // the client left
	return true;
}
