// AWS at the size of a company: ListClusters, DescribeCluster, GetResources, AssumeRole and ListRegions over clusters that
// are made up when it starts. Leaner than tests/sim/aws.mjs, so that the bench measures discoveryd and not this: answers are
// made once, one signature in --verify is computed (by tests/sim/aws/signature.mjs), each answer takes --delay ms. Prints a
// JSON line, then reads commands from standard input, a line each way: "stats", "reset" (the counts), "tag ACCOUNT REGION NAME
// KEY VALUE", "answered ACCOUNT REGION NAME" (when DescribeCluster was, last).
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';
import { AwsError } from '../../sim/aws/model.mjs';
import { verifySignature } from '../../sim/aws/signature.mjs';
import { DEFAULT_REGIONS } from '../../sim/aws/state.mjs';
import { readOptions } from '../../sim/control.mjs';
import { makePki } from '../../sim/kube/pki.mjs';

const PAGE = 100;
const options = readOptions(['clusters', 'accounts', 'regions', 'delay', 'verify'], 'see the head of this file\n');
const setting = (name, fallback) => Number(options[name] ?? fallback);
const regions = DEFAULT_REGIONS.slice(0, setting('regions', 17));
const regionSet = new Set(regions);
const accounts = Array.from({ length: setting('accounts', 200) }, (_, i) => String(100000000000 + i));
const delay = setting('delay', 20);
const verifyEvery = setting('verify', 50);
const OWN_KEY = 'AKIAEKSGATEBENCH0000';
const SECRET = 'of-the-bench-alone';

const json = (value) => Buffer.from(JSON.stringify(value));
const scopes = new Map(); // "account/region" -> Map name -> cluster, names ascending
const certificate = Buffer.from(makePki('bench').ca).toString('base64');
const counts = new Map();
const answered = new Map(); // "account/region/clusters/name" -> when DescribeCluster was answered last
let requests = 0;
let verified = 0;
let refused = 0;

function describe({ account, region, name, tags }) {
	return {
		cluster: {
			name,
			arn: `arn:aws:eks:${region}:${account}:cluster/${name}`,
			createdAt: 1767323045.123,
			version: '1.34',
			endpoint: `https://127.0.0.1:6443`,
			roleArn: `arn:aws:iam::${account}:role/eks-cluster-role`,
			resourcesVpcConfig: { subnetIds: ['subnet-0a', 'subnet-0b'], vpcId: 'vpc-0a', endpointPublicAccess: true },
			kubernetesNetworkConfig: { serviceIpv4Cidr: '172.20.0.0/16', ipFamily: 'ipv4' },
			status: 'ACTIVE',
			certificateAuthority: { data: certificate },
			platformVersion: 'eks.12',
			tags,
			accessConfig: { authenticationMode: 'API_AND_CONFIG_MAP' },
		},
	};
}

function putCluster(account, region, name, tags) {
	const key = `${account}/${region}`;
	const scope = scopes.get(key) ?? new Map();
	scopes.set(key, scope);
	const cluster = { account, region, name, tags };
	scope.set(name, { ...cluster, answer: json(describe(cluster)) });
}

function populate(count) {
	for (let i = 0; i < count; i++) {
		const account = accounts[i % accounts.length];
		const region = regions[Math.floor(i / accounts.length) % regions.length];
		const tags = { env: 'prod', team: `team-${i % 50}`, 'cost-center': String(1000 + (i % 90)) };
		putCluster(account, region, `cluster-${String(i).padStart(5, '0')}`, tags);
	}
}

const inScope = (account, region) => [...(scopes.get(`${account}/${region}`)?.values() ?? [])];

function pageOf(items, token) {
	const from = token ? Number(token) : 0;
	return { part: items.slice(from, from + PAGE), next: from + PAGE < items.length ? String(from + PAGE) : null };
}

// --- operations: ({account, region, query, body, path}) -> Buffer or null ---------------------------------------------

