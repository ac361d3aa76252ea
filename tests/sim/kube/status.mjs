// Kubernetes' Status answers, the error that carries one, and how answers are sent.
import { gzipSync } from 'node:zlib';
import { encodeAnswer, PROTOBUF } from './protobuf_answer.mjs';

const REASONS = {
	400: 'BadRequest',
	401: 'Unauthorized',
	403: 'Forbidden',
	404: 'NotFound',
	405: 'MethodNotAllowed',
	406: 'NotAcceptable',
	409: 'Conflict',
	410: 'Expired',
	415: 'UnsupportedMediaType',
	422: 'Invalid',
	429: 'TooManyRequests',
	500: 'InternalError',
	503: 'ServiceUnavailable',
	504: 'Timeout',
};

export function statusDocument(code, message, { reason = REASONS[code] ?? '', details } = {}) {
	return {
		kind: 'Status',
		apiVersion: 'v1',
		metadata: {},
		status: 'Failure',
		message,
		reason,
		...(details ? { details } : {}),
		code,
	};
}

export class StatusError extends Error {
	constructor(code, message, extra) {
		super(message);
		this.code = code;
		this.document = statusDocument(code, message, extra);
	}
}

export function notFound({ group, resource }, name) {
	const kind = group ? `${resource}.${group}` : resource;
	return new StatusError(404, `${kind} "${name}" not found`, {
		details: { name, group: group || undefined, kind: resource },
	});
}

export function sendJson(response, code, document, headers = {}) {
	const text = `${JSON.stringify(document)}\n`;
	const packing = response.packs ? { 'content-encoding': 'gzip' } : {};
	const type = { 'content-type': 'application/json', 'cache-control': 'no-cache, private' };
	response.writeHead(code, { ...type, ...packing, ...headers });
	response.end(response.packs ? gzipSync(text) : text);
}

// In the form that the client prefers: protobuf where there is one, JSON otherwise.
export function sendDocument(request, response, code, document) {
	const encoded = encodeAnswer(request.headers.accept, document);
	if (!encoded) {
		sendJson(response, code, document);
		return;
	}
	response.writeHead(code, { 'content-type': PROTOBUF, 'cache-control': 'no-cache, private' });
	response.end(encoded);
}
