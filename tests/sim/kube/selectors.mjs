// Label and field selectors of a query, as a predicate.
import { StatusError } from './status.mjs';

const first = (query, key) => query.get(key)?.[0] ?? '';

function at(object, path) {
	return path.split('.').reduce((value, key) => value?.[key], object);
}

function fieldTerm(term) {
	const m = /^([^=!]+)(!?=?=)(.*)$/.exec(term);
	if (!m) throw new StatusError(400, `invalid field selector: ${term}`);
	return (object) => (String(at(object, m[1]) ?? '') === m[3]) === (m[2] !== '!=');
}

// key, !key, key=value, key!=value, key in (a,b), key notin (a,b)
function labelTerm(term) {
	const set = /^([^ ]+) +(in|notin) +\(([^)]*)\)$/.exec(term);
	if (set) {
		const values = set[3].split(',').map((value) => value.trim());
		return (labels) => values.includes(labels[set[1]]) === (set[2] === 'in');
	}
	const m = /^(!?)([^=! ]+)(?:(!?=?=)(.*))?$/.exec(term);
	if (!m) throw new StatusError(400, `unable to parse label selector: ${term}`);
	const [, not, key, operator, value] = m;
	if (!operator) return (labels) => (labels[key] === undefined) === (not === '!');
	return (labels) => (labels[key] === value) === (operator !== '!=');
}

// Commas inside parentheses separate values.
function termsOf(text) {
	return text
		.split(/,(?![^(]*\))/)
		.map((term) => term.trim())
		.filter(Boolean);
}

export function makeFilter(query) {
	const fieldTerms = termsOf(first(query, 'fieldSelector')).map(fieldTerm);
	const labelTerms = termsOf(first(query, 'labelSelector')).map(labelTerm);
	return (object) =>
		fieldTerms.every((term) => term(object)) && labelTerms.every((term) => term(object.metadata.labels ?? {}));
}

// Whether a selector of a workload ({matchLabels}) chooses an object.
export function matchesLabels(selector, object) {
	return Object.entries(selector?.matchLabels ?? {}).every(([key, value]) => object.metadata.labels?.[key] === value);
}
