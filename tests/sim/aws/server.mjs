// The public side of the simulator: one HTTP port for all services and regions. A request is routed, its signature
// verified, its permission checked, its input read by the model, and only then does the operation run.
import { createServer } from 'node:http';
import { actionsOf, operations as eks, resourceOf } from './eks.mjs';
import { spoil } from './faults.mjs';
import { operations as ec2, writeRegions, writeEc2Error } from './ec2.mjs';
import { AwsError, findAction, findRoute, findTarget, invalidRequest, modelError, readForm, readInput } from './model.mjs';
import { operations as organizations } from './organizations.mjs';
import { verifySignature } from './signature.mjs';
import { allRegions, isRegionOn, now, permissionFor } from './state.mjs';
import { accountOperations as account, newRequestId, operations as sts, writeAnswer, writeError } from './sts.mjs';
import { operations as tag } from './tagging.mjs';

const GLOBAL_REGION = 'us-east-1';
const BODY_MAX = 1024 * 1024;
const SIGNING_NAMES = { tag: 'tagging' };
const handlers = { eks, sts, account, tag, ec2, organizations };
// Services with one endpoint in a partition.
const GLOBAL = ['account', 'organizations'];

async function readBody(request) {
	const parts = [];
	let size = 0;
	for await (const part of request) {
		size += part.length;
		if (size > BODY_MAX) throw new AwsError(413, 'RequestEntityTooLarge', 'The request is too large');
		parts.push(part);
	}
	return Buffer.concat(parts);
}

// {service, operation, labels | form} of a request.
function route({ method, path, query, headers }, body) {
	if (headers['x-amz-target'] !== undefined) return findTarget(method, path, headers);
	if (path === '/' && (method === 'POST' || method === 'GET')) {
		const form = method === 'POST' ? new URLSearchParams(body.toString('utf8')) : query;
		const action = form.get('Action');
		const service = findAction(action, form.get('Version'));
		if (service) return { service, operation: action, form };
		throw Object.assign(
			new AwsError(400, 'InvalidAction', `Could not find operation ${action} for version ${form.get('Version')}`),
			{ service: 'sts' },
		);
	}
	const found = findRoute(method, path);
	if (!found) throw new AwsError(404, 'UnknownOperationException', `${method} ${path} is not an operation`);
	return found;
}

function checkLeave(state, context, { service, operation }, input) {
	if (operation === 'GetCallerIdentity' || operation === 'AssumeRole') return;
	const { caller, region } = context;
	const resources = {
		eks: () => resourceOf(context, operation, input),
		account: () => `arn:aws:account::${caller.account}:account`,
		tag: () => '*',
		ec2: () => '*',
		organizations: () => '*',
	};
	const resource = resources[service]();
	const actions = service === 'eks' ? actionsOf(operation, input) : [`${service}:${operation}`];
	for (const action of actions) {
		const leave = permissionFor(state, caller.principalArn, { action, region, resource });
		if (leave === 'allow') continue;
		const why =
			leave === 'deny'
				? 'with an explicit deny in an identity-based policy'
				: `because no identity-based policy allows the ${action} action`;
		if (service === 'ec2')
			throw new AwsError(403, 'UnauthorizedOperation', 'You are not authorized to perform this operation.');
		throw modelError(
			service,
			'AccessDeniedException',
			`User: ${caller.arn} is not authorized to perform: ${action} on resource: ${resource} ${why}`,
		);
	}
}

// A region that the account has not enabled knows none of its keys.
function checkRegion(state, service, signer) {
	if (GLOBAL.includes(service) && signer.region !== GLOBAL_REGION) {
		throw new AwsError(
			403,
			'InvalidSignatureException',
			`Credential should be scoped to a valid region: ${GLOBAL_REGION}`,
		);
	}
	if (isRegionOn(state, signer.principal.account, signer.region)) return;
	if (service === 'ec2')
		throw new AwsError(401, 'AuthFailure', 'AWS was not able to validate the provided access credentials');
	throw service === 'sts'
		? new AwsError(403, 'InvalidClientTokenId', 'The security token included in the request is invalid')
		: new AwsError(403, 'UnrecognizedClientException', 'The security token included in the request is invalid.');
}

function readHead(request) {
	const at = request.url.indexOf('?');
	return {
		method: request.method,
		target: request.url,
		path: at < 0 ? request.url : request.url.slice(0, at),
		query: new URLSearchParams(at < 0 ? '' : request.url.slice(at + 1)),
		headers: joinHeaders(request.rawHeaders),
	};
}

// Node keeps only the first of some repeated headers; the signature covers all of them.
function joinHeaders(raw) {
	const headers = {};
	for (let i = 0; i < raw.length; i += 2) {
		const name = raw[i].toLowerCase();
		headers[name] = headers[name] === undefined ? raw[i + 1] : `${headers[name]},${raw[i + 1]}`;
	}
	return headers;
}

