// What is in a new cluster: namespaces, a few pods, and RBAC: the role of eksgate's proxy bound to its group, and roles for
// the groups that people get.

const RBAC = 'rbac.authorization.k8s.io/v1';

function clusterRole(name, rules) {
	return { apiVersion: RBAC, kind: 'ClusterRole', metadata: { name }, rules };
}

function bind(group, role) {
	return {
		apiVersion: RBAC,
		kind: 'ClusterRoleBinding',
		metadata: { name: `${role}-${group.replaceAll(':', '-')}` },
		roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: role },
		subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'Group', name: group }],
	};
}

export function pod(name, { namespace = 'default', container = 'main', labels = { app: name } } = {}) {
	return {
		apiVersion: 'v1',
		kind: 'Pod',
		metadata: { name, namespace, labels },
		spec: {
			nodeName: 'node-1',
			containers: [{ name: container, image: 'example/app:1', stdin: true, ports: [{ containerPort: 8080 }] }],
			restartPolicy: 'Always',
		},
		status: {
			phase: 'Running',
			podIP: '10.0.0.10',
			startTime: '2026-01-01T00:00:00Z',
			conditions: [{ type: 'Ready', status: 'True' }],
			containerStatuses: [
				{
					name: container,
					ready: true,
					restartCount: 0,
					image: 'example/app:1',
					imageID: '',
					state: { running: { startedAt: '2026-01-01T00:00:00Z' } },
				},
			],
		},
	};
}

const CAPACITY = { cpu: '4', memory: '8Gi', pods: '110' };
const READ = ['get', 'list', 'watch'];
const WRITE = ['create', 'delete', 'deletecollection', 'patch', 'update'];
// What leads into a pod: through an upgrade or a proxy.
const TUNNELS = ['pods/exec', 'pods/attach', 'pods/portforward', 'pods/proxy', 'services/proxy'];
const VISIBLE = ['pods', 'configmaps', 'services', 'serviceaccounts', 'events', 'namespaces'];

// What the proxy needs, as `kubeproxyd rbac` would print it.
function proxyRbac() {
	return [
		clusterRole('eksgate', [
			{ apiGroups: [''], resources: ['users', 'groups', 'serviceaccounts'], verbs: ['impersonate'] },
			{ apiGroups: [''], resources: ['pods'], verbs: ['get'] },
			{
				apiGroups: ['authorization.k8s.io'],
				resources: ['selfsubjectaccessreviews', 'selfsubjectrulesreviews'],
				verbs: ['create'],
			},
		]),
		bind('eksgate:proxy', 'eksgate'),
	];
}

// `rbac` false: of the proxy's role and binding nothing is there yet.
export function seedObjects({ rbac = true } = {}) {
	return [
		...['default', 'kube-system', 'team-a'].map((name) => ({
			apiVersion: 'v1',
			kind: 'Namespace',
			metadata: { name },
		})),
		...(rbac ? proxyRbac() : []),
		clusterRole('view', [
			{ apiGroups: [''], resources: [...VISIBLE, 'pods/log', 'pods/status'], verbs: READ },
			{ apiGroups: ['apps'], resources: ['deployments'], verbs: READ },
		]),
		clusterRole('edit', [
			{
				apiGroups: [''],
				resources: [...VISIBLE, 'secrets', 'pods/log', 'pods/status', ...TUNNELS],
				verbs: READ,
			},
			{
				apiGroups: [''],
				resources: ['pods', 'configmaps', 'services', 'serviceaccounts', 'secrets', ...TUNNELS],
				verbs: WRITE,
			},
			{
				apiGroups: ['apps'],
				resources: ['deployments', 'replicasets', 'deployments/scale'],
				verbs: [...READ, ...WRITE],
			},
			{ apiGroups: [''], resources: ['pods/eviction'], verbs: ['create'] },
			{ apiGroups: ['metrics.k8s.io'], resources: ['pods'], verbs: READ },
		]),
		clusterRole('cluster-admin', [
			{ apiGroups: ['*'], resources: ['*'], verbs: ['*'] },
			{ nonResourceURLs: ['*'], verbs: ['*'] },
		]),
		bind('developers', 'edit'),
		bind('viewers', 'view'),
		bind('administrators', 'cluster-admin'),
		{
			apiVersion: 'v1',
			kind: 'Node',
			metadata: { name: 'node-1' },
			status: { capacity: CAPACITY, allocatable: CAPACITY },
		},
		pod('web-1'),
		pod('web-2'),
		pod('job-1', { namespace: 'team-a' }),
		{
			apiVersion: 'v1',
			kind: 'Event',
			metadata: { name: 'web-1.started', namespace: 'default' },
			involvedObject: { apiVersion: 'v1', kind: 'Pod', name: 'web-1', namespace: 'default' },
			type: 'Normal',
			reason: 'Started',
			message: 'Started container main',
			source: { component: 'kubelet' },
			count: 1,
			firstTimestamp: '2026-01-01T00:00:00Z',
			lastTimestamp: '2026-01-01T00:00:00Z',
		},
		{
			apiVersion: 'v1',
			kind: 'Service',
			metadata: { name: 'web', namespace: 'default' },
			spec: {
				selector: { app: 'web-1' },
				ports: [{ name: 'http', port: 80, targetPort: 8080 }],
				clusterIP: '10.0.0.80',
			},
		},
		{
			apiVersion: 'v1',
			kind: 'ConfigMap',
			metadata: { name: 'settings', namespace: 'default' },
			data: { colour: 'blue' },
		},
		{
			apiVersion: 'v1',
			kind: 'Secret',
			metadata: { name: 'password', namespace: 'default' },
			type: 'Opaque',
			data: { value: 'aGlkZGVu' },
		},
	];
}

// What the pods said so far.
export function seedLogs(logs) {
	for (const key of ['default/web-1', 'default/web-2', 'team-a/job-1'])
		for (const line of ['starting', 'listening']) logs.append(key, line);
}

// A new pod gets a node and runs, as a kubelet would report a moment later.
export function runPod({ metadata, spec }) {
	const { name, namespace, labels } = metadata;
	const { status } = pod(name, { namespace, labels, container: spec?.containers?.[0]?.name });
	return status;
}
