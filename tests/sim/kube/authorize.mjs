// RBAC over the ClusterRoles, Roles and bindings in the store, and impersonation as kube-apiserver does it: each user,
// group, uid and extra that is asked for is a permission check of its own.
import { findType } from './types.mjs';
import { StatusError } from './status.mjs';

const RBAC = 'rbac.authorization.k8s.io';
const SERVICE_ACCOUNT = /^system:serviceaccount:([^:]+):([^:]+)$/;
// What system:discovery and system:public-info-viewer grant to everybody who is authenticated, the last three to all.
const DISCOVERY_PATHS = /^\/(api|apis|openapi|version|healthz|livez|readyz)(\/|$)/;
const PUBLIC_PATHS = /^\/(version|healthz|livez|readyz)(\/|$)/;

function includes(list, word) {
	return list?.includes('*') || list?.includes(word);
}

function ruleAllows(rule, attributes) {
	if (!includes(rule.verbs, attributes.verb)) return false;
	if (!attributes.isResource) {
		return rule.nonResourceURLs?.some(
			(url) =>
				url === '*' ||
				url === attributes.path ||
				(url.endsWith('*') && attributes.path.startsWith(url.slice(0, -1))),
		);
	}
	const wanted = attributes.subresource ? `${attributes.resource}/${attributes.subresource}` : attributes.resource;
	const fits =
		includes(rule.resources, wanted) ||
		(attributes.subresource && rule.resources?.includes(`*/${attributes.subresource}`));
	if (!includes(rule.apiGroups, attributes.group) || !fits) return false;
	return !rule.resourceNames?.length || rule.resourceNames.includes(attributes.name);
}

function isSubject(subject, user, namespace) {
	if (subject.kind === 'User') return subject.name === user.name;
	if (subject.kind === 'Group') return user.groups.includes(subject.name);
	return user.name === `system:serviceaccount:${subject.namespace ?? namespace}:${subject.name}`;
}

function rulesOf(store, roleRef, namespace) {
	const type = findType(RBAC, 'v1', roleRef.kind === 'ClusterRole' ? 'clusterroles' : 'roles');
	return store.find(type, roleRef.kind === 'ClusterRole' ? '' : namespace, roleRef.name)?.rules ?? [];
}

// Whether RBAC lets `user` do what `attributes` say (isResource, verb, group, resource, subresource, namespace, name, path).
export function isAllowed(store, user, attributes) {
	if (user.isAdmin || user.groups.includes('system:masters')) return true;
	if (!attributes.isResource && attributes.verb === 'get') {
		if (PUBLIC_PATHS.test(attributes.path)) return true;
		if (user.groups.includes('system:authenticated') && DISCOVERY_PATHS.test(attributes.path)) return true;
	}
	if (user.groups.includes('system:authenticated') && attributes.verb === 'create' && isSelfReview(attributes))
		return true;
	const scopes = [
		['clusterrolebindings', ''],
		...(attributes.namespace ? [['rolebindings', attributes.namespace]] : []),
	];
	return scopes.some(([resource, namespace]) =>
		store
			.list(findType(RBAC, 'v1', resource), namespace)
			.filter((binding) => binding.subjects?.some((subject) => isSubject(subject, user, namespace)))
			.some((binding) => rulesOf(store, binding.roleRef, namespace).some((rule) => ruleAllows(rule, attributes))),
	);
}

