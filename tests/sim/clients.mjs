// What the simulators' tests use in place of the daemons: AWS calls and EKS tokens signed by aws4.
import aws4 from 'aws4';
import { formatTime } from './aws/signature.mjs';

// {status, headers, text, json (null when it is none)}. `tamper` changes the request after it was signed.
export async function signedFetch(
	endpoint,
	{ credentials, service, region, method = 'GET', path, body, headers = {}, unsigned, tamper },
) {
	const host = new URL(endpoint).host;
	const signed = unsigned
		? { path, headers }
		: aws4.sign({ host, service, region, method, path, body, headers: { ...headers, Host: host } }, credentials);
	const request = tamper ? tamper(signed) : signed;
	const { Host, 'Content-Length': length, ...rest } = request.headers;
	const response = await fetch(endpoint + request.path, { method, body, headers: rest });
	const text = await response.text();
	return { status: response.status, headers: response.headers, text, json: parse(text) };
}

function parse(text) {
	try {
		return JSON.parse(text);
	} catch {
		return null;
	}
}

// An EKS bearer token. `host` is what the pre-signed URL names, `at` the time of signing in milliseconds.
export function mintToken({ credentials, region, host, cluster, at = Date.now(), expires = 60, extra = '' }) {
	const path = `/?Action=GetCallerIdentity&Version=2011-06-15&X-Amz-Date=${formatTime(at)}&X-Amz-Expires=${expires}${extra}`;
	const request = aws4.sign(
		{ host, service: 'sts', region, path, signQuery: true, headers: { Host: host, 'x-k8s-aws-id': cluster } },
		credentials,
	);
	return `k8s-aws-v1.${Buffer.from(`https://${host}${request.path}`).toString('base64url')}`;
}
