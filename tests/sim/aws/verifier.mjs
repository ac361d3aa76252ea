// What an EKS API server's authenticator does with a bearer token: takes the presigned URL apart, insists on every rule, and
// lets STS check the signature with the cluster's own name as x-k8s-aws-id, so that a token for A fails at B.
import { AwsError } from './model.mjs';
import { verifySignature } from './signature.mjs';
import { allRegions, isRegionOn, now } from './state.mjs';

const PREFIX = 'k8s-aws-v1.';
const TOKEN_MAX = 4096;
const KNOWN = [
	'action',
	'version',
	'x-amz-algorithm',
	'x-amz-credential',
	'x-amz-date',
	'x-amz-expires',
	'x-amz-security-token',
	'x-amz-signature',
	'x-amz-signedheaders',
];

function refuse(text) {
	throw new AwsError(401, 'InvalidToken', text);
}

function decode(token) {
	if (token.length > TOKEN_MAX) refuse(`token is too large: ${token.length} bytes, at most ${TOKEN_MAX}`);
	if (!token.startsWith(PREFIX)) refuse(`token is missing the expected "${PREFIX}" prefix`);
	const text = token.slice(PREFIX.length);
	if (!/^[A-Za-z0-9_-]+$/.test(text)) refuse('token is not unpadded base64url');
	return Buffer.from(text, 'base64url').toString('latin1');
}

function isStsHost(host, extra) {
	if (extra.includes(host)) return true;
	const m = /^(?:sts|sts-fips)\.([a-z0-9-]+)\.(?:amazonaws\.com|api\.aws)$/.exec(host);
	return host === 'sts.amazonaws.com' || (m !== null && allRegions().has(m[1]));
}

function parseUrl(text, tokenHosts) {
	const m = /^https:\/\/([^/?#]+)\/\?([^#]*)$/.exec(text);
	if (!m) refuse('the pre-signed URL is not https with path / and a query');
	if (!isStsHost(m[1], tokenHosts)) refuse(`unexpected hostname "${m[1]}" in pre-signed URL`);
	return { host: m[1], target: `/?${m[2]}`, query: new URLSearchParams(m[2]) };
}

function checkQuery(query, time) {
	const seen = new Set();
	for (const [key] of query) {
		const name = key.toLowerCase();
		if (!KNOWN.includes(name)) refuse(`non-whitelisted query parameter "${key}"`);
		if (seen.has(name)) refuse(`duplicate query parameter found: "${key}"`);
		seen.add(name);
	}
	if (query.get('Action') !== 'GetCallerIdentity') refuse('unexpected action parameter in pre-signed URL');
	if (!(query.get('X-Amz-SignedHeaders') ?? '').toLowerCase().split(';').includes('x-k8s-aws-id')) {
		refuse('client did not sign the x-k8s-aws-id header in the pre-signed URL');
	}
	const expires = query.get('X-Amz-Expires');
	if (!/^\d+$/.test(expires ?? '') || +expires > 900)
		refuse(`invalid X-Amz-Expires parameter in pre-signed URL: ${expires}`);
	const m = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(query.get('X-Amz-Date') ?? '');
	if (!m) refuse('X-Amz-Date parameter is not valid');
	const expiry = Date.UTC(+m[1], m[2] - 1, +m[3], +m[4], +m[5], +m[6]) + 15 * 60 * 1000;
	if (time > expiry) refuse(`X-Amz-Date parameter is expired (15 minute expiration) ${query.get('X-Amz-Date')}`);
}

// "arn:aws:sts::A:assumed-role/R/S" is mapped as "arn:aws:iam::A:role/R".
export function canonicalArn(arn) {
	const m = /^arn:([^:]+):sts::(\d{12}):assumed-role\/(.+)\/[^/]+$/.exec(arn);
	return m ? `arn:${m[1]}:iam::${m[2]}:role/${m[3]}` : arn;
}

// {arn, canonicalArn, account, userId, sessionName, accessKeyId}; throws AwsError with the reason. `time` stands in for now.
export function verifyToken(state, token, cluster, time = now(state)) {
	const url = parseUrl(decode(token), state.settings.tokenHosts);
	checkQuery(url.query, time);
	const request = {
		method: 'GET',
		target: url.target,
		query: url.query,
		headers: { host: url.host, 'x-k8s-aws-id': cluster },
		body: '',
	};
	const signer = verifySignature('sts', request, {
		findKey: (id) => state.keys.get(id),
		regions: allRegions(),
		now: time,
	});
	if (!isRegionOn(state, signer.principal.account, signer.region))
		refuse(`region ${signer.region} is not enabled for the account`);
	const { arn, account, userId, sessionName } = signer.principal;
	return {
		arn,
		canonicalArn: canonicalArn(arn),
		account,
		userId,
		sessionName: sessionName ?? '',
		accessKeyId: signer.accessKeyId,
	};
}
