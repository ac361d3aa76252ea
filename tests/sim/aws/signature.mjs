// Verifies Signature Version 4, header form and presigned form. The computation is aws4's: code that is not ours, so that a
// mistake of the daemons is not repeated here. What surrounds it (parsing, skew, scope, tokens) is AWS's behaviour.
import aws4 from 'aws4';
import { AwsError } from './model.mjs';

const SKEW_MS = 5 * 60 * 1000;
const PRESIGNED_LIFE_MS = 15 * 60 * 1000;

// EKS and Account speak JSON names, STS the names of the query protocol.
function failure(service, kind, message) {
	const names = {
		missing: ['MissingAuthenticationTokenException', 'MissingAuthenticationToken'],
		incomplete: ['IncompleteSignatureException', 'IncompleteSignature', 400],
		unknown: ['UnrecognizedClientException', 'InvalidClientTokenId'],
		expired: ['ExpiredTokenException', 'ExpiredToken'],
		mismatch: ['InvalidSignatureException', 'SignatureDoesNotMatch'],
	}[kind];
	return new AwsError(names[2] ?? 403, service === 'sts' ? names[1] : names[0], message);
}

function parseTime(text) {
	const m = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(text ?? '');
	return m ? Date.UTC(+m[1], m[2] - 1, +m[3], +m[4], +m[5], +m[6]) : NaN;
}

export function formatTime(ms) {
	return new Date(ms).toISOString().replace(/[-:]|\.\d{3}/g, '');
}

function parseScope(service, credential) {
	const parts = (credential ?? '').split('/');
	if (parts.length !== 5 || parts[4] !== 'aws4_request') {
		throw failure(
			service,
			'incomplete',
			`Credential must have exactly 5 slash-delimited elements, got '${credential}'`,
		);
	}
	return { accessKeyId: parts[0], date: parts[1], region: parts[2], service: parts[3] };
}

// What a request claims: {kind, scope, signedHeaders, signature, time, token, expires}.
function readClaim(service, request) {
	const header = request.headers.authorization;
	const presigned = request.query.get('X-Amz-Signature') !== null;
	if (header === undefined && !presigned) throw failure(service, 'missing', 'Missing Authentication Token');
	if (header !== undefined && presigned) throw failure(service, 'incomplete', 'Only one auth mechanism is allowed');
	return presigned ? readQueryClaim(service, request.query) : readHeaderClaim(service, header, request.headers);
}

function readHeaderClaim(service, header, headers) {
	const m = /^AWS4-HMAC-SHA256 Credential=([^,\s]+), ?SignedHeaders=([^,\s]+), ?Signature=([0-9a-f]{64})$/.exec(
		header,
	);
	if (!m) throw failure(service, 'incomplete', `Authorization header is not well formed: '${header.slice(0, 40)}'`);
	return {
		kind: 'header',
		scope: parseScope(service, m[1]),
		signedHeaders: m[2].split(';'),
		signature: m[3],
		time: headers['x-amz-date'],
		token: headers['x-amz-security-token'] ?? null,
	};
}

function readQueryClaim(service, query) {
	if (query.get('X-Amz-Algorithm') !== 'AWS4-HMAC-SHA256')
		throw failure(service, 'incomplete', 'Unsupported X-Amz-Algorithm');
	const expires = query.get('X-Amz-Expires');
	if (!/^\d+$/.test(expires ?? '') || +expires > 604800)
		throw failure(service, 'incomplete', 'X-Amz-Expires is not valid');
	return {
		kind: 'query',
		scope: parseScope(service, query.get('X-Amz-Credential')),
		signedHeaders: (query.get('X-Amz-SignedHeaders') ?? '').split(';'),
		signature: query.get('X-Amz-Signature'),
		time: query.get('X-Amz-Date'),
		token: query.get('X-Amz-Security-Token'),
	};
}

