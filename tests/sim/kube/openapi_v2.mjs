// OpenAPI v2 in the form that Kubernetes' clients ask for: gnostic's protobuf (openapiv2/OpenAPIv2.proto). Field numbers
// are those of that file.
import { fields, text, yaml } from './protobuf_writer.mjs';

export const V2_CONTENT_TYPE = 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf';

const kindExtension = (value) =>
	fields([
		[1, text('x-kubernetes-group-version-kind')],
		[2, yaml(value)],
	]);

function schemaFields(schema, kind) {
	if (schema.$ref) return fields([[1, text(schema.$ref)]]);
	return fields([
		...(schema.description ? [[4, text(schema.description)]] : []),
		...(schema.additionalProperties ? [[21, fields([[1, schemaFields(schema.additionalProperties)]])]] : []),
		[22, fields([[1, text(schema.type)]])],
		...(schema.items ? [[23, fields([[1, schemaFields(schema.items)]])]] : []),
		...(schema.properties
			? [[25, fields(Object.entries(schema.properties).map(([name, part]) => [1, named(name, part)]))]]
			: []),
		...(kind ? [[31, kindExtension([kind])]] : []),
	]);
}

function named(name, schema, kind) {
	return fields([
		[1, text(name)],
		[2, schemaFields(schema, kind)],
	]);
}

// ParametersItem.parameter.non_body_parameter.query_parameter_sub_schema
function queryParameter(name) {
	const schema = fields([
		[2, text('query')],
		[4, text(name)],
		[6, text('string')],
	]);
	const nonBody = fields([[3, schema]]);
	const parameter = fields([[2, nonBody]]);
	return fields([[1, parameter]]);
}

const OK_RESPONSE = fields([
	[
		1,
		fields([
			[1, text('200')],
			[2, fields([[1, fields([[1, text('OK')]])]])],
		]),
	],
]);

function operation(kind, parameters) {
	return fields([
		...parameters.map((name) => [8, queryParameter(name)]),
		[9, OK_RESPONSE],
		[13, kindExtension(kind)],
	]);
}

function pathItem({ path, kind }, parameters) {
	const [put, post, patch] = [3, 4, 8];
	return fields([
		[1, text(path)],
		[2, fields([put, post, patch].map((number) => [number, operation(kind, parameters)]))],
	]);
}

// The first is openapi.mjs's outline; `parameters` are those of every write.
export function encodeOpenApiV2({ paths, schemas }, parameters) {
	return fields([
		[1, text('2.0')],
		[
			2,
			fields([
				[1, text('Kubernetes')],
				[2, text('v1')],
			]),
		],
		[8, fields(paths.map((path) => [2, pathItem(path, parameters)]))],
		[9, fields(schemas.map(([name, schema, kind]) => [1, named(name, schema, kind)]))],
	]);
}
