// The operations that the simulated services offer, read from models.json: which route is which operation, what a request
// may carry, what an error looks like. Pure; the services ask it before they do anything, and tests check answers with it.
import { readFileSync } from 'node:fs';

const models = JSON.parse(readFileSync(new URL('../models.json', import.meta.url), 'utf8'));

// An answer that is an error of the service. `code` is the shape's name or, for errors every service has, the bare code.
export class AwsError extends Error {
	constructor(status, code, message, members = {}) {
		super(message);
		this.status = status;
		this.code = code;
		this.members = members;
	}
}

export const services = Object.keys(models).filter((name) => !name.startsWith('_'));

function shapeOf(service, name) {
	return models[service].shapes[name];
}

// An error that the model knows, with its HTTP status and, in EKS, the nullable members that AWS always writes.
export function modelError(service, shapeName, message, members = {}) {
	const shape = shapeOf(service, shapeName);
	if (!shape?.status) throw new Error(`${service} has no error ${shapeName}`);
	const nulls = {};
	if (service === 'eks') {
		for (const name of Object.keys(shape.members)) if (name !== 'message') nulls[name] = null;
	}
	return new AwsError(shape.status, shape.code ?? shapeName, message, { ...nulls, ...members });
}

// What each service calls a request that does not fit its model.
export function invalidRequest(service, message) {
	if (service === 'eks') return modelError('eks', 'InvalidParameterException', message);
	if (service === 'tag') return modelError('tag', 'InvalidParameterException', message);
	if (service === 'organizations') return modelError('organizations', 'InvalidInputException', message);
	if (service === 'account')
		return modelError('account', 'ValidationException', message, { reason: 'fieldValidationFailed' });
	return new AwsError(400, 'ValidationError', message);
}

// --- routes ----------------------------------------------------------------------------------------------------------

function matchUri(pattern, path) {
	const wanted = pattern.split('/');
	const got = path.split('/');
	if (wanted.length !== got.length) return null;
	const labels = {};
	for (let i = 0; i < wanted.length; i++) {
		const label = /^\{(.+)\}$/.exec(wanted[i]);
		if (!label) {
			if (wanted[i] !== got[i]) return null;
			continue;
		}
		if (got[i] === '') return null;
		labels[label[1]] = decodeURIComponent(got[i]);
	}
	return labels;
}

// rest-json: {service, operation, labels} of a method and an encoded path, or null.
export function findRoute(method, path) {
	for (const service of services) {
		if (models[service].protocol !== 'rest-json') continue;
		for (const [operation, spec] of Object.entries(models[service].operations)) {
			const labels = spec.method === method ? matchUri(spec.uri, path) : null;
			if (labels) return { service, operation, labels };
		}
	}
	return null;
}

// JSON protocol: the operation that X-Amz-Target names, as "PREFIX.Operation".
export function findTarget(method, path, headers) {
	const [prefix, operation] = headers['x-amz-target'].split('.');
	const service = services.find((name) => models[name].target === prefix);
	if (!service || !models[service].operations[operation] || method !== 'POST' || path !== '/')
		throw new AwsError(400, 'UnknownOperationException', `${headers['x-amz-target']} is not an operation`);
	if (headers['content-type'] !== 'application/x-amz-json-1.1')
		throw new AwsError(400, 'SerializationException', 'The content type must be application/x-amz-json-1.1');
	return { service, operation, labels: {} };
}

// The query-protocol service that has the action, or undefined.
export function findAction(action, version) {
	return services.find(
		(name) =>
			models[name].protocol === 'query' &&
			models[name].operations[action] !== undefined &&
			version === models[name].api_version,
	);
}

// --- requests --------------------------------------------------------------------------------------------------------

const kinds = {
	structure: (value) => value !== null && typeof value === 'object' && !Array.isArray(value),
	map: (value) => value !== null && typeof value === 'object' && !Array.isArray(value),
	list: Array.isArray,
	string: (value) => typeof value === 'string',
	integer: Number.isInteger,
	boolean: (value) => typeof value === 'boolean',
	timestamp: (value) => typeof value === 'number',
};

function sizeOf(shape, value) {
	if (shape.type === 'integer') return value;
	if (shape.type === 'map') return Object.keys(value).length;
	return value.length;
}