// Runs one request: {call, answer: {status, type, body}, error}. Never throws.
function perform(simulator, head, body) {
	const { state, faults } = simulator;
	const call = {
		operation: 'unknown',
		account: '-',
		region: '-',
		cluster: undefined,
		sequence: simulator.sequence++,
	};
	const requestId = newRequestId();
	const wantsJson = (head.headers.accept ?? '').includes('application/json');
	let service = 'eks';
	try {
		const found = route(head, body);
		service = found.service;
		call.operation = `${service}:${found.operation}`;
		const signer = verifySignature(
			SIGNING_NAMES[service] ?? service,
			{ ...head, body: body.toString('utf8') },
			{
				findKey: (id) => state.keys.get(id),
				regions: allRegions(),
				now: now(state),
			},
		);
		const context = { state, caller: signer.principal, region: signer.region };
		Object.assign(call, { account: signer.principal.account, region: signer.region, caller: signer.principal.arn });
		checkRegion(state, service, signer);
		if (body.length > 0 && head.method === 'GET') throw invalidRequest(service, 'A GET request has no body');
		const input = found.form
			? readForm(service, found.operation, found.form)
			: readInput(service, found.operation, { ...found, query: head.query, body });
		call.cluster = input.clusterName ?? input.name;
		const throttled = faults.takeThrottle(call);
		if (throttled) throw new AwsError(429, throttled, 'Rate exceeded');
		checkLeave(state, context, found, input);
		const result = handlers[service][found.operation](context, input);
		const answer = write(service, found.operation, result, { requestId, wantsJson });
		return applyFault(faults.takeFault(call), { call, requestId, service, wantsJson }, { status: 200, ...answer });
	} catch (error) {
		if (!(error instanceof AwsError)) throw error;
		const fault = call.account === '-' ? null : faults.takeFault(call);
		const context = { call, requestId, service: error.service ?? service, wantsJson };
		return applyFault(fault, context, failed(error, context));
	}
}

function write(service, operation, result, { requestId, wantsJson }) {
	if (service === 'sts') return writeAnswer(operation, result, requestId, wantsJson);
	if (service === 'ec2') return writeRegions(result, requestId);
	return { type: 'application/json', body: JSON.stringify(result) };
}

function failed(error, { service, requestId, wantsJson }) {
	if (service === 'sts')
		return { status: error.status, code: error.code, ...writeError(error, requestId, wantsJson) };
	if (service === 'ec2') return { status: error.status, code: error.code, ...writeEc2Error(error, requestId) };
	if (['tag', 'organizations'].includes(service)) {
		const body = JSON.stringify({ __type: error.code, Message: error.message });
		return { status: error.status, code: error.code, type: 'application/x-amz-json-1.1', body };
	}
	return {
		status: error.status,
		code: error.code,
		type: 'application/json',
		headers: { 'x-amzn-ErrorType': error.code },
		body: JSON.stringify({ ...error.members, message: error.message }),
	};
}

function applyFault(fault, context, answer) {
	const result = { call: context.call, requestId: context.requestId, fault, answer };
	const spoiled = fault && spoil(fault, answer, context.call);
	if (!spoiled) return result;
	if (!spoiled.error) return { ...result, answer: spoiled };
	const error = new AwsError(spoiled.error.status, spoiled.error.code, spoiled.error.message);
	return { ...result, answer: failed(error, context) };
}

function send(simulator, response, { call, requestId, fault, answer }) {
	simulator.faults.count(call, answer.code);
	if (fault?.kind === 'hang') return;
	if (fault?.kind === 'reset') {
		response.socket.destroy();
		return;
	}
	const write = () => {
		response.writeHead(answer.status, {
			'content-type': answer.type,
			'content-length': Buffer.byteLength(answer.body),
			'x-amzn-RequestId': requestId,
			date: new Date(now(simulator.state)).toUTCString(),
			...answer.headers,
		});
		response.end(answer.body);
	};
	const delay = fault?.kind === 'delay' ? fault.ms : simulator.state.settings.delayMs;
	if (delay) setTimeout(write, delay);
	else write();
}

// `simulator`: {state, faults}. Resolves to the listening server.
export function startPublic(simulator, port) {
	simulator.sequence = 0;
	const server = createServer({ keepAliveTimeout: 20000 }, (request, response) => {
		readBody(request)
			.then((body) => send(simulator, response, perform(simulator, readHead(request), body)))
			.catch((error) => {
				process.stderr.write(`aws: ${request.method} ${request.url}: ${error.stack}\n`);
				response.writeHead(500).end();
			});
	});
	return new Promise((resolve, reject) => {
		server.once('error', reject);
		server.listen(port, '127.0.0.1', () => resolve(server));
	});
}
