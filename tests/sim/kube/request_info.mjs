// What an API server sees in a request (Kubernetes' RequestInfo): attributes of a resource, or a plain path. Pure; written
// from the rules, and checked against vectors that Kubernetes' own resolver made.

const METHOD_VERBS = { POST: 'create', GET: 'get', HEAD: 'get', PUT: 'update', PATCH: 'patch', DELETE: 'delete' };
const NAMESPACE_SUBRESOURCES = ['status', 'finalize'];

function decode(text) {
	return decodeURIComponent(text);
}

// Go's query parser: a pair with ';' or a bad escape is dropped, '+' is a space.
export function parseQuery(text) {
	const query = new Map();
	for (const pair of text.split('&')) {
		if (pair === '' || pair.includes(';')) continue;
		const at = pair.indexOf('=');
		try {
			const key = decode((at < 0 ? pair : pair.slice(0, at)).replaceAll('+', ' '));
			const value = at < 0 ? '' : decode(pair.slice(at + 1).replaceAll('+', ' '));
			query.set(key, [...(query.get(key) ?? []), value]);
		} catch {
			continue;
		}
	}
	return query;
}

export function isTrue(query, key) {
	const values = query.get(key);
	return values !== undefined && !['0', 'false'].includes(values[0].toLowerCase());
}

// The name that a field selector pins down, if any term does.
function nameOfSelector(text) {
	for (const term of (text ?? '').split(',')) {
		const m = /^metadata\.name={1,2}([^=!]*)$/.exec(term.trim());
		if (m) return ['', '.', '..'].includes(m[1]) || /[/%]/.test(m[1]) ? null : m[1];
	}
	return null;
}

function splitTarget(target) {
	const origin = target.replace(/^https?:\/\/[^/?]*/, '');
	const at = origin.indexOf('?');
	return at < 0 ? [origin, ''] : [origin.slice(0, at), origin.slice(at + 1)];
}

function verbOf(method, parts) {
	if (parts[0] !== 'proxy' && parts[0] !== 'watch') return METHOD_VERBS[method] ?? '';
	if (parts.length < 2) throw new Error('unable to determine kind and namespace from url');
	return parts.shift();
}

function refineVerb(info, query) {
	if (info.name === '' && info.verb === 'get') {
		const selected = nameOfSelector(query.get('fieldSelector')?.[0]);
		if (selected) info.name = selected;
		info.verb = isTrue(query, 'watch') ? 'watch' : 'list';
	}
	if (info.name === '' && info.verb === 'delete') info.verb = 'deletecollection';
}

// {isResource, verb, path, query, group?, version?, resource?, subresource?, namespace?, name?}. Throws on what the
// API server answers 400 to.
export function requestInfo(method, target) {
	const [raw, queryText] = splitTarget(target);
	const path = decode(raw);
	const query = parseQuery(queryText);
	const plain = { isResource: false, verb: method.toLowerCase(), path, query };
	const parts = path.replace(/^\/+|\/+$/g, '').split('/');
	if (parts.length < 3 || (parts[0] !== 'api' && parts[0] !== 'apis')) return plain;
	const isGrouped = parts.shift() === 'apis';
	if (isGrouped && parts.length < 3) return plain;
	const info = { isResource: true, path, query, group: isGrouped ? parts.shift() : '', version: parts.shift() };
	info.verb = verbOf(method, parts);
	const isNamespaced = parts[0] === 'namespaces' && parts.length > 1;
	info.namespace = isNamespaced ? parts[1] : '';
	const rest =
		isNamespaced && parts.length > 2 && !NAMESPACE_SUBRESOURCES.includes(parts[2]) ? parts.slice(2) : parts;
	info.resource = rest[0];
	info.name = rest[1] ?? '';
	info.subresource = info.verb === 'proxy' ? '' : (rest[2] ?? '');
	refineVerb(info, query);
	return info;
}
