// The control endpoint of the AWS simulator: JSON over HTTP on a port of its own. Every route is a row of the table below;
// `--help` prints it.
import { AwsError } from './model.mjs';
import { putOrganization } from './organizations.mjs';
import {
	createSession,
	deleteCluster,
	findCluster,
	permissionFor,
	putAccount,
	putCluster,
	putRole,
	putUser,
	recreateRole,
} from './state.mjs';
import { existing, heeded } from './visibility.mjs';
import { verifyToken } from './verifier.mjs';

function showUser(user) {
	return { arn: user.arn, accessKeyId: user.accessKeyId, secretAccessKey: user.secret };
}

function showCluster(cluster) {
	// accessEntries is what the API server heeds, allEntries what there is.
	const { entries, requestTokens, tagHistory, ...shown } = cluster;
	return {
		...shown,
		accessEntries: heeded(cluster),
		allEntries: existing(cluster),
	};
}

function needCluster(state, [account, region, name]) {
	const cluster = findCluster(state, account, region, name);
	if (!cluster) throw Object.assign(new Error(`no cluster ${account}/${region}/${name}`), { status: 404 });
	return cluster;
}

function setEntry(state, cluster, { principalArn, kubernetesGroups = [], username, policies = [], tags = {} }) {
	const principal = state.principals.get(principalArn);
	if (!principal) throw new Error(`no principal ${principalArn}`);
	const name =
		principal.kind === 'user'
			? principal.arn
			: `arn:aws:sts::${principal.account}:assumed-role/${principal.name}/{{SessionName}}`;
	const time = Date.now() / 1000;
	cluster.entries.set(principalArn, {
		clusterName: cluster.name,
		principalArn,
		kubernetesGroups,
		username: username ?? name,
		type: 'STANDARD',
		tags,
		accessEntryArn:
			`arn:aws:eks:${cluster.region}:${cluster.account}:access-entry/${cluster.name}/${principal.kind}` +
			`/${principal.account}/${principal.name}/0`,
		createdAt: time,
		modifiedAt: time,
		principalId: principal.userId,
		policies: new Map(
			policies.map((arn) => [
				arn,
				{
					policyArn: arn,
					accessScope: { type: 'cluster', namespaces: [] },
					associatedAt: time,
					modifiedAt: time,
				},
			]),
		),
	});
	return cluster;
}

function removeEntry(cluster, principalArn) {
	cluster.entries.delete(principalArn);
	return cluster;
}

// [method, path with labels, help, (simulator, labels, body) -> answer]
export const routes = [
	['GET', '/calls', 'calls so far, per operation, account and region', ({ faults }) => faults.counts()],
	['DELETE', '/calls', 'forget the counts', ({ faults }) => faults.resetCounts() ?? {}],
	[
		'PUT',
		'/settings',
		'{pageSize, shiftingPages, delayMs, skewMs, sessionSeconds, sessionTokenBytes, tokenHosts, tagDelayMs, tagEmptyPages, entryDelayMs}',
		({ state }, labels, body) => Object.assign(state.settings, body),
	],
	[
		'PUT',
		'/accounts/ID',
		'{regions: {NAME: STATUS}}',
		({ state }, [id], body) => {
			const account = putAccount(state, id, body);
			return { id, regions: Object.fromEntries(account.regions) };
		},
	],
	[
		'PUT',
		'/organization',
		'{id, management, root, units: {ID: PARENT}, accounts: {ID: {parent, state?}}}: in place of what was there',
		({ state }, labels, body) => putOrganization(state, body),
	],
	[
		'PUT',
		'/users/ACCOUNT/NAME',
		'{permissions: [{effect, action, region?, resource?}]} -> keys',
		({ state }, [account, name], body) => showUser(putUser(state, account, name, body)),
	],
	[
		'PUT',
		'/roles/ACCOUNT/NAME',
		'{path?, trust: [{principal, externalId?}], permissions, maxDuration?} -> arn, userId: its unique id',
		({ state }, [account, name], body) => {
			const { arn, userId } = putRole(state, account, name, body);
			return { arn, userId };
		},
	],
	[
		'POST',
		'/roles/recreate',
		'{arn}: same ARN, another unique id',
		({ state }, labels, { arn }) => recreateRole(state, arn) ?? {},
	],
	[
		'POST',
		'/sessions',
		'{roleArn, sessionName, seconds}: credentials of a session',
		({ state }, labels, body) => {
			const session = createSession(
				state,
				state.principals.get(body.roleArn),
				body.sessionName,
				body.seconds ?? 3600,
			);
			return { accessKeyId: session.accessKeyId, secretAccessKey: session.secret, sessionToken: session.token };
		},
	],
	['GET', '/clusters', 'all clusters', ({ state }) => [...state.clusters.values()].map(showCluster)],
	[
		'GET',
		'/clusters/ACCOUNT/REGION/NAME',
		'one cluster with its access entries',
		({ state }, at) => showCluster(needCluster(state, at)),
	],
	[
		'PUT',
		'/clusters/ACCOUNT/REGION/NAME',
		'{endpoint, certificateAuthority, tags, status, authenticationMode, ...}: create or change',
		({ state }, [account, region, name], body) => showCluster(putCluster(state, account, region, name, body)),
	],
	[
		'DELETE',
		'/clusters/ACCOUNT/REGION/NAME',
		'gone at once; first PUT {status: DELETING} for the way there',
		({ state }, [account, region, name]) => ({ deleted: deleteCluster(state, account, region, name) }),
	],
	[
		'PUT',
		'/clusters/ACCOUNT/REGION/NAME/access-entries',
		'{principalArn, kubernetesGroups, username?, policies?, tags?}',
		({ state }, at, body) => showCluster(setEntry(state, needCluster(state, at), body)),
	],
	[
		'DELETE',
		'/clusters/ACCOUNT/REGION/NAME/access-entries',
		'{principalArn}: somebody deletes it',
		({ state }, at, { principalArn }) => showCluster(removeEntry(needCluster(state, at), principalArn)),
	],
	[
		'POST',
		'/faults',
		'{kind, operation?, account?, region?, cluster?, times?, ...}',
		({ faults }, labels, body) => faults.addFault(body),
	],
	[
		'POST',
		'/throttles',
		'{operation?, account?, region?, rate, burst, code?}',
		({ faults }, labels, body) => faults.addThrottle(body),
	],
	['GET', '/faults', 'faults and throttles with their hits', ({ faults }) => faults.list()],
	['DELETE', '/faults', 'no more faults and throttles', ({ faults }) => faults.clear() ?? {}],
	[
		'POST',
		'/permission',
		'{principalArn, action, region}: allow, deny or none',
		({ state }, labels, body) => ({
			permission: permissionFor(state, body.principalArn, body),
		}),
	],
	[
		'POST',
		'/verify-token',
		'{token, cluster}: what aws-iam-authenticator finds',
		({ state }, labels, { token, cluster }) => {
			try {
				return verifyToken(state, token, cluster);
			} catch (error) {
				if (!(error instanceof AwsError)) throw error;
				return { error: `${error.code}: ${error.message}` };
			}
		},
	],
];
