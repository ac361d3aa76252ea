// The EKS operations. Each takes ({state, caller, region}, input) with the input already checked against the model, and
// returns the answer or throws AwsError with AWS's own words.
import { randomUUID } from 'node:crypto';
import { modelError } from './model.mjs';
import { deleteEntry, isDeleted, isSeen, isTaken, noteMade, seenEntry } from './visibility.mjs';
import { clusterKey, clustersOf, describe, findCluster, noteTags, now, PARTITION } from './state.mjs';

const RESERVED_USERNAMES = ['system:', 'eks:', 'aws:', 'amazon:', 'iam:'];
const TYPES = ['STANDARD', 'EC2_LINUX', 'EC2_WINDOWS', 'FARGATE_LINUX', 'EC2', 'HYBRID_LINUX', 'HYPERPOD_LINUX'];
const POLICIES = [
	'AmazonEKSClusterAdminPolicy',
	'AmazonEKSAdminPolicy',
	'AmazonEKSAdminViewPolicy',
	'AmazonEKSEditPolicy',
	'AmazonEKSViewPolicy',
];

const policyArn = (name) => `arn:${PARTITION}:eks::aws:cluster-access-policy/${name}`;

// Page tokens are opaque: they are good for one listing only and tell nothing.
const pages = new Map();

// A token remembers the last item of its page, or with settings.shiftingPages how many items there were before it.
function paginate(kind, items, { maxResults = 100, nextToken }, { pageSize: limit, shiftingPages }, complain) {
	let from = 0;
	if (nextToken !== undefined) {
		const page = pages.get(nextToken);
		if (!page || page.kind !== kind) throw complain(`Invalid token: ${nextToken}`);
		from = shiftingPages ? page.offset : items.findIndex((item) => item > page.after);
		if (from < 0) from = items.length;
	}
	const size = Math.min(maxResults, limit);
	const part = items.slice(from, from + size);
	if (from + size >= items.length) return { part };
	const token = randomUUID().replaceAll('-', '');
	pages.set(token, { kind, after: part.at(-1), offset: from + size });
	return { part, token };
}

function clusterOf({ state, caller, region }, name) {
	const cluster = findCluster(state, caller.account, region, name);
	if (!cluster) {
		throw modelError('eks', 'ResourceNotFoundException', `No cluster found for name: ${name}.`, {
			clusterName: name,
		});
	}
	return cluster;
}

function withEntries(context, name) {
	const cluster = clusterOf(context, name);
	if (cluster.authenticationMode === 'CONFIG_MAP') {
		throw modelError(
			'eks',
			'InvalidRequestException',
			"The cluster's authentication mode must be set to one of " +
				'[API, API_AND_CONFIG_MAP] to perform this operation.',
			{ clusterName: name },
		);
	}
	return cluster;
}

function noEntry(cluster) {
	return modelError(
		'eks',
		'ResourceNotFoundException',
		'The specified principalArn could not be found. You can view your ' +
			"available access entries with 'list-access-entries'.",
		{ clusterName: cluster.name },
	);
}

function entryOf(context, { clusterName, principalArn }) {
	const cluster = withEntries(context, clusterName);
	const entry = seenEntry(cluster, principalArn);
	if (!entry) {
		throw noEntry(cluster);
	}
	return { cluster, entry };
}

function showEntry(entry) {
	const { policies, principalId, ...shown } = entry;
	return shown;
}

function checkGroups(groups = []) {
	const bad = groups.find((group) => group.startsWith('system:'));
	if (bad !== undefined) {
		throw modelError(
			'eks',
			'InvalidParameterException',
			`The kubernetes group name ${bad} is invalid, it cannot start with system:`,
		);
	}
}

