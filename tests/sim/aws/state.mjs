// What exists in the simulated AWS: accounts with their regions, users and roles with their permissions, keys, sessions and
// clusters. Plain data and lookups; the services read it, the control endpoint changes it.
import { randomBytes } from 'node:crypto';

export const PARTITION = 'aws';
export const DEFAULT_REGIONS = [
	...['us-east-1', 'us-east-2', 'us-west-1', 'us-west-2', 'ca-central-1', 'sa-east-1'],
	...['eu-central-1', 'eu-north-1', 'eu-west-1', 'eu-west-2', 'eu-west-3'],
	...['ap-northeast-1', 'ap-northeast-2', 'ap-northeast-3', 'ap-south-1', 'ap-southeast-1', 'ap-southeast-2'],
];
// Regions that exist but that an account has to enable first.
export const OPT_IN_REGIONS = [
	...['af-south-1', 'ap-east-1', 'ap-east-2', 'ap-south-2', 'ap-southeast-3', 'ap-southeast-4', 'ap-southeast-5'],
	...['ap-southeast-6', 'ap-southeast-7', 'ca-west-1', 'eu-central-2', 'eu-south-1', 'eu-south-2', 'il-central-1'],
	...['me-central-1', 'me-south-1', 'mx-central-1'],
];

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

// AWS's unique ids: a prefix that tells the kind and 16 or 17 characters of base 32.
export function uniqueId(prefix) {
	return prefix + [...randomBytes(17)].map((byte) => ALPHABET[byte % 32]).join('');
}

export function createState() {
	return {
		accounts: new Map(), // id -> {id, regions: Map name -> status}
		principals: new Map(), // ARN of a user or role -> principal
		keys: new Map(), // access key id -> {secret, token, expires, principal}
		clusters: new Map(), // "account/region/name" -> cluster
		organization: null, // see organizations.mjs
		settings: { pageSize: 100, skewMs: 0, sessionTokenBytes: 400, tokenHosts: [] },
	};
}

export function allRegions() {
	return new Set([...DEFAULT_REGIONS, ...OPT_IN_REGIONS]);
}

export function now(state) {
	return Date.now() + state.settings.skewMs;
}

// --- accounts and principals -----------------------------------------------------------------------------------------

export function putAccount(state, id, { regions = {} } = {}) {
	if (!/^\d{12}$/.test(id)) throw new Error(`account ${id} is not 12 digits`);
	const account = state.accounts.get(id) ?? { id, regions: new Map() };
	if (account.regions.size === 0) {
		for (const name of DEFAULT_REGIONS) account.regions.set(name, 'ENABLED_BY_DEFAULT');
		for (const name of OPT_IN_REGIONS) account.regions.set(name, 'DISABLED');
	}
	for (const [name, status] of Object.entries(regions)) account.regions.set(name, status);
	state.accounts.set(id, account);
	return account;
}

export function isRegionOn(state, accountId, region) {
	return ['ENABLED', 'ENABLED_BY_DEFAULT'].includes(state.accounts.get(accountId)?.regions.get(region));
}

function putPrincipal(state, arn, fields) {
	const old = state.principals.get(arn);
	const principal = { ...(old ?? {}), ...fields, arn };
	state.principals.set(arn, principal);
	return principal;
}

// A user gets one access key. `permissions`: [{effect, action, region?}] with * as wildcard.
export function putUser(state, account, name, { permissions } = {}) {
	putAccount(state, account);
	const arn = `arn:${PARTITION}:iam::${account}:user/${name}`;
	const old = state.principals.get(arn);
	const user = putPrincipal(state, arn, {
		kind: 'user',
		account,
		name,
		userId: old?.userId ?? uniqueId('AIDA'),
		permissions: permissions ?? old?.permissions ?? [],
	});
	if (!old) {
		user.accessKeyId = uniqueId('AKIA').slice(0, 20);
		user.secret = randomBytes(30).toString('base64');
		state.keys.set(user.accessKeyId, {
			secret: user.secret,
			token: null,
			expires: 0,
			principal: caller(user, arn, user.userId),
		});
	}
	return user;
}

// `trust`: [{principal: ARN of a user, role or account root, externalId?}].
export function putRole(state, account, name, { path = '/', trust, permissions, maxDuration = 3600 } = {}) {
	putAccount(state, account);
	const arn = `arn:${PARTITION}:iam::${account}:role${path}${name}`;
	const old = state.principals.get(arn);
	return putPrincipal(state, arn, {
		kind: 'role',
		account,
		name,
		path,
		userId: old?.userId ?? uniqueId('AROA'),
		maxDuration,
		trust: trust ?? old?.trust ?? [],
		permissions: permissions ?? old?.permissions ?? [],
	});
}

// Deletes and creates again under the same ARN: another unique id, as after a real deletion.
export function recreateRole(state, arn) {
	state.principals.get(arn).userId = uniqueId('AROA');
}

// Who makes a call: the principal whose permissions count, and how STS names the caller.
function caller(principal, arn, userId, sessionName = null) {
	return { principalArn: principal.arn, account: principal.account, arn, userId, sessionName };
}