// A sentence when `value` breaks the shape, else null. Lower bounds do not hold for answers: an empty map of tags is one.
export function complaint(service, shapeName, value, where = '', isAnswer = false) {
	const shape = shapeOf(service, shapeName);
	const at = where || 'the request';
	const fits = kinds[shape.type];
	if (!fits) throw new Error(`${service}.${shapeName}: type ${shape.type} is not handled`);
	if (!fits(value)) return `${at} must be a ${shape.type}`;
	if (shape.min !== undefined && !isAnswer && sizeOf(shape, value) < shape.min)
		return `${at} must be at least ${shape.min}`;
	if (shape.max !== undefined && sizeOf(shape, value) > shape.max) return `${at} must be at most ${shape.max}`;
	if (shape.pattern && !new RegExp(`^(?:${shape.pattern})$`).test(value)) return `${at} must match ${shape.pattern}`;
	if (shape.enum && !shape.enum.includes(value)) return `${at} must be one of ${shape.enum.join(', ')}`;
	return inside(service, shape, value, where, isAnswer);
}

function inside(service, shape, value, where, isAnswer) {
	if (shape.type === 'list') {
		return first(value.map((item, i) => complaint(service, shape.member, item, `${where}[${i}]`, isAnswer)));
	}
	if (shape.type === 'map') {
		return first(
			Object.entries(value).flatMap(([key, item]) => [
				complaint(service, shape.key, key, `${where} key`, isAnswer),
				complaint(service, shape.value, item, `${where}.${key}`, isAnswer),
			]),
		);
	}
	if (shape.type !== 'structure') return null;
	const path = (name) => (where ? `${where}.${name}` : name);
	for (const name of shape.required ?? [])
		if (value[name] === undefined) return `Missing required parameter ${path(name)}`;
	for (const [name, item] of Object.entries(value)) {
		if (!shape.members[name]) return `Unknown parameter ${path(name)}`;
		const found = item === null ? null : complaint(service, shape.members[name].shape, item, path(name), isAnswer);
		if (found) return found;
	}
	return null;
}

function first(list) {
	return list.find((item) => item !== null) ?? null;
}

function fromText(service, shapeName, text) {
	const { type } = shapeOf(service, shapeName);
	if (type === 'integer') return /^-?\d+$/.test(text) ? Number(text) : text;
	return text;
}

// The input of a rest-json request: labels, query and JSON body as one object, checked. Throws AwsError.
export function readInput(service, operation, { labels, query, body }) {
	const spec = models[service].operations[operation];
	const { members } = shapeOf(service, spec.input);
	const input = { ...readBody(service, members, body), ...readQuery(service, members, query) };
	for (const [name, member] of Object.entries(members)) {
		if (member.location === 'uri') input[name] = labels[member.locationName];
	}
	const found = complaint(service, spec.input, input);
	if (found) throw invalidRequest(service, found);
	return input;
}

function readQuery(service, members, query) {
	const input = {};
	for (const [key, value] of query) {
		const name = Object.keys(members).find(
			(n) => members[n].location === 'querystring' && members[n].locationName === key,
		);
		if (!name) throw invalidRequest(service, `Unknown query parameter ${key}`);
		const shape = shapeOf(service, members[name].shape);
		if (shape.type === 'list') (input[name] ??= []).push(value);
		else if (input[name] !== undefined) throw invalidRequest(service, `Query parameter ${key} appears twice`);
		else input[name] = fromText(service, members[name].shape, value);
	}
	return input;
}

function readBody(service, members, body) {
	if (body.length === 0) return {};
	let document;
	try {
		document = JSON.parse(body.toString('utf8'));
	} catch {
		throw new AwsError(400, 'SerializationException', 'The request body is not JSON');
	}
	if (!kinds.structure(document))
		throw new AwsError(400, 'SerializationException', 'The request body is not an object');
	for (const name of Object.keys(document)) {
		if (!members[name]) throw invalidRequest(service, `Unknown parameter ${name}`);
		if (members[name].location) throw invalidRequest(service, `Parameter ${name} does not belong into the body`);
	}
	return document;
}

// The input of a query-protocol request: flat parameters; lists (".member.N") are refused by name.
export function readForm(service, operation, form) {
	const spec = models[service].operations[operation];
	const { members } = shapeOf(service, spec.input);
	const input = {};
	for (const [key, value] of form) {
		if (key === 'Action' || key === 'Version' || /^x-amz-/i.test(key)) continue;
		if (!members[key]) throw invalidRequest(service, `Unknown parameter ${key}`);
		if (input[key] !== undefined) throw invalidRequest(service, `Parameter ${key} appears twice`);
		input[key] = fromText(service, members[key].shape, value);
	}
	const found = complaint(service, spec.input, input);
	if (found) throw invalidRequest(service, `1 validation error detected: ${found}`);
	return input;
}

// For tests of the simulator itself: what is wrong with an answer of ours.
export function answerComplaint(service, operation, answer) {
	return complaint(service, models[service].operations[operation].output, answer, '', true);
}
