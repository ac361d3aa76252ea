// The form in which objects are answered: as they are, or as the server-side tables that kubectl prints.
import { apiVersionOf } from './types.mjs';

// Whether the client prefers a table ("application/json;as=Table;v=v1;g=meta.k8s.io,…").
export function wantsTable(accept) {
	const first = (accept ?? '').split(',')[0];
	return /as=Table/.test(first) && /g=meta\.k8s\.io/.test(first) && /v=v1(;|$)/.test(first);
}

// Whether it prefers a list of metadata alone ("…;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"), in either form.
export function wantsMetadata(accept) {
	const first = (accept ?? '').split(',')[0];
	return /as=PartialObjectMetadataList/.test(first) && /g=meta\.k8s\.io/.test(first) && /v=v1(;|$)/.test(first);
}

export function toMetadata(objects, { resourceVersion, remaining } = {}) {
	return {
		kind: 'PartialObjectMetadataList',
		apiVersion: 'meta.k8s.io/v1',
		metadata: { resourceVersion, ...remaining },
		items: objects.map(({ metadata }) => ({ metadata })),
	};
}

function rowOf(type, object, include) {
	const now = Date.now();
	const partial = { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata: object.metadata };
	return {
		cells: type.columns.map((column) => column.cell(object, now)),
		object: include === 'Object' ? object : include === 'None' ? undefined : partial,
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

export function toList(type, objects, { resourceVersion, remaining } = {}) {
	return {
		kind: `${type.kind}List`,
		apiVersion: apiVersionOf(type),
		metadata: { resourceVersion, ...remaining },
		items: objects,
	};
}
