// One simulated API server: TLS with its own authority, HTTP/1.1 and h2, and the walk of a request: authenticate,
// impersonate, authorize, answer. Everything that came in is recorded.
import { createSecureServer } from 'node:http2';
import { createServer } from 'node:https';
import { answerAction, answerMetrics } from './actions.mjs';
import { createAuthenticator } from './authenticate.mjs';
import { forbidden, impersonate, isAllowed } from './authorize.mjs';
import { answerBulk } from './bulk.mjs';
import { answerPlain } from './discovery.mjs';
import { applyFault, createFaults, refuseUnprocessed } from './faults.mjs';
import { answerLogs, Logs } from './logs.mjs';
import { makePki } from './pki.mjs';
import { answerProxy } from './proxy.mjs';
import { serveBytes } from './raw_tunnel.mjs';
import { requestInfo } from './request_info.mjs';
import { answerResource, readDocument } from './rest.mjs';
import { answerReview } from './reviews.mjs';
import { runPod, seedLogs, seedObjects } from './seed.mjs';
import { sendJson, StatusError, statusDocument } from './status.mjs';
import { Store } from './store.mjs';
import { findType } from './types.mjs';
import { serveUpgrade } from './upgrade.mjs';
import { answerWatch } from './watch.mjs';
import { Workloads } from './workloads.mjs';

const BODY_MAX = 3 * 1024 * 1024;
const TUNNELS = ['exec', 'attach', 'portforward'];
const REVIEWS = ['selfsubjectaccessreviews', 'selfsubjectrulesreviews', 'selfsubjectreviews'];
const NO_UPGRADE = 'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 4\r\nConnection: close\r\n\r\nnope';
const RECORDS_MAX = 20000;
const START_MS = 100;

function headerPairs(raw) {
	const pairs = [];
	for (let i = 0; i < raw.length; i += 2) if (!raw[i].startsWith(':')) pairs.push([raw[i], raw[i + 1]]);
	return pairs;
}

async function readBody(request) {
	const parts = [];
	let size = 0;
	for await (const part of request) {
		size += part.length;
		if (size > BODY_MAX)
			throw new StatusError(413, 'Request entity too large: limit is 3145728', {
				reason: 'RequestEntityTooLarge',
			});
		parts.push(part);
	}
	return Buffer.concat(parts);
}

export class Cluster {
	// `place`: {account, region, name}; `aws`: the control of the AWS simulator; `application` and `files` are what its
	// pods consist of; `rbac` false: without eksgate's own ClusterRole and binding.
	constructor(place, { aws, application, files, cacheMs = 1000, pki, rbac = true }) {
		Object.assign(this, {
			place,
			application,
			files,
			store: new Store(),
			logs: new Logs(),
			faults: createFaults(),
			records: [],
			bulk: new Map(), // lists that are made up: see bulk.mjs
			cutters: new Set(),
			sockets: new Set(),
		});
		this.pki = makePki(place.name, pki);
		this.authenticate = createAuthenticator({ aws, place, store: this.store, cacheMs });
		this.connections = 0;
		for (const object of seedObjects({ rbac })) this.store.apply(object);
		this.workloads = new Workloads(this.store);
		seedLogs(this.logs);
		this.store.watchers.add((entry) => this.runNewPod(entry));
	}

	runNewPod({ type, group, resource, object }) {
		if (type !== 'ADDED' || group !== '' || resource !== 'pods' || object.status) return;
		const pods = findType('', 'v1', 'pods');
		const { namespace, name } = object.metadata;
		setTimeout(() => {
			const now = this.store.find(pods, namespace, name);
			if (now && !now.status) this.store.update(pods, namespace, name, { ...now, status: runPod(now) });
		}, START_MS);
	}

	get endpoint() {
		return `https://127.0.0.1:${this.port}`;
	}

	get certificateAuthority() {
		return Buffer.from(this.pki.ca).toString('base64');
	}

	start(port = this.port ?? 0) {
		const options = { key: this.pki.key, cert: this.pki.cert, minVersion: 'TLSv1.2' };
		const server = this.speaksOnlyHttp1
			? createServer({ ...options, ALPNProtocols: ['http/1.1'] })
			: createSecureServer({ ...options, allowHTTP1: true });
		server.on('secureConnection', (socket) => this.onConnection(socket));
		server.on('request', (request, response) => this.onRequest(request, response));
		server.on('upgrade', (request, socket, head) => this.onUpgrade(request, socket, head));
		server.on('sessionError', () => {});
		this.server = server;
		return new Promise((resolve, reject) => {
			server.once('error', reject);
			server.listen(port, '127.0.0.1', () => {
				this.port = server.address().port;
				resolve(this);
			});
		});
	}

	onConnection(socket) {
		socket.connectionId = ++this.connections;
		socket.self = socket;
		socket.isResumed = socket.isSessionReused();
		socket.setNoDelay(true);
		socket.on('error', () => {});
		this.sockets.add(socket);
		socket.on('close', () => this.sockets.delete(socket));
	}

	// Nobody is answered any more; the port stays ours to come back to.
	async stop() {
		for (const socket of this.sockets) socket.destroy();
		await new Promise((resolve) => {
			this.server.close(resolve);
		});
	}

	async rotate(options) {
		this.pki = makePki(this.place.name, options);
		await this.stop();
		await this.start();
	}

	async restart({ http1 = false } = {}) {
		this.speaksOnlyHttp1 = http1;
		await this.stop();
		await this.start();
	}

