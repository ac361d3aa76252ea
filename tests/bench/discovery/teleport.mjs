// Teleport's discovery of EKS clusters, as its source has it, driven by the AWS SDK for JavaScript: one fetcher a matcher, five
// at a time; in each the regions in turn; in each region every page of ListClusters and a DescribeCluster of every name, five
// at a time. Prints {clusters, seconds, cpu} and ends. Started by measures.mjs with {endpoint, key, secret, accounts}.
import { DescribeClusterCommand, EKSClient, paginateListClusters } from '@aws-sdk/client-eks';
import aws4 from 'aws4';

const FETCHERS = 5;
const DESCRIBES = 5;
const GLOBAL_REGION = 'us-east-1';
const { endpoint, key, secret, accounts } = JSON.parse(process.argv[2]);
const host = new URL(endpoint).host;

// What the SDK's packages for STS and Account Management would send.
async function call(service, credentials, path, body, contentType) {
	const headers = { 'content-type': contentType, accept: 'application/json' };
	const request = { host, service, region: GLOBAL_REGION, method: 'POST', path, body, headers };
	const signed = aws4.sign(request, credentials);
	const { Host, 'Content-Length': length, ...rest } = signed.headers;
	const response = await fetch(endpoint + path, { method: 'POST', body, headers: rest });
	return response.json();
}

async function assumeRole(account) {
	const form = new URLSearchParams({
		Action: 'AssumeRole',
		Version: '2011-06-15',
		RoleArn: `arn:aws:iam::${account}:role/eksgate-discover`,
		RoleSessionName: 'teleport',
	});
	const credentials = { accessKeyId: key, secretAccessKey: secret };
	const answer = await call('sts', credentials, '/', form.toString(), 'application/x-www-form-urlencoded; charset=utf-8');
	const { AccessKeyId, SecretAccessKey, SessionToken } = answer.AssumeRoleResponse.AssumeRoleResult.Credentials;
	return { accessKeyId: AccessKeyId, secretAccessKey: SecretAccessKey, sessionToken: SessionToken };
}

// Runs `work` on every item, at most `limit` at a time.
async function inParallel(items, limit, work) {
	let next = 0;
	const run = async () => {
		while (next < items.length) await work(items[next++]);
	};
	await Promise.all(Array.from({ length: Math.min(limit, items.length) }, run));
}

async function findIn(client) {
	const names = [];
	for await (const page of paginateListClusters({ client }, {})) names.push(...page.clusters);
	const found = [];
	await inParallel(names, DESCRIBES, async (name) => {
		const { cluster } = await client.send(new DescribeClusterCommand({ name }));
		if (['ACTIVE', 'UPDATING'].includes(cluster.status) && cluster.tags.env === 'prod') found.push(cluster.arn);
	});
	return found;
}

async function fetchAccount(account) {
	const credentials = await assumeRole(account);
	const answer = await call('account', credentials, '/listRegions', '{}', 'application/json');
	let count = 0;
	for (const { RegionName: region } of answer.Regions) {
		const client = new EKSClient({ region, endpoint, credentials });
		count += (await findIn(client)).length;
		client.destroy();
	}
	return count;
}

const begun = performance.now();
let clusters = 0;
await inParallel(accounts, FETCHERS, async (account) => {
	clusters += await fetchAccount(account);
});
const { user, system } = process.cpuUsage();
process.stdout.write(
	`${JSON.stringify({ clusters, seconds: (performance.now() - begun) / 1000, cpu: (user + system) / 1e6 })}\n`,
);
