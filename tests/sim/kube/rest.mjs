// The verbs on resources: get, list, create, update, patch, delete, deletecollection.
import { parse as parseYaml } from 'yaml';
import { applyDocument } from './apply.mjs';
import { pageOf } from './pages.mjs';
import { patchObject } from './patch.mjs';
import { readProtobuf } from './protobuf.mjs';
import { isTrue } from './request_info.mjs';
import { makeFilter } from './selectors.mjs';
import { sendDocument, sendJson, StatusError } from './status.mjs';
import { listFor, toList, toTable, wantsTable } from './table.mjs';
import { apiVersionOf } from './types.mjs';

const first = (query, key) => query.get(key)?.[0];

export function readDocument(request, body) {
	if (body.length === 0) return {};
	const type = (request.headers['content-type'] ?? 'application/json').split(';')[0].trim();
	if (type === 'application/vnd.kubernetes.protobuf') return readProtobuf(body);
	if (
		![
			'application/json',
			'application/yaml',
			'application/apply-patch+yaml',
			'application/json-patch+json',
			'application/merge-patch+json',
			'application/strategic-merge-patch+json',
		].includes(type)
	) {
		throw new StatusError(
			415,
			`the body of the request was in an unknown format - accepted media types include: application/json, application/yaml`,
		);
	}
	try {
		const text = body.toString('utf8');
		return type === 'application/yaml' ? parseYaml(text) : JSON.parse(text);
	} catch (error) {
		throw new StatusError(400, `the object provided is unrecognized: ${error.message}`);
	}
}

function sendObject({ type, request, response, info }, code, object) {
	const shown = wantsTable(request.headers.accept)
		? toTable(type, [object], { include: first(info.query, 'includeObject') })
		: object;
	sendDocument(request, response, code, shown);
}

function list({ store, type, info, request, response }) {
	const { query } = info;
	const all = store
		.list(type, info.namespace)
		.filter(makeFilter(query))
		.filter((object) => info.name === '' || object.metadata.name === info.name);
	const { from, to, remaining } = pageOf(query, all.length);
	const part = all.slice(from, to);
	const options = { resourceVersion: String(store.version), include: first(query, 'includeObject'), remaining };
	sendDocument(request, response, 200, listFor(request.headers.accept, type, part, options));
}

// How a write is made: dry, or of one part only.
function modeOf(info) {
	return { isDryRun: first(info.query, 'dryRun') === 'All', part: info.subresource };
}

function apply(context) {
	const { store, type, info, document } = context;
	const manager = first(info.query, 'fieldManager');
	if (!manager) throw new StatusError(400, 'fieldManager is required for apply patch');
	const old = store.find(type, info.namespace, info.name);
	const named = { ...document, metadata: { ...document.metadata, name: info.name } };
	const object = applyDocument(old, named, { manager, force: isTrue(info.query, 'force') });
	const stored = old
		? store.update(type, info.namespace, info.name, object, modeOf(info))
		: store.create(type, info.namespace, object, modeOf(info));
	return sendObject(context, old ? 200 : 201, stored);
}

function patch(context) {
	const { store, type, info, request, body } = context;
	const contentType = request.headers['content-type'];
	if ((contentType ?? '').startsWith('application/apply-patch+yaml')) return apply(context);
	const now = store.get(type, info.namespace, info.name);
	const object = patchObject(contentType, now, body);
	return sendObject(context, 200, store.update(type, info.namespace, info.name, object, modeOf(info)));
}

// Of a delete: the query counts only where there is no body.
function isDryDelete(info, body) {
	if (Object.keys(body).length === 0) return modeOf(info).isDryRun;
	return [body.dryRun ?? []].flat().includes('All');
}

function checkPreconditions({ resource }, { name, uid, resourceVersion }, { preconditions = {} }) {
	for (const [what, wanted, is] of [
		['UID', preconditions.uid, uid],
		['ResourceVersion', preconditions.resourceVersion, resourceVersion],
	])
		if (wanted && wanted !== is)
			throw new StatusError(
				409,
				`Operation cannot be fulfilled on ${resource} "${name}": Precondition failed: ${what} in precondition: ` +
					`${wanted}, ${what} in object meta: ${is}`,
			);
}

function remove({ store, type, info, response, options }) {
	const object = store.get(type, info.namespace, info.name);
	checkPreconditions(type, object.metadata, options);
	if (!isDryDelete(info, options)) store.remove(type, info.namespace, info.name);
	sendJson(response, 200, {
		kind: 'Status',
		apiVersion: 'v1',
		metadata: {},
		status: 'Success',
		details: { name: info.name, group: type.group || undefined, kind: type.resource, uid: object.metadata.uid },
	});
}

function removeAll({ store, type, info, response, options }) {
	const gone = store.list(type, info.namespace).filter(makeFilter(info.query));
	if (!isDryDelete(info, options))
		for (const object of gone) store.remove(type, object.metadata.namespace ?? '', object.metadata.name);
	sendJson(response, 200, toList(type, gone, { resourceVersion: String(store.version) }));
}

// `given`: {store, type, info, request, response, body}, the last as readDocument() made it.
export function answerResource(given) {
	const { store, type, info } = given;
	const document = { kind: type.kind, apiVersion: apiVersionOf(type), ...given.body };
	const context = { ...given, document, options: given.body };
	switch (info.verb) {
		case 'get':
			return sendObject(context, 200, store.get(type, info.namespace, info.name));
		case 'list':
			return list(context);
		case 'create':
			if (info.name !== '')
				throw new StatusError(405, 'the server does not allow this method on the requested resource');
			return sendObject(context, 201, store.create(type, info.namespace, document, modeOf(info)));
		case 'update':
			return sendObject(context, 200, store.update(type, info.namespace, info.name, document, modeOf(info)));
		case 'patch':
			return patch(context);
		case 'delete':
			return remove(context);
		case 'deletecollection':
			return removeAll(context);
		default:
			throw new StatusError(405, 'the server does not allow this method on the requested resource');
	}
}
