// EKS access by hand: a proxy that is not ours to test here. It says over the bus what a kubeproxyd would find, by what the AWS
// simulator knows of entries, policies and tokens, and does what tasks ask for.
import assert from 'node:assert/strict';
import { Running, until } from '../clients/run.mjs';
import { binary } from './daemons.mjs';
import { EXTERNAL_ID, nameOf, OTHER, OWN } from './world.mjs';

export const ACTIONS = [
	'eks:DescribeAccessEntry',
	'eks:CreateAccessEntry',
	'eks:UpdateAccessEntry',
	'eks:DeleteAccessEntry',
	'eks:AssociateAccessPolicy',
	'eks:TagResource',
];
export const GROUP = 'eksgate:proxy';
export const ADMIN = 'arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy';
const READS = ['eks:ListClusters', 'eks:DescribeCluster', 'tag:GetResources', 'account:ListRegions', 'sts:AssumeRole'];
const LOOK_MS = 100;

// Every step that discoveryd's journal knows: of whose entry, and which.
export const ACCESS_STEPS = [
	['lasting', 'creating'],
	['lasting', 'created'],
	['temporary', 'creating'],
	['temporary', 'created'],
	['temporary', 'granting'],
	['temporary', 'granted'],
	['temporary', 'deleting'],
	['temporary', 'cleared'],
];

// The role P that the proxy acts as, with a path, and what discoveryd may do. EKS is slow by `delayMs`.
export async function setUpAccess(world, { denied, mode, delayMs = 0, settle = '1s', setup = true } = {}) {
	const serve = await world.aws('PUT', `/roles/${OWN}/eksgate-serve`, { path: '/team/', trust: [], permissions: [] });
	world.serveArn = serve.arn;
	await permit(world, denied);
	await world.aws('PUT', '/settings', { entryDelayMs: delayMs });
	for (const matcher of world.config.discovery_service.aws) {
		if (setup) matcher.setup_access_for_arn = serve.arn;
	}
	world.config.eksgate.access = { settle, ...(mode && { mode }) };
	world.writeConfig();
}

// After setUpAccess(): kubeproxyd assumes the role P.
export async function setUpServing(world) {
	await world.aws('PUT', `/roles/${OWN}/eksgate-serve`, {
		path: '/team/',
		trust: [{ principal: world.proxyUser.arn }],
		permissions: [],
	});
	await world.aws('PUT', `/users/${OWN}/proxy`, { permissions: [{ effect: 'Allow', action: 'sts:AssumeRole' }] });
	world.config.kubernetes_service.resources = [{ labels: { '*': '*' }, aws: { assume_role_arn: world.serveArn } }];
	world.writeConfig();
}

// All that access needs; `denied`: [[action, name of the cluster]].
export async function permit(world, denied = []) {
	const permissions = [
		...[...READS, ...ACTIONS].map((action) => ({ effect: 'Allow', action })),
		...denied.map(([action, name]) => ({ effect: 'Deny', action, resource: `*:cluster/${name}` })),
	];
	await world.aws('PUT', `/users/${OWN}/discovery`, { permissions });
	await world.aws('PUT', `/roles/${OTHER}/eksgate-discover`, {
		trust: [{ principal: world.discoveryUser.arn, externalId: EXTERNAL_ID }],
		permissions,
	});
}

// A cluster without any access entry.
export function addBare(world, cluster, fields = {}) {
	return world
		.putCluster(cluster, {
			tags: { env: 'prod' },
			endpoint: `https://127.0.0.1:1`,
			certificateAuthority: world.authority,
			authenticationMode: 'API',
			...fields,
		})
		.then(() => nameOf(cluster));
}

export function bare(name, account = OWN, region = 'eu-west-1') {
	return { account, region, name };
}

// What there is in AWS, seen or not.
export async function entries(world, { account, region, name }) {
	return (await world.aws('GET', `/clusters/${account}/${region}/${name}`)).allEntries;
}

export async function entryOf(world, cluster, arn = world.serveArn) {
	return (await entries(world, cluster)).find((entry) => entry.principalArn === arn);
}

export async function assertNobodyIsAdmin(world, clusters) {
	for (const cluster of clusters) {
		const admins = (await entries(world, cluster)).filter((entry) => entry.policies.length > 0);
		assert.deepEqual(admins, [], `${cluster.name} has no cluster-admin entry`);
	}
}

// Until status.access of the cluster matches.
export function untilAccess(discoveryd, cluster, pattern, options) {
	return until(
		`access of ${cluster.name} is ${pattern}`,
		async () => {
			const found = (await discoveryd.clusters()).find((item) => item.metadata.name === nameOf(cluster));
			if (!pattern.test(found?.status.access ?? '')) throw new Error(`it is ${found?.status.access}`);
			return found;
		},
		options,
	);
}

export class HandProxy extends Running {
	// `reaches(cluster)`: whether it gets through; `clusters`: those it serves, more may be pushed.
	constructor(world, instance, clusters, { reaches = () => true, rbac = new Set(), answers = true } = {}) {
		const { socket } = world.config.eksgate.bus;
		super(binary('tests/bus_peer'), [socket, world.config.discovery_service.discovery_group, instance], {
			env: world.environment(world.proxyUser),
			stdin: 'pipe',
		});
		Object.assign(this, { world, clusters, reaches, rbac, answers, tasks: [], sent: new Map(), at: 0 });
		this.child.stdin.on('error', () => {});
		this.child.stdout.on('data', () => this.take());
		this.timer = setInterval(() => this.look().catch(() => {}), LOOK_MS);
		this.ended.then(() => clearInterval(this.timer));
		world.daemons.push(this);
	}

