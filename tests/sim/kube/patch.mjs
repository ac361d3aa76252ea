// The patch formats that kubectl uses: JSON patch, JSON merge patch, and strategic merge patch (lists of named things merge by
// name), whose merging server-side apply shares.
import { StatusError } from './status.mjs';

function isObject(value) {
	return value !== null && typeof value === 'object' && !Array.isArray(value);
}

function merge(old, patch, mergeLists) {
	if (Array.isArray(patch) && Array.isArray(old) && mergeLists) return mergeNamed(old, patch);
	if (!isObject(patch)) return patch;
	const result = isObject(old) ? { ...old } : {};
	for (const [key, value] of Object.entries(patch)) {
		if (key.startsWith('$')) continue;
		if (value === null) delete result[key];
		else result[key] = merge(result[key], value, mergeLists);
	}
	return result;
}

function mergeNamed(old, patch) {
	if (!patch.every((item) => isObject(item) && typeof item.name === 'string')) return patch;
	const result = [...old];
	for (const item of patch) {
		const at = result.findIndex((other) => other.name === item.name);
		if (item.$patch === 'delete') result.splice(at, at < 0 ? 0 : 1);
		else if (at < 0) result.push(item);
		else result[at] = merge(result[at], item, true);
	}
	return result;
}

// What server-side apply puts over an object.
export function mergeApplied(object, document) {
	return merge(object, document, true);
}

function stepInto(target, key) {
	return Array.isArray(target) ? target[Number(key)] : target?.[key];
}

// RFC 6902: add, replace, remove and test.
function applyOperation(object, { op, path, value }) {
	const keys = path
		.split('/')
		.slice(1)
		.map((key) => key.replaceAll('~1', '/').replaceAll('~0', '~'));
	const last = keys.pop();
	const parent = keys.reduce(stepInto, object);
	if (parent === undefined || (op !== 'add' && stepInto(parent, last) === undefined))
		throw new StatusError(422, `the server rejected our request due to an error in our request: no ${path}`);
	if (op === 'test') {
		if (JSON.stringify(stepInto(parent, last)) !== JSON.stringify(value))
			throw new StatusError(422, `testing value ${path} failed`);
	} else if (!Array.isArray(parent)) {
		if (op === 'remove') delete parent[last];
		else parent[last] = value;
	} else if (op === 'remove') parent.splice(Number(last), 1);
	else if (op === 'replace') parent[Number(last)] = value;
	else parent.splice(last === '-' ? parent.length : Number(last), 0, value);
}

export function patchObject(contentType, object, patch) {
	switch ((contentType ?? '').split(';')[0].trim()) {
		case 'application/json-patch+json': {
			const copy = structuredClone(object);
			for (const operation of patch) applyOperation(copy, operation);
			return copy;
		}
		case 'application/merge-patch+json':
			return merge(object, patch, false);
		case 'application/strategic-merge-patch+json':
			return merge(object, patch, true);
		default:
			throw new StatusError(
				415,
				'the body of the request was in an unknown format - accepted media types include: ' +
					'application/json-patch+json, application/merge-patch+json, application/strategic-merge-patch+json, ' +
					'application/apply-patch+yaml',
			);
	}
}
