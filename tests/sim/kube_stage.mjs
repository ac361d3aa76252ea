// What the tests of the API-server simulator stand on: both simulators, one cluster, two principals, and a kubeconfig that
// names them "admin" (contexts "one") and "proxy".
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { kubectlPath } from '../clients/kubectl.mjs';
import { run, Running } from '../clients/run.mjs';
import { mintToken } from './clients.mjs';
import { startSimulator } from './start.mjs';

export const ACCOUNT = '111111111111';
export const REGION = 'eu-west-1';
const ADMIN = 'arn:aws:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy';

async function addPrincipals(aws) {
	const cluster = `/clusters/${ACCOUNT}/${REGION}/one`;
	const admin = await aws.control('PUT', `/users/${ACCOUNT}/admin`, {});
	const proxyUser = await aws.control('PUT', `/users/${ACCOUNT}/proxy`, {});
	await aws.control('PUT', `${cluster}/access-entries`, { principalArn: admin.arn, policies: [ADMIN] });
	await aws.control('PUT', `${cluster}/access-entries`, {
		principalArn: proxyUser.arn,
		kubernetesGroups: ['eksgate:proxy'],
	});
	return { admin, proxyUser };
}

function kubeconfigFor(place, tokens) {
	return {
		apiVersion: 'v1',
		kind: 'Config',
		'current-context': 'one',
		clusters: [
			{
				name: 'one',
				cluster: { server: place.endpoint, 'certificate-authority-data': place.certificateAuthority },
			},
		],
		users: Object.entries(tokens).map(([name, token]) => ({ name, user: { token } })),
		contexts: [
			{ name: 'one', context: { cluster: 'one', user: 'admin' } },
			{ name: 'proxy', context: { cluster: 'one', user: 'proxy' } },
		],
	};
}

// {directory: for files; aws, kube: the simulators; place; proxyUser; mint(user, cluster); api(method, path, body); kubectl and start(words,
// options), where options.minor chooses the kubectl; close()}
export async function openStage() {
	const directory = mkdtempSync(join(tmpdir(), 'eksgate-kube-'));
	const kubeconfig = join(directory, 'config');
	const aws = await startSimulator('aws');
	const kube = await startSimulator('kube', ['--aws', aws.ready.control]);
	const place = await kube.control('PUT', '/clusters/one', { account: ACCOUNT, region: REGION });
	await aws.control('PUT', `/clusters/${ACCOUNT}/${REGION}/one`, {
		endpoint: place.endpoint,
		certificateAuthority: place.certificateAuthority,
	});
	const { admin, proxyUser } = await addPrincipals(aws);
	const mint = ({ accessKeyId, secretAccessKey }, cluster = 'one') =>
		mintToken({ credentials: { accessKeyId, secretAccessKey }, region: REGION, host: aws.ready.sts_host, cluster });
	const config = kubeconfigFor(place, { admin: mint(admin), proxy: mint(proxyUser) });
	writeFileSync(kubeconfig, JSON.stringify(config));
	const args = (words, minor) => [
		'--kubeconfig',
		kubeconfig,
		'--cache-dir',
		join(directory, `cache-${minor ?? 'newest'}`),
		...words,
	];
	return {
		directory,
		aws,
		kube,
		place,
		proxyUser,
		mint,
		api: (method, path, body) => kube.control(method, `/clusters/one${path}`, body),
		kubectl: (words, { minor, ...options } = {}) => run(kubectlPath(minor), args(words, minor), options),
		start: (words, { minor, ...options } = {}) => new Running(kubectlPath(minor), args(words, minor), options),
		async close() {
			await kube.stop();
			await aws.stop();
			rmSync(directory, { recursive: true });
		},
	};
}
