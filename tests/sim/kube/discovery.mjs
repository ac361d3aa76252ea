// What clients ask before anything else: version, groups and resources (aggregated and plain), and an OpenAPI v3 document
// that is as small as kubectl's apply and explain allow.
import { sendJson, StatusError } from './status.mjs';
import { groups, types } from './types.mjs';

const VERSION = {
	major: '1',
	minor: '34',
	gitVersion: 'v1.34.1-eks-simulated',
	gitCommit: '0',
	gitTreeState: 'clean',
	buildDate: '2026-01-01T00:00:00Z',
	goVersion: 'go1.24',
	compiler: 'gc',
	platform: 'linux/amd64',
};

function typesOf(group) {
	return types.filter((type) => type.group === group);
}

// The aggregated form that the client's Accept prefers ("v2", "v2beta1"), or null for the plain one.
function aggregatedVersion(accept) {
	const m = /g=apidiscovery\.k8s\.io;v=(v2|v2beta1);as=APIGroupDiscoveryList/.exec(accept ?? '');
	return m ? m[1] : null;
}

function aggregatedResource(type) {
	return {
		resource: type.resource,
		responseKind: { group: type.group, version: type.version, kind: type.kind },
		scope: type.namespaced ? 'Namespaced' : 'Cluster',
		singularResource: type.singular,
		verbs: type.verbs,
		shortNames: type.shortNames,
		categories: type.categories,
		subresources: Object.entries(type.subresources).map(([subresource, verbs]) => ({
			subresource,
			responseKind: { group: type.group, version: type.version, kind: type.kind },
			verbs,
		})),
	};
}

function sendAggregated(response, version, names) {
	const items = names.map((group) => ({
		metadata: { name: group, creationTimestamp: null },
		versions: [{ version: 'v1', freshness: 'Current', resources: typesOf(group).map(aggregatedResource) }],
	}));
	sendJson(
		response,
		200,
		{ kind: 'APIGroupDiscoveryList', apiVersion: `apidiscovery.k8s.io/${version}`, metadata: {}, items },
		{
			'content-type': `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`,
			vary: 'Accept',
		},
	);
}

function plainGroup(group) {
	const version = { groupVersion: `${group}/v1`, version: 'v1' };
	return { name: group, versions: [version], preferredVersion: version };
}

function plainResources(group) {
	const rows = typesOf(group).flatMap((type) => [
		{
			name: type.resource,
			singularName: type.singular,
			namespaced: type.namespaced,
			kind: type.kind,
			verbs: type.verbs,
			shortNames: type.shortNames,
			categories: type.categories,
		},
		...Object.entries(type.subresources).map(([name, verbs]) => ({
			name: `${type.resource}/${name}`,
			singularName: '',
			namespaced: type.namespaced,
			kind: type.kind,
			verbs,
		})),
	]);
	return {
		kind: 'APIResourceList',
		apiVersion: 'v1',
		groupVersion: group === '' ? 'v1' : `${group}/v1`,
		resources: rows,
	};
}

function schemaName(type) {
	return `io.k8s.api.${type.group === '' ? 'core' : type.group.split('.')[0]}.${type.version}.${type.kind}`;
}

function openApi(group) {
	const gvk = (type) => ({ group: type.group, version: type.version, kind: type.kind });
	const paths = {};
	const schemas = {};
	for (const type of typesOf(group)) {
		const base = group === '' ? '/api/v1' : `/apis/${group}/v1`;
		const path = `${base}${type.namespaced ? '/namespaces/{namespace}' : ''}/${type.resource}/{name}`;
		paths[path] = {
			patch: {
				'x-kubernetes-group-version-kind': gvk(type),
				parameters: [{ name: 'fieldValidation', in: 'query', schema: { type: 'string' } }],
			},
		};
		schemas[schemaName(type)] = {
			type: 'object',
			description: `${type.kind} as the simulator keeps it.`,
			'x-kubernetes-group-version-kind': [gvk(type)],
			properties: {
				apiVersion: { type: 'string' },
				kind: { type: 'string' },
				metadata: { type: 'object' },
				data: { type: 'object' },
				spec: { type: 'object' },
			},
		};
	}
	return {
		openapi: '3.0.0',
		info: { title: 'Kubernetes', version: VERSION.gitVersion },
		paths,
		components: { schemas },
	};
}

// Answers a request to a plain path, or throws 404.
export function answerPlain(path, request, response) {
	const clean = path.replace(/\/$/, '');
	const version = aggregatedVersion(request.headers.accept);
	if (clean === '/version') return sendJson(response, 200, VERSION);
	if (['/healthz', '/livez', '/readyz'].includes(clean)) {
		response.writeHead(200, { 'content-type': 'text/plain; charset=utf-8' });
		return response.end('ok');
	}
	if (clean === '/api') {
		if (version) return sendAggregated(response, version, ['']);
		return sendJson(response, 200, {
			kind: 'APIVersions',
			versions: ['v1'],
			serverAddressByClientCIDRs: [{ clientCIDR: '0.0.0.0/0', serverAddress: '10.0.0.1:443' }],
		});
	}
	if (clean === '/apis') {
		const names = groups.filter((group) => group !== '');
		if (version) return sendAggregated(response, version, names);
		return sendJson(response, 200, { kind: 'APIGroupList', apiVersion: 'v1', groups: names.map(plainGroup) });
	}
	return answerGroup(clean, response);
}

function answerGroup(path, response) {
	if (path === '/api/v1') return sendJson(response, 200, plainResources(''));
	const group = /^\/apis\/([^/]+)\/v1$/.exec(path)?.[1];
	if (group && groups.includes(group)) return sendJson(response, 200, plainResources(group));
	const single = /^\/apis\/([^/]+)$/.exec(path)?.[1];
	if (single && groups.includes(single))
		return sendJson(response, 200, { kind: 'APIGroup', apiVersion: 'v1', ...plainGroup(single) });
	if (path === '/openapi/v3') {
		const entries = groups.map((name) => (name === '' ? 'api/v1' : `apis/${name}/v1`));
		return sendJson(response, 200, {
			paths: Object.fromEntries(
				entries.map((name) => [name, { serverRelativeURL: `/openapi/v3/${name}?hash=1` }]),
			),
		});
	}
	const document = /^\/openapi\/v3\/(?:api\/v1|apis\/([^/]+)\/v1)$/.exec(path);
	if (document && groups.includes(document[1] ?? '')) return sendJson(response, 200, openApi(document[1] ?? ''));
	throw new StatusError(404, 'the server could not find the requested resource');
}
