// Server-side apply: what a manager applied is its own; what it no longer applies goes; what another one owns is a conflict
// unless it is forced. Lists of named things are merged by name and owned as a whole.
import { mergeApplied } from './patch.mjs';
import { StatusError } from './status.mjs';

const IDENTITY = new Set(['apiVersion', 'kind', 'metadata.name', 'metadata.namespace']);

// The paths of the leaves, "f:data.f:key" as a list of keys joined by NUL.
function leavesOf(value, path = []) {
	if (value === null || typeof value !== 'object' || Array.isArray(value)) return [path.join('\0')];
	return Object.entries(value).flatMap(([key, part]) => leavesOf(part, [...path, key]));
}

function appliedLeaves(document) {
	return leavesOf(document).filter((leaf) => !IDENTITY.has(leaf.replaceAll('\0', '.')));
}

function toFields(leaves) {
	const root = {};
	for (const leaf of leaves) {
		let at = root;
		for (const key of leaf.split('\0')) at = at[`f:${key}`] ??= {};
	}
	return root;
}

function fromFields(tree, path = []) {
	const entries = Object.entries(tree ?? {});
	if (entries.length === 0) return path.length ? [path.join('\0')] : [];
	return entries.flatMap(([key, part]) => fromFields(part, [...path, key.slice(2)]));
}

function valueAt(object, leaf) {
	return leaf.split('\0').reduce((value, key) => value?.[key], object);
}

function without(object, leaf) {
	const [key, ...rest] = leaf.split('\0');
	if (object === null || typeof object !== 'object' || !(key in object)) return object;
	const copy = { ...object };
	if (rest.length === 0) delete copy[key];
	else copy[key] = without(object[key], rest.join('\0'));
	return copy;
}

function conflict(conflicts) {
	const lines = conflicts.map(({ manager, leaf }) => `conflict with "${manager}": .${leaf.replaceAll('\0', '.')}`);
	const causes = conflicts.map(({ manager, leaf }) => ({
		reason: 'FieldManagerConflict',
		message: `conflict with "${manager}"`,
		field: `.${leaf.replaceAll('\0', '.')}`,
	}));
	const many = conflicts.length === 1 ? '1 conflict' : `${conflicts.length} conflicts`;
	return new StatusError(409, `Apply failed with ${many}: ${lines.join('\n')}`, { details: { causes } });
}

// Entries of metadata.managedFields that were made by applying: [{manager, leaves}].
function ownersIn(object) {
	return (object?.metadata.managedFields ?? []).map(({ manager, fieldsV1 }) => ({
		manager,
		leaves: fromFields(fieldsV1),
	}));
}

// The object after `manager` applied `document` over `old` (undefined when there is none).
export function applyDocument(old, document, { manager, force }) {
	const leaves = appliedLeaves(document);
	const owners = ownersIn(old);
	const others = owners.filter((owner) => owner.manager !== manager);
	const taken = others.flatMap((owner) =>
		owner.leaves
			.filter((leaf) => leaves.includes(leaf))
			.filter((leaf) => JSON.stringify(valueAt(old, leaf)) !== JSON.stringify(valueAt(document, leaf)))
			.map((leaf) => ({ manager: owner.manager, leaf })),
	);
	if (taken.length > 0 && !force) throw conflict(taken);
	const mine = owners.find((owner) => owner.manager === manager)?.leaves ?? [];
	const dropped = mine.filter(
		(leaf) => !leaves.includes(leaf) && !others.some((owner) => owner.leaves.includes(leaf)),
	);
	const base = dropped.reduce(without, old ?? {});
	const merged = mergeApplied(base, document);
	const kept = others.map((owner) => ({
		...owner,
		leaves: owner.leaves.filter(
			(leaf) => !taken.some((lost) => lost.manager === owner.manager && lost.leaf === leaf),
		),
	}));
	const managedFields = [...kept, { manager, leaves }].map((owner) => ({
		manager: owner.manager,
		operation: 'Apply',
		apiVersion: document.apiVersion,
		time: new Date().toISOString().replace(/\.\d+Z/, 'Z'),
		fieldsType: 'FieldsV1',
		fieldsV1: toFields(owner.leaves),
	}));
	return { ...merged, metadata: { ...merged.metadata, managedFields } };
}