const operations = {
	ListClusters({ account, region, query }) {
		const { part, next } = pageOf(inScope(account, region), query.get('nextToken'));
		return json({ clusters: part.map(({ name }) => name), nextToken: next });
	},
	DescribeCluster({ account, region, path }) {
		return scopes.get(`${account}/${region}`)?.get(path.slice('/clusters/'.length))?.answer ?? null;
	},
	GetResources({ account, region, body }) {
		const { part, next } = pageOf(inScope(account, region), JSON.parse(body).PaginationToken);
		const mappings = part.map(({ name, tags }) => ({
			ResourceARN: `arn:aws:eks:${region}:${account}:cluster/${name}`,
			Tags: Object.entries(tags).map(([Key, Value]) => ({ Key, Value })),
		}));
		return json({ PaginationToken: next ?? '', ResourceTagMappingList: mappings });
	},
	ListRegions() {
		return json({ Regions: regions.map((RegionName) => ({ RegionName, RegionOptStatus: 'ENABLED_BY_DEFAULT' })) });
	},
	GetCallerIdentity({ account }) {
		return { GetCallerIdentityResult: { Account: account, Arn: `arn:aws:iam::${account}:user/bench`, UserId: 'AIDA' } };
	},
	AssumeRole({ form }) {
		const account = form.get('RoleArn').split(':')[4];
		const credentials = {
			AccessKeyId: `ASIA${account}BNCH`,
			SecretAccessKey: SECRET,
			SessionToken: account,
			Expiration: new Date(Date.now() + 3600000).toISOString(),
		};
		const AssumedRoleUser = { AssumedRoleId: 'AROA:bench', Arn: `arn:aws:sts::${account}:assumed-role/bench/bench` };
		return { AssumeRoleResult: { Credentials: credentials, AssumedRoleUser } };
	},
};

function operationOf(method, path, headers, body) {
	if (headers['x-amz-target']) return 'GetResources';
	if (path === '/' && method === 'POST') return body.includes('Action=AssumeRole') ? 'AssumeRole' : 'GetCallerIdentity';
	if (path === '/listRegions') return 'ListRegions';
	return path === '/clusters' ? 'ListClusters' : 'DescribeCluster';
}

const SERVICES = { GetResources: 'tagging', AssumeRole: 'sts', GetCallerIdentity: 'sts', ListRegions: 'account' };

function findKey(id) {
	const account = id.slice(4, 16);
	return id === OWN_KEY
		? { secret: SECRET, token: null, principal: { account: accounts[0] } }
		: { secret: SECRET, token: account, principal: { account } };
}

function verify(operation, request, body) {
	verified++;
	const { method, url, headers } = request;
	const query = new URL(url, 'http://localhost').searchParams;
	const wanted = { findKey, regions: regionSet, now: Date.now() };
	return verifySignature(SERVICES[operation] ?? 'eks', { method, target: url, query, headers, body }, wanted);
}

function answer(request, response, body) {
	const { method, url, headers } = request;
	const at = url.indexOf('?');
	const path = at < 0 ? url : url.slice(0, at);
	const operation = operationOf(method, path, headers, body);
	const [, key, region] = /Credential=([^/]+)\/\d+\/([^/]+)\//.exec(headers.authorization) ?? [];
	counts.set(operation, (counts.get(operation) ?? 0) + 1);
	if (requests++ % verifyEvery === 0) verify(operation, request, body);
	const query = new URLSearchParams(at < 0 ? '' : url.slice(at + 1));
	const form = operation === 'AssumeRole' ? new URLSearchParams(body) : null;
	const { account } = findKey(key).principal;
	const result = operations[operation]({ account, region, query, path, body, form });
	const isSts = SERVICES[operation] === 'sts';
	const text = isSts ? json({ [`${operation}Response`]: result }) : (result ?? json({ message: 'No cluster found' }));
	setTimeout(() => {
		response.writeHead(result ? 200 : 404, { 'content-type': 'application/json', 'content-length': text.length });
		response.end(text);
		if (operation === 'DescribeCluster') answered.set(`${account}/${region}${path}`, Date.now());
	}, delay);
}

const server = createServer({ keepAliveTimeout: 60000 }, (request, response) => {
	let body = '';
	request.setEncoding('utf8');
	request.on('data', (part) => {
		body += part;
	});
	request.on('end', () => {
		try {
			answer(request, response, body);
		} catch (error) {
			if (!(error instanceof AwsError)) throw error;
			refused++;
			response.writeHead(error.status, { 'x-amzn-ErrorType': error.code }).end('{}');
		}
	});
});

const commands = {
	stats: () => {
		const { user, system } = process.cpuUsage();
		return { calls: Object.fromEntries(counts), requests, verified, refused, cpu: (user + system) / 1e6 };
	},
	reset: () => {
		counts.clear();
		return {};
	},
	answered: (account, region, name) => ({ answered: answered.get(`${account}/${region}/clusters/${name}`) }),
	tag: (account, region, name, key, value) => {
		const cluster = scopes.get(`${account}/${region}`).get(name);
		putCluster(account, region, name, { ...cluster.tags, [key]: value });
		return {};
	},
};

populate(setting('clusters', 10000));
server.listen(0, '127.0.0.1', () => {
	const print = (document) => process.stdout.write(`${JSON.stringify(document)}\n`);
	print({ endpoint: `http://127.0.0.1:${server.address().port}`, accounts, regions, key: OWN_KEY, secret: SECRET });
	createInterface({ input: process.stdin })
		.on('line', (line) => {
			const [name, ...words] = line.split(' ');
			print(commands[name](...words));
		})
		.on('close', () => process.exit(0));
});
