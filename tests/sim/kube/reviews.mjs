// SelfSubjectAccessReview, SelfSubjectRulesReview and SelfSubjectReview: what may I, who am I.
import { isAllowed, rulesFor } from './authorize.mjs';
import { sendDocument, StatusError } from './status.mjs';

function accessReview(store, user, { resourceAttributes: r, nonResourceAttributes: n } = {}) {
	if (!r === !n)
		throw new StatusError(422, 'exactly one of nonResourceAttributes or resourceAttributes must be specified');
	const attributes = r
		? {
				isResource: true,
				verb: r.verb,
				group: r.group ?? '',
				resource: r.resource,
				subresource: r.subresource ?? '',
				namespace: r.namespace ?? '',
				name: r.name ?? '',
			}
		: { isResource: false, verb: n.verb, path: n.path };
	return { allowed: isAllowed(store, user, attributes) };
}

function rulesStatus(rules) {
	return {
		resourceRules: rules.filter(({ resources }) => resources),
		nonResourceRules: [
			...rules.filter(({ nonResourceURLs }) => nonResourceURLs),
			{ verbs: ['get'], nonResourceURLs: ['/api', '/api/*', '/version'] },
		],
		incomplete: false,
	};
}

function userInfo(user) {
	return {
		username: user.name,
		groups: user.groups,
		...(user.uid ? { uid: user.uid } : {}),
		...(Object.keys(user.extra).length ? { extra: user.extra } : {}),
	};
}

// `document` is the posted review.
export function answerReview(store, user, info, document, request, response) {
	const base = { kind: document.kind, apiVersion: `${info.group}/v1`, metadata: { creationTimestamp: null } };
	switch (info.resource) {
		case 'selfsubjectaccessreviews':
			return sendDocument(request, response, 201, {
				...base,
				spec: document.spec,
				status: accessReview(store, user, document.spec),
			});
		case 'selfsubjectrulesreviews':
			return sendDocument(request, response, 201, {
				...base,
				spec: {},
				status: rulesStatus(rulesFor(store, user, document.spec?.namespace ?? '')),
			});
		default:
			return sendDocument(request, response, 201, { ...base, status: { userInfo: userInfo(user) } });
	}
}
