// The patch formats that kubectl uses: JSON merge patch, strategic merge patch (lists of named things merge by name), and
// server-side apply without ownership.
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

export function patchObject(contentType, object, patch) {
	switch ((contentType ?? '').split(';')[0].trim()) {
		case 'application/merge-patch+json':
			return merge(object, patch, false);
		case 'application/strategic-merge-patch+json':
		case 'application/apply-patch+yaml':
			return merge(object, patch, true);
		default:
			throw new StatusError(
				415,
				`the body of the request was in an unknown format - accepted media types include: ` +
					'application/merge-patch+json, application/strategic-merge-patch+json, application/apply-patch+yaml',
			);
	}
}