	// As the harness ends daemons.
	async stop() {
		clearInterval(this.timer);
		this.child.stdin.end();
		await this.ended;
		this.isDone = true;
	}

	kill(signal) {
		clearInterval(this.timer);
		if (!this.isEnded) this.child.kill(signal);
		return this.ended;
	}

	say(type, body) {
		this.child.stdin.write(`${type} ${JSON.stringify(body)}\n`);
	}

	take() {
		for (let end = this.stdout.indexOf('\n', this.at); end >= 0; end = this.stdout.indexOf('\n', this.at)) {
			const event = JSON.parse(this.stdout.slice(this.at, end));
			this.at = end + 1;
			if (event.live) this.sent.clear();
			if (event.task) this.perform({ ...event.task, body: JSON.parse(event.task.body) });
		}
	}

	// What the API server says to a principal: 401, 403 or 200.
	async ask({ account, region, name }, isPrincipal) {
		const { accessEntries } = await this.world.aws('GET', `/clusters/${account}/${region}/${name}`);
		const entry = accessEntries.find(isPrincipal);
		const isAdmin = entry?.policies.some((policy) => policy.policyArn === ADMIN) ?? false;
		const key = `${account}/${region}/${name}`;
		const isBound = (entry?.kubernetesGroups.includes(GROUP) && this.rbac.has(key)) ?? false;
		return { isKnown: entry !== undefined, isAdmin, isPermitted: isAdmin || isBound, key };
	}

	async find(cluster) {
		const { createdAt } = await this.world.aws(
			'GET',
			`/clusters/${cluster.account}/${cluster.region}/${cluster.name}`,
		);
		const isReached = this.reaches(cluster);
		const answer = (yes) => (isReached ? (yes ? 'yes' : 'no') : 'unknown');
		const { isKnown, isPermitted } = await this.ask(cluster, (e) => e.principalArn === this.world.serveArn);
		const code = !isReached ? 'timeout' : !isKnown ? 'unauthenticated' : !isPermitted ? 'forbidden' : 'ok';
		return {
			name: nameOf(cluster),
			created_ms: Math.round(createdAt * 1000),
			serving: true,
			principal: this.principal ?? this.world.serveArn,
			exact: true,
			reachable: isReached ? 'yes' : 'no',
			authenticated: answer(isKnown),
			permitted: answer(isPermitted),
			healthy: answer(true),
			...(code === 'forbidden' && { denied: [{ verb: 'impersonate', resource: 'users' }] }),
			code,
			text: `the hand proxy says ${code}`,
			checked_ms: 1,
		};
	}

	async report(cluster, isForced = false) {
		const report = await this.find(cluster);
		const text = JSON.stringify(report);
		if (!isForced && this.sent.get(report.name) === text) return report;
		this.sent.set(report.name, text);
		this.say('report', { ...report, checked_ms: Date.now() });
		return report;
	}

	async look() {
		if (this.isLooking || !this.stdout.includes('{"live":true}')) return;
		this.isLooking = true;
		try {
			for (const cluster of this.clusters) await this.report(cluster);
		} finally {
			this.isLooking = false;
		}
	}

	async perform(task) {
		this.tasks.push(task);
		if (!this.answers) return;
		const cluster = this.clusters.find((one) => nameOf(one) === task.cluster);
		const result = cluster
			? await this[task.kind](cluster, task.body)
			: { ok: false, code: 'not-served', text: 'not served here' };
		this.say('result', { nonce: task.nonce, ...result });
	}

	// Tries `look` until it gives a result or the time is over.
	async retry(timeoutMs, look) {
		const end = Date.now() + timeoutMs;
		for (;;) {
			const result = await look();
			if (result.ok || Date.now() + LOOK_MS > end) return result;
			await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
		}
	}

	async check(cluster, { timeout_ms, wait }) {
		const result = await this.retry(wait ? timeout_ms : 0, async () => {
			const { permitted, code } = await this.report(cluster, true);
			return { ok: permitted === 'yes', code, text: 'looked' };
		});
		return { ...result, code: result.ok ? 'ok' : result.code === 'timeout' ? 'unreachable' : result.code };
	}

	async apply_rbac(cluster, { timeout_ms, token }) {
		if (!this.reaches(cluster)) return { ok: false, code: 'unreachable', text: 'no answer' };
		const caller = await this.world.aws('POST', '/verify-token', { token, cluster: cluster.name });
		if (caller.error) return { ok: false, code: 'unauthenticated', text: caller.error };
		return this.retry(Math.min(timeout_ms, this.applyMs ?? 5000), async () => {
			const { isKnown, isAdmin, key } = await this.ask(
				cluster,
				(entry) => entry.principalId === caller.userId.split(':')[0],
			);
			if (isAdmin) this.rbac.add(key);
			return { ok: isAdmin, code: isAdmin ? 'ok' : isKnown ? 'forbidden' : 'unauthenticated', text: 'applied' };
		});
	}
}
