// Subresources that do something: eviction and scale; and the metrics that `kubectl top` reads.
import { readDocument } from './rest.mjs';
import { patchObject } from './patch.mjs';
import { makeFilter } from './selectors.mjs';
import { sendJson, StatusError, statusDocument } from './status.mjs';
import { toList } from './table.mjs';
import { findType } from './types.mjs';

function evict({ store, type, info, response, workloads }) {
	const pod = store.get(type, info.namespace, info.name);
	if (!workloads.mayEvict(pod)) {
		throw new StatusError(429, "Cannot evict pod as it would violate the pod's disruption budget.", {
			details: { causes: [{ reason: 'DisruptionBudget', message: 'The disruption budget allows no more.' }] },
		});
	}
	store.remove(type, info.namespace, info.name);
	const { message, reason, ...success } = statusDocument(201, '');
	sendJson(response, 201, { ...success, status: 'Success' });
}

function scaleOf({ metadata, spec, status }) {
	const { name, namespace, uid, resourceVersion, creationTimestamp } = metadata;
	return {
		kind: 'Scale',
		apiVersion: 'autoscaling/v1',
		metadata: { name, namespace, uid, resourceVersion, creationTimestamp },
		spec: { replicas: spec.replicas ?? 1 },
		status: { replicas: status?.replicas ?? 0 },
	};
}

function scale({ store, type, info, request, response, body }) {
	const object = store.get(type, info.namespace, info.name);
	if (info.verb === 'get') return sendJson(response, 200, scaleOf(object));
	const document = readDocument(request, body);
	const wanted =
		info.verb === 'patch' ? patchObject(request.headers['content-type'], scaleOf(object), document) : document;
	const version = wanted.metadata?.resourceVersion;
	const stored = store.update(type, info.namespace, info.name, {
		...object,
		metadata: { ...object.metadata, resourceVersion: version ?? object.metadata.resourceVersion },
		spec: { ...object.spec, replicas: wanted.spec.replicas ?? 0 },
	});
	return sendJson(response, 200, scaleOf(stored));
}

const USAGE = { cpu: '12m', memory: '34Mi' };

// The metrics of whatever `type` names: made up from the nodes and pods that there are.
export function answerMetrics({ store, type, info, response }) {
	const at = { timestamp: '2026-01-01T00:00:00Z', window: '10s' };
	const source = findType('', 'v1', type.resource);
	const items = store
		.list(source, info.namespace)
		.filter(makeFilter(info.query))
		.filter((object) => info.name === '' || object.metadata.name === info.name)
		.map(({ metadata, spec }) => ({
			kind: type.kind,
			apiVersion: 'metrics.k8s.io/v1beta1',
			metadata: { name: metadata.name, namespace: metadata.namespace, labels: metadata.labels },
			...at,
			...(type.resource === 'nodes'
				? { usage: USAGE }
				: { containers: spec.containers.map(({ name }) => ({ name, usage: USAGE })) }),
		}));
	if (info.name !== '' && items.length === 0) store.get(source, info.namespace, info.name);
	sendJson(response, 200, info.name === '' ? toList(type, items, { resourceVersion: '' }) : items[0]);
}

// Whether the request is for a subresource that this file answers; `context` has `workloads` and the body's bytes.
export function answerAction(context) {
	const { info } = context;
	if (info.subresource === 'eviction' && info.verb === 'create') evict(context);
	else if (info.subresource === 'scale') scale(context);
	else return false;
	return true;
}
