// What clients ask before anything else: version, groups and resources, aggregated and plain.
import { answerOpenApi } from './openapi.mjs';
import { sendJson, StatusError } from './status.mjs';
import { groups, subresourcesOf, types } from './types.mjs';

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
		subresources: subresourcesOf(type).map(({ name, group, version, kind, verbs }) => ({
			subresource: name,
			responseKind: { group, version, kind },
			verbs,
		})),
	};
}

function sendAggregated(response, discoveryVersion, wanted) {
	const items = wanted.map(({ group, version }) => ({
		metadata: { name: group, creationTimestamp: null },
		versions: [{ version, freshness: 'Current', resources: typesOf(group).map(aggregatedResource) }],
	}));
	sendJson(
		response,
		200,
		{ kind: 'APIGroupDiscoveryList', apiVersion: `apidiscovery.k8s.io/${discoveryVersion}`, metadata: {}, items },
		{
			'content-type': `application/json;g=apidiscovery.k8s.io;v=${discoveryVersion};as=APIGroupDiscoveryList`,
			vary: 'Accept',
		},
	);
}

function plainGroup({ group, version }) {
	const preferredVersion = { groupVersion: `${group}/${version}`, version };
	return { name: group, versions: [preferredVersion], preferredVersion };
}

function plainResources({ group, version }) {
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
		...subresourcesOf(type).map(({ name, verbs, ...kind }) => ({
			name: `${type.resource}/${name}`,
			singularName: '',
			namespaced: type.namespaced,
			verbs,
			...kind,
		})),
	]);
	return {
		kind: 'APIResourceList',
		apiVersion: 'v1',
		groupVersion: group === '' ? version : `${group}/${version}`,
		resources: rows,
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
		if (version) return sendAggregated(response, version, groups.slice(0, 1));
		return sendJson(response, 200, {
			kind: 'APIVersions',
			versions: ['v1'],
			serverAddressByClientCIDRs: [{ clientCIDR: '0.0.0.0/0', serverAddress: '10.0.0.1:443' }],
		});
	}
	if (clean === '/apis') {
		const named = groups.slice(1);
		if (version) return sendAggregated(response, version, named);
		return sendJson(response, 200, { kind: 'APIGroupList', apiVersion: 'v1', groups: named.map(plainGroup) });
	}
	if (clean.startsWith('/openapi/')) return answerOpenApi(clean, response);
	return answerGroup(clean, response);
}

// /api/v1, /apis/GROUP/VERSION and /apis/GROUP.
function answerGroup(path, response) {
	if (path === '/api/v1') return sendJson(response, 200, plainResources(groups[0]));
	const [, name, version] = /^\/apis\/([^/]+)(?:\/([^/]+))?$/.exec(path) ?? [];
	const found = groups.find((row) => row.group === name && (version === undefined || version === row.version));
	if (!found) throw new StatusError(404, 'the server could not find the requested resource');
	if (version) return sendJson(response, 200, plainResources(found));
	return sendJson(response, 200, { kind: 'APIGroup', apiVersion: 'v1', ...plainGroup(found) });
}