	record(request) {
		const socket = request.stream?.session?.socket ?? request.socket;
		const entry = {
			method: request.method,
			target: request.url,
			version: request.httpVersion,
			connection: socket?.connectionId,
			resumed: socket?.isResumed,
			host: request.headers[':authority'] ?? request.headers.host,
			headers: headerPairs(request.rawHeaders),
			at: Date.now(),
		};
		if (this.records.length >= RECORDS_MAX) this.records.shift();
		this.records.push(entry);
		return entry;
	}

	// {user, info} of a request that may be answered; throws StatusError otherwise.
	async admit(request, entry) {
		const identity = await this.authenticate(request.headers.authorization);
		entry.identity = identity.name;
		const user = impersonate(this.store, identity, entry.headers);
		entry.user = user.name;
		entry.groups = user.groups;
		entry.uid = user.uid;
		entry.extra = user.extra;
		let info;
		try {
			info = requestInfo(request.method, request.url);
		} catch (error) {
			throw new StatusError(400, error.message);
		}
		if (!isAllowed(this.store, user, info)) throw forbidden(user, info);
		return { user, info };
	}

	onRequest(request, response) {
		const entry = this.record(request);
		const fault = this.faults.take(request);
		entry.isRefused = refuseUnprocessed(fault, request);
		if (entry.isRefused) return;
		response.packs = this.compresses && /\bgzip\b/.test(request.headers['accept-encoding'] ?? '');
		response.on('close', () => {
			entry.isClosed = true;
		});
		if (fault?.kind === 'headers') for (const [name, value] of fault.headers) response.setHeader(name, value);
		const auditId = request.headers['audit-id'];
		if (auditId) response.setHeader('audit-id', auditId);
		response.on('finish', () => {
			entry.status = response.statusCode;
			entry.answerType = response.getHeader?.('content-type');
		});
		this.answer(request, response, entry, fault).catch((error) => this.fail(request, response, entry, error));
	}

	async answer(request, response, entry, fault) {
		if (fault?.kind === 'unauthorized')
			throw Object.assign(new StatusError(401, 'Unauthorized'), { why: 'a fault' });
		const { user, info } = await this.admit(request, entry);
		const body = await readBody(request);
		entry.bodyLength = body.length;
		entry.body = body.length <= 4096 ? body.toString('utf8') : undefined;
		if (applyFault(fault, request, response)) return;
		if (!info.isResource) {
			answerPlain(info.path, request, response);
			return;
		}
		this.answerKnown({ request, response, user, info, body, headers: entry.headers });
	}

	answerKnown({ request, response, user, info, body, headers }) {
		const type = findType(info.group, info.version, info.resource);
		if (!type) throw new StatusError(404, 'the server could not find the requested resource');
		const { store, logs, cutters, workloads } = this;
		const context = { store, logs, cutters, workloads, type, info, request, response, body };
		if (info.subresource === 'log' && info.verb === 'get') answerLogs(context);
		else if (TUNNELS.includes(info.subresource)) throw new StatusError(400, 'Upgrade request required');
		else if (info.subresource === 'proxy') answerProxy({ ...context, application: this.application, headers });
		else if (answerAction(context)) return;
		else if (info.subresource !== '' && info.subresource !== 'status')
			throw new StatusError(404, 'the server could not find the requested resource');
		else if (REVIEWS.includes(info.resource))
			answerReview(store, user, info, readDocument(request, body), request, response);
		else if (info.verb === 'watch') answerWatch(context);
		else if (info.group === 'metrics.k8s.io') answerMetrics(context);
		else if (!answerBulk(this.bulk, context)) answerResource({ ...context, body: readDocument(request, body) });
	}

	fail(request, response, entry, error) {
		if (!(error instanceof StatusError))
			process.stderr.write(`kube: ${request.method} ${request.url}: ${error.stack}\n`);
		entry.error = error.why ?? error.message;
		if (response.headersSent) {
			response.destroy?.();
			return;
		}
		const code = error instanceof StatusError ? error.code : 500;
		sendJson(
			response,
			code,
			error.document ?? statusDocument(500, error.message),
			code === 401 ? { 'www-authenticate': 'Bearer' } : {},
		);
		// Since 1.29 a connection that sent an unauthenticated request over h2 is told to go.
		if (code === 401 && request.stream) request.stream.session?.goaway();
	}

	onUpgrade(request, socket, head) {
		const entry = this.record(request);
		entry.upgrade = request.headers.upgrade;
		socket.on('error', () => {});
		this.upgrade(request, socket, head, entry).catch((error) => {
			if (!(error instanceof StatusError)) process.stderr.write(`kube: upgrade ${request.url}: ${error.stack}\n`);
			const document = JSON.stringify(error.document ?? statusDocument(500, error.message));
			entry.status = error.code ?? 500;
			entry.error = error.why ?? error.message;
			socket.end(
				`HTTP/1.1 ${entry.status} Refused\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(document)}\r\n` +
					`Connection: close\r\n\r\n${document}`,
			);
		});
	}

	async upgrade(request, socket, head, entry) {
		const fault = this.faults.take(request);
		if (fault?.kind === 'unauthorized') throw new StatusError(401, 'Unauthorized');
		if (fault?.kind === 'hang') return;
		const { info } = await this.admit(request, entry);
		const type = findType(info.group, info.version, info.resource);
		const { store, logs, files, application } = this;
		const instead = {
			'no-upgrade': () => socket.end(fault.text ?? NO_UPGRADE),
			tunnel: (chosen) => serveBytes(request, socket, chosen, fault),
		}[fault?.kind];
		serveUpgrade({ store, logs, files, application, type, info, request, socket, head, entry }, instead);
	}

	// Ends every watch and followed log in mid-stream ("cut") or cleanly ("end").
	endStreams(how) {
		for (const end of [...this.cutters]) if (how === 'end') end();
		if (how === 'cut') for (const socket of this.sockets) socket.destroy();
	}
}
