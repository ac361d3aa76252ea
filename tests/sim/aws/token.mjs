// What `aws eks get-token` makes, signed by aws4: code that is not ours. Any part can be made wrong.
import aws4 from 'aws4';

// {host, region, query (more parameters), headers, service}; `id` is what is signed as x-k8s-aws-id, null for nothing.
export function presign(credentials, id, { host, region = 'eu-west-1', query = '', headers = {}, action } = {}) {
	const signed = aws4.sign(
		{
			service: 'sts',
			region,
			method: 'GET',
			host: host ?? `sts.${region}.amazonaws.com`,
			path: `/?Action=${action ?? 'GetCallerIdentity'}&Version=2011-06-15&X-Amz-Expires=60${query}`,
			headers: { ...(id === null ? {} : { 'x-k8s-aws-id': id }), ...headers },
			signQuery: true,
		},
		credentials,
	);
	return `https://${signed.headers.Host ?? signed.host}${signed.path}`;
}

export function encodeToken(url) {
	return `k8s-aws-v1.${Buffer.from(url).toString('base64url')}`;
}

export function makeAwsToken(credentials, id, options) {
	return encodeToken(presign(credentials, id, options));
}