export function createSession(state, role, sessionName, seconds) {
	const arn = `arn:${PARTITION}:sts::${role.account}:assumed-role/${role.name}/${sessionName}`;
	const session = {
		accessKeyId: uniqueId('ASIA').slice(0, 20),
		secret: randomBytes(30).toString('base64'),
		token: randomBytes(Math.ceil((state.settings.sessionTokenBytes * 3) / 4)).toString('base64'),
		expires: Math.floor(now(state) / 1000 + seconds) * 1000,
		principal: caller(role, arn, `${role.userId}:${sessionName}`, sessionName),
	};
	state.keys.set(session.accessKeyId, session);
	return session;
}

// --- permissions -----------------------------------------------------------------------------------------------------

function matches(pattern, text) {
	const expression = pattern
		.split('*')
		.map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'))
		.join('.*');
	return new RegExp(`^${expression}$`).test(text);
}

// "allow", "deny" (explicit) or "none". `resource` matters only where a permission names one.
export function permissionFor(state, principalArn, { action, region, resource = '*' }) {
	const { permissions } = state.principals.get(principalArn);
	const hits = permissions.filter(
		(p) => matches(p.action, action) && matches(p.region ?? '*', region) && matches(p.resource ?? '*', resource),
	);
	if (hits.some((p) => p.effect === 'Deny')) return 'deny';
	return hits.length > 0 ? 'allow' : 'none';
}

// --- clusters --------------------------------------------------------------------------------------------------------

export function clusterKey(account, region, name) {
	return `${account}/${region}/${name}`;
}

export function findCluster(state, account, region, name) {
	return state.clusters.get(clusterKey(account, region, name));
}

export function clustersOf(state, account, region) {
	return [...state.clusters.values()]
		.filter((c) => c.account === account && c.region === region)
		.sort((a, b) => (a.name < b.name ? -1 : 1));
}

const MUTABLE = [
	'endpoint',
	'certificateAuthority',
	'tags',
	'status',
	'authenticationMode',
	'version',
	'endpointPublicAccess',
	'endpointPrivateAccess',
	'extra',
];

// The tagging API's index shows tags some time after they were set.
export function noteTags(cluster) {
	const last = cluster.tagHistory.at(-1);
	if (JSON.stringify(last?.tags) === JSON.stringify(cluster.tags)) return;
	cluster.tagHistory.push({ at: Date.now(), tags: { ...cluster.tags } });
}

// Creates, or changes what is given. A new cluster has a new createdAt.
export function putCluster(state, account, region, name, fields) {
	const unknown = Object.keys(fields).find((key) => !MUTABLE.includes(key));
	if (unknown) throw new Error(`a cluster has no field ${unknown}`);
	if (!/^[0-9A-Za-z][A-Za-z0-9_-]{0,99}$/.test(name)) throw new Error(`${name} is not a cluster name`);
	if (!state.accounts.get(account)?.regions.has(region))
		throw new Error(`account ${account} has no region ${region}`);
	const key = clusterKey(account, region, name);
	const cluster = state.clusters.get(key) ?? {
		account,
		region,
		name,
		arn: `arn:${PARTITION}:eks:${region}:${account}:cluster/${name}`,
		createdAt: now(state) / 1000,
		status: 'ACTIVE',
		tags: {},
		authenticationMode: 'API_AND_CONFIG_MAP',
		version: '1.34',
		endpoint: null,
		certificateAuthority: null,
		endpointPublicAccess: true,
		endpointPrivateAccess: false,
		extra: {},
		entries: new Map(),
		requestTokens: new Map(),
		tagHistory: [],
	};
	Object.assign(cluster, fields);
	noteTags(cluster);
	state.clusters.set(key, cluster);
	return cluster;
}

export function deleteCluster(state, account, region, name) {
	return state.clusters.delete(clusterKey(account, region, name));
}

// What DescribeCluster shows. Endpoint and CA are absent until a cluster is ACTIVE.
export function describe(cluster) {
	const isUp = !['CREATING', 'PENDING', 'FAILED'].includes(cluster.status);
	return {
		name: cluster.name,
		arn: cluster.arn,
		createdAt: cluster.createdAt,
		version: cluster.version,
		...(isUp && cluster.endpoint ? { endpoint: cluster.endpoint } : {}),
		roleArn: `arn:${PARTITION}:iam::${cluster.account}:role/eks-cluster-role`,
		resourcesVpcConfig: {
			subnetIds: ['subnet-0a', 'subnet-0b'],
			securityGroupIds: [],
			clusterSecurityGroupId: 'sg-0a',
			vpcId: 'vpc-0a',
			endpointPublicAccess: cluster.endpointPublicAccess,
			endpointPrivateAccess: cluster.endpointPrivateAccess,
			publicAccessCidrs: ['0.0.0.0/0'],
		},
		kubernetesNetworkConfig: { serviceIpv4Cidr: '172.20.0.0/16', ipFamily: 'ipv4' },
		identity: {
			oidc: {
				issuer: `https://oidc.eks.${cluster.region}.amazonaws.com/id/${Math.floor(cluster.createdAt * 1000)
					.toString(16)
					.toUpperCase()}`,
			},
		},
		status: cluster.status,
		certificateAuthority: isUp && cluster.certificateAuthority ? { data: cluster.certificateAuthority } : {},
		platformVersion: 'eks.12',
		tags: cluster.tags,
		health: { issues: [] },
		accessConfig: { authenticationMode: cluster.authenticationMode },
		deletionProtection: false,
		...cluster.extra,
	};
}