function checkTime(service, claim, now) {
	const signed = parseTime(claim.time);
	if (Number.isNaN(signed)) throw failure(service, 'incomplete', "Date must be in ISO-8601 'basic format'");
	if (claim.time.slice(0, 8) !== claim.scope.date) {
		throw failure(
			service,
			'mismatch',
			'Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date',
		);
	}
	const life = claim.kind === 'query' ? PRESIGNED_LIFE_MS : SKEW_MS;
	if (signed > now + SKEW_MS) {
		throw failure(
			service,
			'mismatch',
			`Signature not yet current: ${claim.time} is still later than ` +
				`${formatTime(now + SKEW_MS)} (${formatTime(now)} + 5 min.)`,
		);
	}
	if (signed < now - life) {
		throw failure(
			service,
			'mismatch',
			`Signature expired: ${claim.time} is now earlier than ${formatTime(now - life)} ` +
				`(${formatTime(now)} - ${life / 60000} min.)`,
		);
	}
}

function checkScope(service, claim, regions) {
	if (claim.scope.service !== service) {
		throw failure(service, 'mismatch', `Credential should be scoped to correct service: '${service}'.`);
	}
	if (!regions.has(claim.scope.region))
		throw failure(service, 'mismatch', 'Credential should be scoped to a valid region.');
}

function checkSignedHeaders(service, claim, headers) {
	const sorted = [...claim.signedHeaders].sort();
	const isSorted = sorted.every((name, i) => name === claim.signedHeaders[i] && name === name.toLowerCase());
	if (!isSorted || !sorted.includes('host')) {
		throw failure(service, 'mismatch', "'Host' must be a 'SignedHeader' and the list sorted, in lower case");
	}
	const mustBeSigned = Object.keys(headers).filter(
		(name) => name.startsWith('x-amz-') && name !== 'x-amz-retry-after',
	);
	const missing = claim.kind === 'header' ? mustBeSigned.find((name) => !sorted.includes(name)) : undefined;
	if (missing) throw failure(service, 'mismatch', `'${missing}' must be a 'SignedHeader'`);
}

function compute(request, claim, credentials) {
	const headers = {};
	const include = {};
	for (const name of claim.signedHeaders) {
		if (request.headers[name] === undefined) return null;
		headers[name] = request.headers[name];
		include[name] = true;
	}
	const presigned = claim.kind === 'query';
	const path = presigned ? request.target.replace(/&?X-Amz-Signature=[0-9a-f]*/, '') : request.target;
	const signer = new aws4.RequestSigner(
		{
			method: request.method,
			host: headers.host,
			path,
			body: request.body,
			headers,
			service: claim.scope.service,
			region: claim.scope.region,
			signQuery: presigned,
			doNotModifyHeaders: true,
			extraHeadersToInclude: include,
		},
		{
			accessKeyId: claim.scope.accessKeyId,
			secretAccessKey: credentials.secret,
			sessionToken: presigned ? claim.token : undefined,
		},
	);
	signer.datetime = claim.time;
	signer.prepareRequest();
	if (signer.signedHeaders() !== claim.signedHeaders.join(';')) return null;
	return signer.signature();
}

// `request`: {method, target, query, headers, body (text)}; `findKey(id)` -> {secret, token, expires, principal} or undefined;
// `regions`: a Set. Returns {principal, region, accessKeyId}; throws AwsError.
export function verifySignature(service, request, { findKey, regions, now }) {
	const claim = readClaim(service, request);
	checkScope(service, claim, regions);
	checkSignedHeaders(service, claim, request.headers);
	const credentials = findKey(claim.scope.accessKeyId);
	if (!credentials || (credentials.token ?? null) !== claim.token) {
		throw failure(service, 'unknown', 'The security token included in the request is invalid.');
	}
	checkTime(service, claim, now);
	if (credentials.expires && credentials.expires <= now) {
		throw failure(service, 'expired', 'The security token included in the request is expired');
	}
	if (compute(request, claim, credentials) !== claim.signature) {
		throw failure(
			service,
			'mismatch',
			'The request signature we calculated does not match the signature you provided. ' +
				'Check your AWS Secret Access Key and signing method. Consult the service documentation for details.',
		);
	}
	return { principal: credentials.principal, region: claim.scope.region, accessKeyId: claim.scope.accessKeyId };
}