// Every rule that holds for `user` in a namespace, as a SelfSubjectRulesReview lists them.
export function rulesFor(store, user, namespace) {
	if (user.isAdmin || user.groups.includes('system:masters'))
		return [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'] }, { verbs: ['*'], nonResourceURLs: ['*'] }];
	return [
		['clusterrolebindings', ''],
		['rolebindings', namespace],
	].flatMap(([resource, where]) =>
		store
			.list(findType(RBAC, 'v1', resource), where)
			.filter((binding) => binding.subjects?.some((subject) => isSubject(subject, user, where)))
			.flatMap((binding) => rulesOf(store, binding.roleRef, where)),
	);
}

// system:basic-user
function isSelfReview({ group, resource }) {
	return (
		(group === 'authorization.k8s.io' &&
			['selfsubjectaccessreviews', 'selfsubjectrulesreviews'].includes(resource)) ||
		(group === 'authentication.k8s.io' && resource === 'selfsubjectreviews')
	);
}

function describe(user, attributes) {
	if (!attributes.isResource) return `User "${user.name}" cannot ${attributes.verb} path "${attributes.path}"`;
	const resource = attributes.subresource ? `${attributes.resource}/${attributes.subresource}` : attributes.resource;
	const where = attributes.namespace ? `in the namespace "${attributes.namespace}"` : 'at the cluster scope';
	return `User "${user.name}" cannot ${attributes.verb} resource "${resource}" in API group "${attributes.group}" ${where}`;
}

export function forbidden(user, attributes) {
	const kind = attributes.group ? `${attributes.resource}.${attributes.group}` : attributes.resource;
	const subject = attributes.isResource ? `${kind}${attributes.name ? ` "${attributes.name}"` : ''} is ` : '';
	const details = attributes.isResource
		? { name: attributes.name || undefined, group: attributes.group || undefined, kind: attributes.resource }
		: {};
	return new StatusError(403, `${subject}forbidden: ${describe(user, attributes)}`, { details });
}

// --- impersonation ---------------------------------------------------------------------------------------------------

// `raw` is the list of header pairs as received.
function readImpersonation(raw) {
	const wanted = { user: '', groups: [], uid: '', extra: {} };
	for (const [header, value] of raw) {
		const name = header.toLowerCase();
		if (name === 'impersonate-user') wanted.user ||= value;
		else if (name === 'impersonate-group') wanted.groups.push(value);
		else if (name === 'impersonate-uid') wanted.uid ||= value;
		else if (name.startsWith('impersonate-extra-')) (wanted.extra[extraKey(name)] ??= []).push(value);
	}
	return wanted;
}

function extraKey(name) {
	const key = name.slice('impersonate-extra-'.length);
	try {
		return decodeURIComponent(key);
	} catch {
		return key;
	}
}

function checksFor(wanted) {
	const check = (group, resource, name, more = {}) => ({
		isResource: true,
		verb: 'impersonate',
		group,
		resource,
		subresource: '',
		namespace: '',
		name,
		...more,
	});
	const account = SERVICE_ACCOUNT.exec(wanted.user);
	const user = account
		? check('', 'serviceaccounts', account[2], { namespace: account[1] })
		: check('', 'users', wanted.user);
	return [
		user,
		...wanted.groups.map((group) => check('', 'groups', group)),
		...(wanted.uid ? [check('authentication.k8s.io', 'uids', wanted.uid)] : []),
		...Object.entries(wanted.extra).flatMap(([key, values]) =>
			values.map((value) => check('authentication.k8s.io', 'userextras', value, { subresource: key })),
		),
	];
}

function groupsOf(wanted) {
	const account = SERVICE_ACCOUNT.exec(wanted.user);
	const groups =
		account && wanted.groups.length === 0
			? ['system:serviceaccounts', `system:serviceaccounts:${account[1]}`]
			: [...wanted.groups];
	const isAnonymous = wanted.user === 'system:anonymous' || groups.includes('system:unauthenticated');
	if (!isAnonymous && !groups.includes('system:authenticated')) groups.push('system:authenticated');
	return groups;
}

// The user that the request acts as: `user` itself without Impersonate-* headers. Throws 400 or 403.
export function impersonate(store, user, raw) {
	const wanted = readImpersonation(raw);
	const hasMore = wanted.groups.length > 0 || wanted.uid !== '' || Object.keys(wanted.extra).length > 0;
	if (wanted.user === '' && !hasMore) return user;
	if (wanted.user === '') {
		throw new StatusError(400, `requested ${JSON.stringify(wanted.groups)} without impersonating a user`);
	}
	for (const attributes of checksFor(wanted))
		if (!isAllowed(store, user, attributes)) throw forbidden(user, attributes);
	// Access policies never apply to an impersonated user: RBAC alone decides from here on.
	return {
		name: wanted.user,
		uid: wanted.uid,
		groups: groupsOf(wanted),
		extra: wanted.extra,
		isAdmin: false,
		impersonator: user.name,
	};
}
