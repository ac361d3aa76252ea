// What every scenario stands on: a simulated AWS with two accounts and three regions, API servers for the clusters in them,
// and one configuration file for both daemons. The daemons themselves: daemons.mjs; what tests call: harness.mjs.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startSimulator } from '../sim/start.mjs';

export const OWN = '111111111111';
export const OTHER = '222222222222';
export const EXTERNAL_ID = 'eksgate-test-external-id';
export const REGIONS = ['eu-west-1', 'us-east-1', 'us-west-2'];

// What is there at the start; the configuration matches all but the first's neighbour "dev-1".
export const CLUSTERS = [
	{ account: OWN, region: 'eu-west-1', name: 'prod-1', tags: { env: 'prod', team: 'web' } },
	{ account: OWN, region: 'eu-west-1', name: 'dev-1', tags: { env: 'dev' } },
	{ account: OWN, region: 'us-east-1', name: 'prod-2', tags: { env: 'prod' } },
	{ account: OTHER, region: 'eu-west-1', name: 'shared', tags: { env: 'prod' } },
	{ account: OTHER, region: 'us-west-2', name: 'staging', tags: { env: 'staging' } },
];

const ROLES = `kind: role
version: v8
metadata: {name: developer}
spec:
  allow:
    kubernetes_labels: {'*': '*'}
    kubernetes_groups: [developers]
---
kind: role
version: v8
metadata: {name: viewer}
spec:
  allow:
    kubernetes_labels: {env: prod}
    kubernetes_groups: [viewers]
---
kind: role_binding
version: v1
metadata: {name: developers}
spec: {roles: [developer], groups: [engineering]}
---
kind: role_binding
version: v1
metadata: {name: viewers}
spec: {roles: [viewer], users: [victor]}
`;

// The name under which people know a cluster.
export function nameOf({ name, region, account }) {
	return `${name}-eks-${region}-${account}`;
}

export function idOf({ name, region, account }) {
	return `${account}.${region}.${name}`;
}

export const MATCHED = CLUSTERS.filter((cluster) => cluster.name !== 'dev-1')
	.map(nameOf)
	.sort();

export class World {
	constructor() {
		this.directory = mkdtempSync(join(tmpdir(), 'eksgate-'));
		this.daemons = []; // all that were started
		this.asanOptions = '';
	}

	path(...names) {
		return join(this.directory, ...names);
	}

	async open(clusters = CLUSTERS) {
		this.awsSimulator = await startSimulator('aws');
		this.kubeSimulator = await startSimulator('kube', ['--aws', this.awsSimulator.ready.control]);
		this.aws = this.awsSimulator.control;
		this.kube = this.kubeSimulator.control;
		await this.makePrincipals();
		for (const cluster of clusters) await this.addCluster(cluster);
		for (const name of ['state', 'bus', 'admin', 'roles.d', 'cache', 'run', 'tls', 'audit'])
			mkdirSync(this.path(name), { mode: 0o700 });
		writeFileSync(this.path('roles.d', 'roles.yaml'), ROLES);
		this.config = this.makeConfig();
		this.writeConfig();
	}

	// One identity discovers, another serves; in the other account a role must be assumed with an external id.
	async makePrincipals() {
		const reads = [
			{ effect: 'Allow', action: 'eks:ListClusters' },
			{ effect: 'Allow', action: 'eks:DescribeCluster' },
			{ effect: 'Allow', action: 'tag:GetResources' },
		];
		this.roleArn = `arn:aws:iam::${OTHER}:role/eksgate-discover`;
		this.discoveryUser = await this.aws('PUT', `/users/${OWN}/discovery`, {
			permissions: [
				...reads,
				{ effect: 'Allow', action: 'account:ListRegions' },
				{ effect: 'Allow', action: 'sts:AssumeRole', resource: this.roleArn },
			],
		});
		await this.aws('PUT', `/roles/${OTHER}/eksgate-discover`, {
			trust: [{ principal: this.discoveryUser.arn, externalId: EXTERNAL_ID }],
			permissions: reads,
		});
		this.proxyUser = await this.aws('PUT', `/users/${OWN}/proxy`, { permissions: [] });
	}

