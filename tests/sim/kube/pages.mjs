// limit and continue: which part of a list is asked for, and what is said about the rest.
import { StatusError } from './status.mjs';

function writeContinue(index) {
	return Buffer.from(JSON.stringify({ v: 'meta.k8s.io/v1', start: index })).toString('base64url');
}

function readContinue(text) {
	try {
		const { start } = JSON.parse(Buffer.from(text, 'base64url').toString());
		if (Number.isInteger(start)) return start;
	} catch {
		// falls through to the refusal
	}
	throw new StatusError(400, 'continue key is not valid');
}

// {from, to, remaining: fields of the list's metadata} for a list of `count`.
export function pageOf(query, count) {
	const limit = Number(query.get('limit')?.[0] ?? 0);
	const token = query.get('continue')?.[0];
	const from = token ? readContinue(token) : 0;
	const to = limit > 0 ? Math.min(from + limit, count) : count;
	const remaining = to < count ? { continue: writeContinue(to), remainingItemCount: count - to } : {};
	return { from, to, remaining };
}
