// Who a request comes from: the bearer token goes to the AWS simulator as it would go to aws-iam-authenticator and STS, and
// the ARN it proves is mapped through the cluster's access entries and its aws-auth ConfigMap.
import { createHash } from 'node:crypto';
import { findType } from './types.mjs';
import { StatusError } from './status.mjs';

const ADMIN_POLICY = 'AmazonEKSClusterAdminPolicy';

function unauthorized(why) {
	return Object.assign(new StatusError(401, 'Unauthorized'), { why });
}

function fillTemplate(text, { account, sessionName, accessKeyId }) {
	return text
		.replaceAll('{{AccountID}}', account)
		.replaceAll('{{SessionNameRaw}}', sessionName)
		.replaceAll('{{SessionName}}', sessionName.replaceAll('@', '-'))
		.replaceAll('{{AccessKeyID}}', accessKeyId);
}

// An entry holds for the principal that existed when it was made: by unique id, whatever the ARN says.
function fromEntries(cluster, caller) {
	const entry = cluster.accessEntries.find((e) => e.principalId === caller.userId.split(':')[0]);
	if (!entry) return null;
	return {
		name: fillTemplate(entry.username, caller),
		groups: entry.kubernetesGroups,
		isAdmin: entry.policies.some((policy) => policy.policyArn.endsWith(`/${ADMIN_POLICY}`)),
	};
}

// The subset of YAML that aws-auth is written in here: JSON, which every YAML parser reads alike.
function parseMapping(text) {
	try {
		return JSON.parse(text ?? '[]');
	} catch {
		return [];
	}
}

function fromConfigMap(store, caller) {
	const map = store.find(findType('', 'v1', 'configmaps'), 'kube-system', 'aws-auth');
	if (!map) return null;
	const items = [
		...parseMapping(map.data?.mapRoles).map((item) => [item.rolearn, item]),
		...parseMapping(map.data?.mapUsers).map((item) => [item.userarn, item]),
	];
	const found = items.find(([arn]) => arn?.toLowerCase() === caller.canonicalArn.toLowerCase());
	if (found) return { name: fillTemplate(found[1].username, caller), groups: found[1].groups ?? [] };
	if (parseMapping(map.data?.mapAccounts).includes(caller.account)) return { name: caller.canonicalArn, groups: [] };
	return null;
}

function mapCaller(cluster, store, caller) {
	const mode = cluster.authenticationMode;
	const mapped =
		(mode === 'CONFIG_MAP' ? null : fromEntries(cluster, caller)) ??
		(mode === 'API' ? null : fromConfigMap(store, caller));
	if (!mapped) throw unauthorized(`no access entry and no aws-auth mapping for ${caller.canonicalArn}`);
	return mapped;
}

function toUser(mapped, caller) {
	return {
		name: mapped.name,
		uid: `aws-iam-authenticator:${caller.account}:${caller.userId.split(':')[0]}`,
		groups: [...new Set([...mapped.groups, 'system:authenticated'])],
		isAdmin: mapped.isAdmin ?? false,
		extra: {
			arn: [caller.arn],
			canonicalArn: [caller.canonicalArn],
			accessKeyId: [caller.accessKeyId],
			principalId: [caller.userId.split(':')[0]],
			sessionName: [caller.sessionName],
		},
	};
}

export const ANONYMOUS = {
	name: 'system:anonymous',
	uid: '',
	groups: ['system:unauthenticated'],
	extra: {},
	isAdmin: false,
};

// `look` for many at once: who comes while it runs shares the next run, so nobody is told what was so before they asked.
function together(look) {
	let running, next;
	const begin = () => {
		next = undefined;
		running = look().finally(() => {
			running = undefined;
		});
		return running;
	};
	return () => {
		if (!running) return next ?? begin();
		next ??= running.then(begin, begin);
		return next;
	};
}

// `aws(method, path, body)` is the control of the AWS simulator. Tokens found good are remembered for `cacheMs`, as the
// API server's webhook cache does; `authorization` is the header or undefined.
export function createAuthenticator({ aws, place, store, cacheMs }) {
	const cache = new Map();
	const seeCluster = together(() => aws('GET', `/clusters/${place.account}/${place.region}/${place.name}`));

	async function verify(token) {
		const key = createHash('sha256').update(token).digest('hex');
		const hit = cache.get(key);
		if (hit && hit.until > Date.now()) return hit.caller;
		const caller = await aws('POST', '/verify-token', { token, cluster: place.name });
		if (caller.error) throw unauthorized(caller.error);
		cache.set(key, { caller, until: Date.now() + cacheMs });
		if (cache.size > 100) cache.delete(cache.keys().next().value);
		return caller;
	}

	return async function authenticate(authorization) {
		if (authorization === undefined) return ANONYMOUS;
		const m = /^Bearer ([^ ]+)$/.exec(authorization);
		if (!m) throw unauthorized('the Authorization header is no bearer token');
		const caller = await verify(m[1]);
		return toUser(mapCaller(await seeCluster(), store, caller), caller);
	};
}
