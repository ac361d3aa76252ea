// The resources that the simulated API server offers: one row each, from which discovery, tables and routes follow.

const ALL = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'];
const age = { name: 'Age', type: 'string', cell: (object, now) => ageOf(object, now) };
const name = { name: 'Name', type: 'string', format: 'name', cell: (object) => object.metadata.name };

function ageOf(object, now) {
	const seconds = Math.max(0, Math.round((now - Date.parse(object.metadata.creationTimestamp)) / 1000));
	return seconds < 120 ? `${seconds}s` : `${Math.floor(seconds / 60)}m`;
}

function readyOf(pod) {
	const statuses = pod.status?.containerStatuses ?? [];
	return `${statuses.filter((status) => status.ready).length}/${pod.spec?.containers?.length ?? 0}`;
}

const podColumns = [
	name,
	{ name: 'Ready', type: 'string', cell: readyOf },
	{ name: 'Status', type: 'string', cell: (pod) => pod.status?.phase ?? 'Pending' },
	{ name: 'Restarts', type: 'string', cell: () => '0' },
	age,
];

const EVICTION = { group: 'policy', version: 'v1', kind: 'Eviction' };
const SCALE = { group: 'autoscaling', version: 'v1', kind: 'Scale' };
const STATUS = ['get', 'patch', 'update'];
const SCALABLE = { scale: { verbs: STATUS, ...SCALE }, status: STATUS };

// {group, version, resource, kind, singular, namespaced, verbs, shortNames, columns, subresources}. A subresource is
// its verbs, or {verbs, group, version, kind} when its documents are of another kind. `hasGeneration`: the spec is counted,
// and written apart from the status.
export const types = [
	{
		group: '',
		resource: 'pods',
		kind: 'Pod',
		namespaced: true,
		shortNames: ['po'],
		categories: ['all'],
		columns: podColumns,
		subresources: {
			log: ['get'],
			exec: ['create', 'get'],
			attach: ['create', 'get'],
			portforward: ['create', 'get'],
			proxy: ['create', 'delete', 'get', 'patch', 'update'],
			status: STATUS,
			eviction: { verbs: ['create'], ...EVICTION },
		},
	},
	{
		group: '',
		resource: 'configmaps',
		kind: 'ConfigMap',
		namespaced: true,
		shortNames: ['cm'],
		columns: [name, { name: 'Data', type: 'string', cell: (map) => Object.keys(map.data ?? {}).length }, age],
	},
	{
		group: '',
		resource: 'secrets',
		kind: 'Secret',
		namespaced: true,
		columns: [
			name,
			{ name: 'Type', type: 'string', cell: (secret) => secret.type ?? 'Opaque' },
			{ name: 'Data', type: 'string', cell: (secret) => Object.keys(secret.data ?? {}).length },
			age,
		],
	},
	{
		group: '',
		resource: 'services',
		kind: 'Service',
		namespaced: true,
		shortNames: ['svc'],
		categories: ['all'],
		subresources: { proxy: ['create', 'delete', 'get', 'patch', 'update'] },
	},
	{ group: '', resource: 'serviceaccounts', kind: 'ServiceAccount', namespaced: true, shortNames: ['sa'] },
	{ group: '', resource: 'events', kind: 'Event', namespaced: true, shortNames: ['ev'] },
	{
		group: '',
		resource: 'namespaces',
		kind: 'Namespace',
		namespaced: false,
		shortNames: ['ns'],
		columns: [name, { name: 'Status', type: 'string', cell: () => 'Active' }, age],
	},
	{
		group: '',
		resource: 'nodes',
		kind: 'Node',
		namespaced: false,
		shortNames: ['no'],
		columns: [
			name,
			{
				name: 'Status',
				type: 'string',
				cell: (node) => (node.spec?.unschedulable ? 'Ready,SchedulingDisabled' : 'Ready'),
			},
			age,
		],
		subresources: { status: STATUS },
	},
	{
		group: 'apps',
		resource: 'deployments',
		kind: 'Deployment',
		namespaced: true,
		shortNames: ['deploy'],
		categories: ['all'],
		columns: [
			name,
			{ name: 'Ready', type: 'string', cell: (d) => `${d.status?.readyReplicas ?? 0}/${d.spec?.replicas ?? 1}` },
			age,
		],
		subresources: SCALABLE,
		hasGeneration: true,
	},
	{
		group: 'apps',
		resource: 'replicasets',
		kind: 'ReplicaSet',
		namespaced: true,
		shortNames: ['rs'],
		categories: ['all'],
		subresources: SCALABLE,
		hasGeneration: true,
	},
	{
		group: 'apps',
		resource: 'daemonsets',
		kind: 'DaemonSet',
		namespaced: true,
		shortNames: ['ds'],
		hasGeneration: true,
	},
	{
		group: 'policy',
		resource: 'poddisruptionbudgets',
		kind: 'PodDisruptionBudget',
		namespaced: true,
		shortNames: ['pdb'],
	},
	{
		group: 'metrics.k8s.io',
		version: 'v1beta1',
		resource: 'nodes',
		kind: 'NodeMetrics',
		namespaced: false,
		singular: '',
		verbs: ['get', 'list'],
	},
	{
		group: 'metrics.k8s.io',
		version: 'v1beta1',
		resource: 'pods',
		kind: 'PodMetrics',
		namespaced: true,
		singular: '',
		verbs: ['get', 'list'],
	},
	{ group: 'rbac.authorization.k8s.io', resource: 'clusterroles', kind: 'ClusterRole', namespaced: false },
	{
		group: 'rbac.authorization.k8s.io',
		resource: 'clusterrolebindings',
		kind: 'ClusterRoleBinding',
		namespaced: false,
	},
	{ group: 'rbac.authorization.k8s.io', resource: 'roles', kind: 'Role', namespaced: true },
	{ group: 'rbac.authorization.k8s.io', resource: 'rolebindings', kind: 'RoleBinding', namespaced: true },
	{
		group: 'authorization.k8s.io',
		resource: 'selfsubjectaccessreviews',
		kind: 'SelfSubjectAccessReview',
		namespaced: false,
		verbs: ['create'],
	},
	{
		group: 'authorization.k8s.io',
		resource: 'selfsubjectrulesreviews',
		kind: 'SelfSubjectRulesReview',
		namespaced: false,
		verbs: ['create'],
	},
	{
		group: 'authentication.k8s.io',
		resource: 'selfsubjectreviews',
		kind: 'SelfSubjectReview',
		namespaced: false,
		verbs: ['create'],
	},
].map((type) => ({
	version: 'v1',
	singular: type.kind.toLowerCase(),
	verbs: ALL,
	shortNames: [],
	categories: [],
	columns: [name, age],
	subresources: {},
	...type,
}));

export function findType(group, version, resource) {
	return types.find((type) => type.group === group && type.version === version && type.resource === resource);
}

export function apiVersionOf(type) {
	return type.group === '' ? type.version : `${type.group}/${type.version}`;
}

// [{group, version}]: each group has one version here.
export const groups = types
	.filter((type, i) => types.findIndex((other) => other.group === type.group) === i)
	.map(({ group, version }) => ({ group, version }));

// [{name, verbs, group, version, kind}] of a type.
export function subresourcesOf(type) {
	return Object.entries(type.subresources).map(([name, row]) => ({
		name,
		group: type.group,
		version: type.version,
		kind: type.kind,
		...(Array.isArray(row) ? { verbs: row } : row),
	}));
}