function checkUsername(username) {
	const prefix = RESERVED_USERNAMES.find((word) => username?.startsWith(word));
	if (prefix) throw modelError('eks', 'InvalidParameterException', `The username must not begin with ${prefix}`);
	if (/\{\{SessionName(Raw)?\}\}/.test(username ?? '') && !/:.*\{\{SessionName/.test(username)) {
		throw modelError('eks', 'InvalidParameterException', 'The username must have a : before {{SessionName}}');
	}
}

function defaultUsername(principal) {
	if (principal.kind === 'user') return principal.arn;
	return `arn:${PARTITION}:sts::${principal.account}:assumed-role/${principal.name}/{{SessionName}}`;
}

function principalFor(state, arn) {
	const principal = state.principals.get(arn);
	if (!principal) {
		throw modelError(
			'eks',
			'InvalidParameterException',
			'The specified principalArn is invalid: invalid principal.',
		);
	}
	return principal;
}

// A clientRequestToken that was used answers with what it made then; other parameters under it are an error.
function once(cluster, input, make) {
	const token = input.clientRequestToken;
	const before = token === undefined ? undefined : cluster.requestTokens.get(token);
	if (before && before.input !== JSON.stringify(input)) {
		throw modelError('eks', 'InvalidParameterException', 'The clientRequestToken was used with other parameters');
	}
	if (before) return before.answer;
	const answer = make();
	if (token !== undefined) cluster.requestTokens.set(token, { input: JSON.stringify(input), answer });
	return answer;
}

export const operations = {
	ListClusters(context, input) {
		if (input.include?.some((word) => word !== 'all')) {
			throw modelError('eks', 'InvalidParameterException', 'include must be all');
		}
		const { state, caller, region } = context;
		const kind = `clusters ${caller.account} ${region}`;
		const names = clustersOf(state, caller.account, region).map((cluster) => cluster.name);
		const { part, token } = paginate(kind, names, input, state.settings, (text) =>
			modelError('eks', 'InvalidParameterException', text),
		);
		return { clusters: part, nextToken: token ?? null };
	},

	DescribeCluster(context, { name }) {
		return { cluster: describe(clusterOf(context, name)) };
	},

	ListAccessEntries(context, input) {
		const cluster = withEntries(context, input.clusterName);
		const arns = [...cluster.entries.values()]
			.filter(isSeen)
			.filter((entry) => !input.associatedPolicyArn || entry.policies.has(input.associatedPolicyArn))
			.map((entry) => entry.principalArn)
			.sort();
		const { part, token } = paginate(
			`entries ${cluster.arn}`,
			arns,
			input,
			context.state.settings,
			(text) => modelError('eks', 'InvalidParameterException', text),
		);
		return { accessEntries: part, nextToken: token ?? null };
	},

	DescribeAccessEntry(context, input) {
		return { accessEntry: showEntry(entryOf(context, input).entry) };
	},

	CreateAccessEntry(context, input) {
		const { state, region } = context;
		const cluster = withEntries(context, input.clusterName);
		return once(cluster, input, () => {
			const principal = principalFor(state, input.principalArn);
			checkGroups(input.kubernetesGroups);
			checkUsername(input.username);
			const type = input.type ?? 'STANDARD';
			if (!TYPES.includes(type))
				throw modelError('eks', 'InvalidParameterException', `The type ${type} is not valid`);
			if (type !== 'STANDARD' && (input.kubernetesGroups?.length || input.username)) {
				throw modelError(
					'eks',
					'InvalidParameterException',
					`Groups and username are not supported for type ${type}`,
				);
			}
			if (isTaken(cluster, principal.arn)) {
				throw modelError(
					'eks',
					'ResourceInUseException',
					'The specified access entry resource is already in use on this cluster.',
					{ clusterName: cluster.name },
				);
			}
			const path = `${principal.kind}/${principal.account}/${principal.name}`;
			const time = now(state) / 1000;
			const entry = {
				clusterName: cluster.name,
				principalArn: principal.arn,
				kubernetesGroups: input.kubernetesGroups ?? [],
				accessEntryArn: `arn:${PARTITION}:eks:${region}:${cluster.account}:access-entry/${cluster.name}/${path}/${randomUUID()}`,
				createdAt: time,
				modifiedAt: time,
				tags: input.tags ?? {},
				username: input.username ?? defaultUsername(principal),
				type,
				principalId: principal.userId,
				policies: new Map(),
			};
			cluster.entries.set(principal.arn, entry);
			noteMade(state, entry);
			return { accessEntry: showEntry(entry) };
		});
	},

	UpdateAccessEntry(context, input) {
		const { cluster, entry } = entryOf(context, input);
		return once(cluster, input, () => {
			checkGroups(input.kubernetesGroups);
			checkUsername(input.username);
			if (input.kubernetesGroups) entry.kubernetesGroups = input.kubernetesGroups;
			if (input.username) entry.username = input.username;
			entry.modifiedAt = now(context.state) / 1000;
			return { accessEntry: showEntry(entry) };
		});
	},

	DeleteAccessEntry(context, input) {
		const { cluster, entry } = entryOf(context, input);
		if (isDeleted(entry)) throw noEntry(cluster);
		deleteEntry(context.state, cluster, entry);
		return {};
	},

	AssociateAccessPolicy(context, input) {
		const { cluster, entry } = entryOf(context, input);
		if (!POLICIES.some((name) => policyArn(name) === input.policyArn)) {
			throw modelError('eks', 'InvalidParameterException', 'The policyArn parameter format is not valid');
		}
		if (entry.type !== 'STANDARD') {
			throw modelError(
				'eks',
				'InvalidRequestException',
				'Access policies can be associated only to entries of type STANDARD',
			);
		}
		if (input.accessScope.type === undefined)
			throw modelError('eks', 'InvalidParameterException', 'accessScope.type is required');
		if (input.accessScope.type === 'namespace' && !input.accessScope.namespaces?.length) {
			throw modelError('eks', 'InvalidParameterException', 'At least one namespace must be specified');
		}
		const time = now(context.state) / 1000;
		const before = entry.policies.get(input.policyArn);
		const policy = {
			policyArn: input.policyArn,
			accessScope: { type: input.accessScope.type, namespaces: input.accessScope.namespaces ?? [] },
			associatedAt: before?.associatedAt ?? time,
			modifiedAt: time,
		};
		entry.policies.set(input.policyArn, policy);
		if (!before) noteMade(context.state, policy);
		return { clusterName: cluster.name, principalArn: entry.principalArn, associatedAccessPolicy: policy };
	},

	DisassociateAccessPolicy(context, input) {
		const { entry } = entryOf(context, input);
		if (!entry.policies.delete(input.policyArn)) {
			throw modelError(
				'eks',
				'ResourceNotFoundException',
				'The specified policy is not associated to this access entry',
			);
		}
		return {};
	},

	ListAssociatedAccessPolicies(context, input) {
		const { cluster, entry } = entryOf(context, input);
		const { part, token } = paginate(
			`policies ${entry.accessEntryArn}`,
			[...entry.policies.keys()].sort(),
			input,
			{ pageSize: 100 },
			(text) => modelError('eks', 'InvalidParameterException', text),
		);
		return {
			clusterName: cluster.name,
			principalArn: entry.principalArn,
			nextToken: token ?? null,
			associatedAccessPolicies: part.map((arn) => entry.policies.get(arn)),
		};
	},

	ListAccessPolicies() {
		return { accessPolicies: POLICIES.map((name) => ({ name, arn: policyArn(name) })), nextToken: null };
	},

	ListTagsForResource(context, { resourceArn }) {
		return { tags: tagged(context, resourceArn).tags };
	},

	TagResource(context, { resourceArn, tags }) {
		const reserved = Object.keys(tags).find((key) => key.startsWith('aws:'));
		if (reserved)
			throw modelError('eks', 'BadRequestException', `Tag key ${reserved} starts with the reserved prefix aws:`);
		const cluster = tagged(context, resourceArn);
		Object.assign(cluster.tags, tags);
		if (cluster.tagHistory) noteTags(cluster);
		return {};
	},

	UntagResource(context, { resourceArn, tagKeys }) {
		const cluster = tagged(context, resourceArn);
		for (const key of tagKeys) delete cluster.tags[key];
		if (cluster.tagHistory) noteTags(cluster);
		return {};
	},
};

function tagged({ state, caller, region }, arn) {
	const m = /^arn:aws:eks:([^:]+):(\d{12}):cluster\/([^/]+)$/.exec(arn);
	const cluster =
		m && m[1] === region && m[2] === caller.account
			? state.clusters.get(clusterKey(m[2], m[1], m[3]))
			: [...state.clusters.values()]
					.filter((c) => c.account === caller.account && c.region === region)
					.flatMap((c) => [...c.entries.values()])
					.find((entry) => entry.accessEntryArn === arn);
	if (!cluster) throw modelError('eks', 'NotFoundException', `Resource ${arn} was not found`);
	return cluster;
}

// What IAM names as the resource of a call, for policies and for the words of a denial.
export function resourceOf({ caller, region }, operation, input) {
	const base = `arn:${PARTITION}:eks:${region}:${caller.account}`;
	if (input.resourceArn) return input.resourceArn;
	return operation === 'ListClusters' ? `${base}:cluster/*` : `${base}:cluster/${input.clusterName ?? input.name}`;
}

// Everything a call needs leave for: tags in a creation are a permission of their own.
export function actionsOf(operation, input) {
	const tagging = operation === 'CreateAccessEntry' && Object.keys(input.tags ?? {}).length > 0;
	return tagging ? [`eks:${operation}`, 'eks:TagResource'] : [`eks:${operation}`];
}
