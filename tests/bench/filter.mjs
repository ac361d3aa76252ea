// What it costs to filter a list: the same lists to a user who may read all of them and to one whose role shows all but a
// few objects. Beside those in JSON, as a reader's yardstick, jq over the same bytes (`jq -c --stream`), which does nothing but read
// and write JSON in pieces; the one in protobuf lies on disk until its end. Called by bench.mjs.
import { execFileSync } from 'node:child_process';
import { encodeObject, PROTOBUF } from '../sim/kube/protobuf_answer.mjs';
import { cpuRun, pick, takeTurns } from './turns.mjs';

const MIB = 1024 * 1024;
export const LISTS = {
	'/api/v1/namespaces/many/pods': { bytes: 131 * 1024, type: 'application/json' },
	'/api/v1/namespaces/huge/pods': { bytes: 10 * MIB, type: 'application/json' },
	'/api/v1/namespaces/huge-too/pods': { bytes: 10 * MIB, type: PROTOBUF },
};
const [MANY] = Object.keys(LISTS);
const SHAPES = { h1: { connections: 4 }, h2: { connections: 2, streams: 2 } };
// Every so many objects one is left out.
const HIDDEN_EVERY = 50;

export const ROLE = `kind: role
version: v8
metadata: {name: filtered}
spec:
  allow:
    kubernetes_labels: {'*': '*'}
    kubernetes_groups: [developers]
    kubernetes_resources:
    - {kind: pods, namespace: '*', name: 'web-*', verbs: [get, list, watch]}
---
kind: role_binding
version: v1
metadata: {name: filtered}
spec: {roles: [filtered], users: [fred]}
`;

const condition = (type) => ({ type, status: 'True', lastProbeTime: null, lastTransitionTime: '2026-01-01T00:00:00Z' });

// As long, and as full of short texts, as those of a Deployment are.
function pod(index) {
	const name = `${index % HIDDEN_EVERY === 0 ? 'db' : 'web'}-6d4cf56db6-${String(index).padStart(5, '0')}`;
	const owned = { '.': {}, 'k:{"uid":"0b3c1c9e-7a6c-4a43-8f9e-000000000000"}': {} };
	const container = { '.': {}, 'f:image': {}, 'f:imagePullPolicy': {}, 'f:name': {}, 'f:resources': {}, 'f:terminationMessagePath': {} };
	return {
		metadata: {
			name,
			generateName: 'web-6d4cf56db6-',
			namespace: 'many',
			uid: `0b3c1c9e-7a6c-4a43-8f9e-${String(index).padStart(12, '0')}`,
			resourceVersion: String(100000 + index),
			creationTimestamp: '2026-01-01T00:00:00Z',
			labels: { app: 'web', 'pod-template-hash': '6d4cf56db6' },
			ownerReferences: [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'web-6d4cf56db6', controller: true, blockOwnerDeletion: true }],
			managedFields: [
				{
					manager: 'kube-controller-manager',
					operation: 'Update',
					apiVersion: 'v1',
					time: '2026-01-01T00:00:00Z',
					fieldsType: 'FieldsV1',
					fieldsV1: { 'f:metadata': { 'f:labels': { '.': {}, 'f:app': {} }, 'f:ownerReferences': owned }, 'f:spec': { 'f:containers': { 'k:{"name":"main"}': container }, 'f:dnsPolicy': {}, 'f:restartPolicy': {}, 'f:schedulerName': {} } },
				},
			],
		},
		spec: {
			containers: [
				{
					name: 'main',
					image: '123456789012.dkr.ecr.eu-west-1.amazonaws.com/web:v1.2.3',
					ports: [{ containerPort: 8080, protocol: 'TCP' }],
					env: [{ name: 'GREETING', value: 'He said \\"hello\\" to everyone' }],
					resources: { limits: { cpu: '500m', memory: '256Mi' }, requests: { cpu: '100m', memory: '128Mi' } },
					imagePullPolicy: 'IfNotPresent',
				},
			],
			restartPolicy: 'Always',
			terminationGracePeriodSeconds: 30,
			nodeName: 'ip-10-0-0-1.eu-west-1.compute.internal',
			tolerations: [{ key: 'node.kubernetes.io/not-ready', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 300 }],
		},
		status: {
			phase: 'Running',
			conditions: ['Initialized', 'Ready', 'ContainersReady', 'PodScheduled'].map(condition),
			podIP: `10.0.${index % 250}.7`,
			containerStatuses: [{ name: 'main', ready: true, restartCount: 0, started: true, state: { running: { startedAt: '2026-01-01T00:00:00Z' } } }],
		},
	};
}

// A PodList of about so many bytes of JSON.
export function listOf({ bytes, type }) {
	const items = [];
	for (let size = 0; size < bytes; ) {
		items.push(pod(items.length));
		size += JSON.stringify(items.at(-1)).length + 1;
	}
	const list = { kind: 'PodList', apiVersion: 'v1', metadata: { resourceVersion: '1' }, items };
	return type === PROTOBUF ? encodeObject(list) : JSON.stringify(list);
}

// CPU time of jq over a file, in microseconds.
function jq(file) {
	const script = `TIMEFORMAT='%U %S'; time jq -c --stream . <"$0" >/dev/null`;
	const words = execFileSync('bash', ['-c', `{ ${script}; } 2>&1`, file], { encoding: 'utf8' }).trim().split(' ');
	return words.reduce((sum, word) => sum + Number(word) * 1e6, 0);
}

export async function filter(stage, { rounds, seconds }) {
	const results = [];
	for (const [path, { bytes, type }] of Object.entries(LISTS))
		for (const [protocol, shape] of Object.entries(SHAPES)) {
			const [whole] = stage.contenders(protocol);
			const contenders = [
				{ ...whole, label: 'passed through' },
				{ ...whole, label: 'filtered', person: stage.restricted },
			];
			const values = pick(await takeTurns(contenders, rounds, (contender) => cpuRun(stage, contender, path, shape, seconds)), 'us');
			const isJson = type !== PROTOBUF;
			if (isJson) values['jq --stream'] = Array.from({ length: rounds }, () => jq(stage.files[path]));
			const size = bytes < 1e6 ? `${bytes >> 10} KiB` : `${bytes >> 20} MiB`;
			results.push({
				id: `filter-${protocol}-${size.replace(' ', '').toLowerCase()}${isJson ? '' : '-protobuf'}`,
				title: `CPU a list of ${size}${isJson ? '' : ' in protobuf'}, ${protocol}, as it is and filtered`,
				unit: 'us',
				values,
			});
		}
	return results;
}

// What it costs somebody whom nothing restricts that others are restricted: the same list from an instance whose roles restrict
// nobody, and from one that has a role for some pods, of somebody else.
export async function unrestricted(stage, { rounds, seconds }) {
	const results = [];
	for (const [protocol, shape] of Object.entries(SHAPES)) {
		const [beside] = stage.contenders(protocol);
		const contenders = [stage.unrestricted(protocol), { ...beside, label: 'others restricted' }];
		const values = pick(await takeTurns(contenders, rounds, (contender) => cpuRun(stage, contender, MANY, shape, seconds)), 'us');
		results.push({ id: `unrestricted-${protocol}`, title: `CPU a list of 131 KiB, ${protocol}, of a user whom nothing restricts`, unit: 'us', values });
	}
	return results;
}
