// Watches: what there is (when no version is given), then every change, bookmarks when asked for, until the time is over.
import { gzipSync } from 'node:zlib';
import { encodeEvent, PROTOBUF, wantsOnlyProtobuf } from './protobuf_answer.mjs';
import { StatusError } from './status.mjs';
import { makeFilter } from './selectors.mjs';
import { toPartial, toTable, wantsPartial, wantsTable } from './table.mjs';
import { apiVersionOf } from './types.mjs';

const BOOKMARK_MS = 1000;

const first = (query, key) => query.get(key)?.[0];

function bookmark(type, version, isEndOfInitial) {
	const annotations = isEndOfInitial ? { annotations: { 'k8s.io/initial-events-end': 'true' } } : {};
	return {
		type: 'BOOKMARK',
		object: {
			kind: type.kind,
			apiVersion: apiVersionOf(type),
			metadata: { resourceVersion: String(version), ...annotations },
		},
	};
}

// What a watcher sees of a stored change: objects may leave or enter its selection.
function initialEvents(store, type, info, fits) {
	const version = first(info.query, 'resourceVersion');
	const wantsInitial = first(info.query, 'sendInitialEvents') === 'true';
	if (version && version !== '0' && !wantsInitial) {
		const events = store
			.since(Number(version))
			.filter((e) => e.group === type.group && e.resource === type.resource);
		return events.filter((e) => fits(e.object)).map(({ type: kind, object }) => ({ type: kind, object }));
	}
	return store
		.list(type, info.namespace)
		.filter(fits)
		.map((object) => ({ type: 'ADDED', object }));
}

// `context`: {store, type, info, request, response}. Runs until the client leaves, the time ends or `cutters` is called.
export function answerWatch({ store, type, info, request, response, cutters }) {
	const { query } = info;
	const selects = makeFilter(query);
	const fits = (object) =>
		selects(object) &&
		(info.namespace === '' || object.metadata.namespace === info.namespace) &&
		(info.name === '' || object.metadata.name === info.name);
	const asTable = wantsTable(request.headers.accept);
	const asProtobuf = wantsOnlyProtobuf(request.headers.accept);
	let isFirst = true;
	const asPartial = wantsPartial(request.headers.accept);
	const shape = (event) => {
		if (event.type === 'BOOKMARK' || event.type === 'ERROR') return event.object;
		if (asTable) return toTable(type, [event.object], { include: first(query, 'includeObject') });
		return asPartial ? toPartial(event.object) : event.object;
	};
	const write = (event) => {
		const object = shape(event);
		if (object.kind === 'Table' && !isFirst) delete object.columnDefinitions;
		isFirst = false;
		const { type: change } = event;
		const data = asProtobuf ? encodeEvent({ type: change, object }) : `${JSON.stringify({ type: change, object })}\n`;
		response.write(response.packs ? gzipSync(data) : data);
	};
	const contentType = asProtobuf ? `${PROTOBUF};stream=watch` : 'application/json';
	start({ store, type, info, response, write, fits, contentType });
	const onChange = (entry) => {
		if (entry.group === type.group && entry.resource === type.resource && fits(entry.object)) write(entry);
	};
	store.watchers.add(onChange);
	const timers = [];
	const stop = () => {
		store.watchers.delete(onChange);
		cutters.delete(end);
		timers.forEach(clearTimeout);
	};
	const end = () => {
		stop();
		response.end();
	};
	cutters.add(end);
	const seconds = Number(first(query, 'timeoutSeconds') ?? 0);
	if (seconds > 0) timers.push(setTimeout(end, seconds * 1000));
	if (first(query, 'allowWatchBookmarks') === 'true')
		timers.push(setInterval(() => write(bookmark(type, store.version)), BOOKMARK_MS));
	response.on('close', stop);
}

function start({ store, type, info, response, write, fits, contentType }) {
	const packing = response.packs ? { 'content-encoding': 'gzip' } : {};
	const head = { 'content-type': contentType, 'cache-control': 'no-cache, private', ...packing };
	let events;
	try {
		events = initialEvents(store, type, info, fits);
	} catch (error) {
		if (!(error instanceof StatusError)) throw error;
		events = [{ type: 'ERROR', object: error.document }];
	}
	response.writeHead(200, head);
	response.flushHeaders?.();
	events.forEach(write);
	if (first(info.query, 'sendInitialEvents') === 'true') write(bookmark(type, store.version, true));
}
