// The form in which objects are answered: as they are, or as the server-side tables that kubectl prints.
import { apiVersionOf } from './types.mjs';

// Whether the client prefers a table ("application/json;as=Table;v=v1;g=meta.k8s.io,…").
export function wantsTable(accept) {
	const first = (accept ?? '').split(',')[0];
	return /as=Table/.test(first) && /g=meta\.k8s\.io/.test(first) && /v=v1(;|$)/.test(first);
}

// The same for objects without anything but their metadata.
export function wantsPartial(accept) {
	return /^application\/(json|vnd\.kubernetes\.protobuf);as=PartialObjectMetadata(List)?;/.test(accept ?? '');
}

export function toPartial({ metadata }) {
	return { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata };
}

export function toPartialList(objects, { resourceVersion, remaining } = {}) {
	return {
		kind: 'PartialObjectMetadataList',
		apiVersion: 'meta.k8s.io/v1',
		metadata: { resourceVersion, ...remaining },
		items: objects.map(toPartial),
	};
}

function rowOf(type, object, include) {
	const now = Date.now();
	return {
		cells: type.columns.map((column) => column.cell(object, now)),
		object: include === 'Object' ? object : include === 'None' ? undefined : toPartial(object),
	};
}

export function toTable(type, objects, { resourceVersion, include, remaining } = {}) {
	return {
		kind: 'Table',
		apiVersion: 'meta.k8s.io/v1',
		metadata: { resourceVersion: resourceVersion ?? objects[0]?.metadata.resourceVersion ?? '', ...remaining },
		columnDefinitions: type.columns.map((column) => ({
			name: column.name,
			type: column.type,
			format: column.format ?? '',
			description: column.name,
			priority: 0,
		})),
		rows: objects.map((object) => rowOf(type, object, include)),
	};
}

// A list in the form that the client prefers.
export function listFor(accept, type, objects, options) {
	if (wantsTable(accept)) return toTable(type, objects, options);
	return wantsPartial(accept) ? toPartialList(objects, options) : toList(type, objects, options);
}

export function toList(type, objects, { resourceVersion, remaining } = {}) {
	return {
		kind: `${type.kind}List`,
		apiVersion: apiVersionOf(type),
		metadata: { resourceVersion, ...remaining },
		items: objects,
	};
}
