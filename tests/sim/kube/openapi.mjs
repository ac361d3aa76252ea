// OpenAPI v3 as JSON and v2 as protobuf, as small as kubectl's apply, explain and validation and helm's install allow:
// which kinds there are, that the server validates and runs dry, and the outline of their documents.
import { encodeOpenApiV2, V2_CONTENT_TYPE } from './openapi_v2.mjs';
import { sendJson, StatusError } from './status.mjs';
import { groups, types } from './types.mjs';

const TEXT = { type: 'string' };
const WRITE_PARAMETERS = ['dryRun', 'fieldValidation'];
const WRITES = ['post', 'put', 'patch'];
const METADATA = 'io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta';

// Whatever an object may hold beside its metadata; what is inside is not described.
const FIELDS = ['spec', 'status', 'data', 'rules', 'roleRef', 'stringData', 'binaryData'];
const TOP_LEVEL = {
	apiVersion: { ...TEXT, description: 'The versioned schema of this representation.' },
	kind: { ...TEXT, description: 'The REST resource that this object represents.' },
};

function schemaName(type) {
	return `io.k8s.api.${type.group === '' ? 'core' : type.group.split('.')[0]}.${type.version}.${type.kind}`;
}

function kindOf({ group, version, kind }) {
	return { group, version, kind };
}

// The document of every type, whatever the version of OpenAPI: {name, description, kinds, properties: {name: schema}}.
function schemaOf(type, refer) {
	const properties = { ...TOP_LEVEL, metadata: refer(METADATA), type: TEXT };
	for (const field of FIELDS) properties[field] = { type: 'object', description: `${type.kind} ${field}.` };
	properties.subjects = { type: 'array', items: { type: 'object' } };
	return { type: 'object', description: `${type.kind} as the simulator keeps it.`, properties };
}

const METADATA_SCHEMA = {
	type: 'object',
	description: "Standard object's metadata.",
	properties: {
		name: { ...TEXT, description: 'Unique within a namespace.' },
		namespace: TEXT,
		labels: { type: 'object', additionalProperties: TEXT },
		annotations: { type: 'object', additionalProperties: TEXT },
	},
};

// Every type of `group` (all of them without): {paths: [{path, kind}], schemas: [[name, schema, kind or null]]}.
export function outline(refer, group) {
	const chosen = types.filter((type) => group === undefined || type.group === group);
	const paths = chosen.map((type) => {
		const base = type.group === '' ? '/api/v1' : `/apis/${type.group}/${type.version}`;
		const path = `${base}${type.namespaced ? '/namespaces/{namespace}' : ''}/${type.resource}/{name}`;
		return { path, kind: kindOf(type) };
	});
	const schemas = chosen.map((type) => [schemaName(type), schemaOf(type, refer), kindOf(type)]);
	return { paths, schemas: [[METADATA, METADATA_SCHEMA, null], ...schemas] };
}

function openApiV3(group) {
	const { paths, schemas } = outline((name) => ({ $ref: `#/components/schemas/${name}` }), group);
	const operation = (kind) => ({
		'x-kubernetes-group-version-kind': kind,
		parameters: WRITE_PARAMETERS.map((name) => ({ name, in: 'query', schema: TEXT })),
		responses: { 200: { description: 'OK' } },
	});
	return {
		openapi: '3.0.0',
		info: { title: 'Kubernetes', version: 'v1' },
		paths: Object.fromEntries(
			paths.map(({ path, kind }) => [path, Object.fromEntries(WRITES.map((verb) => [verb, operation(kind)]))]),
		),
		components: {
			schemas: Object.fromEntries(
				schemas.map(([name, schema, kind]) => [
					name,
					kind ? { ...schema, 'x-kubernetes-group-version-kind': [kind] } : schema,
				]),
			),
		},
	};
}

const nameOf = ({ group, version }) => (group === '' ? `api/${version}` : `apis/${group}/${version}`);

// Answers /openapi/v2, /openapi/v3 and /openapi/v3/GROUP, or throws 404.
export function answerOpenApi(path, response) {
	if (path === '/openapi/v3') {
		const paths = Object.fromEntries(
			groups.map((row) => [nameOf(row), { serverRelativeURL: `/openapi/v3/${nameOf(row)}?hash=1` }]),
		);
		return sendJson(response, 200, { paths });
	}
	if (path === '/openapi/v2') {
		response.writeHead(200, { 'content-type': V2_CONTENT_TYPE });
		return response.end(
			encodeOpenApiV2(
				outline((name) => ({ $ref: `#/definitions/${name}` })),
				WRITE_PARAMETERS,
			),
		);
	}
	const found = groups.find((row) => path === `/openapi/v3/${nameOf(row)}`);
	if (!found) throw new StatusError(404, 'the server could not find the requested resource');
	return sendJson(response, 200, openApiV3(found.group));
}