	// In AWS and as an API server, with an access entry for the proxy. `seed` false: without that entry; `rbac` false: without
	// the ClusterRole and binding that it needs there.
	async addCluster(cluster, { seed = true, rbac = true, pki, authenticationMode } = {}) {
		const { account, region, name, tags } = cluster;
		const place = await this.kube('PUT', `/clusters/${idOf(cluster)}`, { account, region, name, pki, rbac });
		await this.putCluster(cluster, {
			tags,
			endpoint: place.endpoint,
			certificateAuthority: place.certificateAuthority,
			...(authenticationMode && { authenticationMode }),
		});
		if (seed) await this.grant(cluster);
		return nameOf(cluster);
	}

	grant({ account, region, name }) {
		return this.aws('PUT', `/clusters/${account}/${region}/${name}/access-entries`, {
			principalArn: this.proxyUser.arn,
			kubernetesGroups: ['eksgate:proxy'],
		});
	}

	putCluster({ account, region, name }, fields) {
		return this.aws('PUT', `/clusters/${account}/${region}/${name}`, fields);
	}

	deleteCluster({ account, region, name }) {
		return this.aws('DELETE', `/clusters/${account}/${region}/${name}`);
	}

	// Under its name again, with another creation time, authority and endpoint.
	async recreateCluster(cluster) {
		await this.deleteCluster(cluster);
		await this.kube('DELETE', `/clusters/${idOf(cluster)}`);
		return this.addCluster(cluster);
	}

	// The control of one API server: api(cluster)('GET', '/requests').
	api(cluster) {
		return (method, path, body) => this.kube(method, `/clusters/${idOf(cluster)}${path}`, body);
	}

	async received(cluster) {
		return this.api(cluster)('GET', '/requests');
	}

	makeConfig() {
		const uid = [String(process.getuid())];
		return {
			version: 'v3',
			discovery_service: {
				enabled: true,
				discovery_group: 'test',
				poll_interval: '1s',
				aws: [
					{ types: ['eks'], regions: REGIONS, tags: { env: 'prod' } },
					{
						types: ['eks'],
						regions: REGIONS,
						tags: { env: ['prod', 'staging'] },
						assume_role_arn: this.roleArn,
						external_id: EXTERNAL_ID,
					},
				],
			},
			kubernetes_service: { enabled: true, listen_addr: '127.0.0.1:0', resources: [{ labels: { '*': '*' } }] },
			eksgate: {
				log: { level: 'debug' },
				state_dir: this.path('state'),
				bus: { socket: this.path('bus', 'bus.sock'), proxy_users: uid, tap_users: uid },
				discovery: { admin_socket: this.path('admin', 'admin.sock'), describe_age: '1s' },
				proxy: {
					tls: { certificate: this.path('tls', 'server.pem'), key: this.path('tls', 'server-key.pem') },
					client_ca: this.path('tls', 'client-ca.pem'),
					client_ca_key: this.path('tls', 'client-ca-key.pem'),
					roles_dir: this.path('roles.d'),
					locks_file: this.path('locks.json'),
					cache_dir: this.path('cache'),
					run_dir: this.path('run'),
					audit: { directory: this.path('audit') },
					recording: { dir: this.path('recordings') },
					// What arrives at an API server is what a scenario sent.
					probe_interval: '0s',
				},
				test: { token_sts_host: this.awsSimulator.ready.sts_host, endpoint_suffix: '127.0.0.1' },
			},
		};
	}

	// JSON is YAML: what is written is this.config as it stands.
	writeConfig() {
		writeFileSync(this.path('eksgate.yaml'), `${JSON.stringify(this.config, null, 2)}\n`);
	}

	environment({ accessKeyId, secretAccessKey }) {
		return {
			PATH: process.env.PATH,
			HOME: this.directory,
			TZ: 'UTC',
			AWS_ENDPOINT_URL: this.awsSimulator.ready.endpoint,
			AWS_ACCESS_KEY_ID: accessKeyId,
			AWS_SECRET_ACCESS_KEY: secretAccessKey,
			AWS_REGION: REGIONS[0],
			AWS_EC2_METADATA_DISABLED: 'true',
			ASAN_OPTIONS: `${process.env.ASAN_OPTIONS ?? 'detect_leaks=1:exitcode=99'}:${this.asanOptions}`,
			UBSAN_OPTIONS: process.env.UBSAN_OPTIONS ?? 'print_stacktrace=1',
		};
	}

	async close() {
		await this.kubeSimulator?.stop();
		await this.awsSimulator?.stop();
		rmSync(this.directory, { recursive: true, force: true });
	}
}
