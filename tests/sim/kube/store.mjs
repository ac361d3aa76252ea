// The objects of one simulated cluster, with resource versions, a history for watches, and observers. No HTTP here.
import { randomUUID } from 'node:crypto';
import { apiVersionOf, findType } from './types.mjs';
import { notFound, StatusError } from './status.mjs';

const HISTORY_MAX = 1000;
const NAME = /^[a-z0-9:]([-a-z0-9.:]*[a-z0-9:])?$/;

export class Store {
	constructor() {
		this.version = 1000;
		this.objects = new Map(); // "group/resource" -> Map "namespace/name" -> object
		this.history = []; // {version, type: ADDED | MODIFIED | DELETED, group, resource, object}
		this.watchers = new Set();
	}

	table(type) {
		const key = `${type.group}/${type.resource}`;
		if (!this.objects.has(key)) this.objects.set(key, new Map());
		return this.objects.get(key);
	}

	get(type, namespace, name) {
		const object = this.table(type).get(`${namespace}/${name}`);
		if (!object) throw notFound(type, name);
		return object;
	}

	find(type, namespace, name) {
		return this.table(type).get(`${namespace}/${name}`);
	}

	// Sorted as etcd does, by namespace and name.
	list(type, namespace = '') {
		return [...this.table(type).entries()]
			.filter(([key]) => namespace === '' || key.startsWith(`${namespace}/`))
			.sort(([a], [b]) => (a < b ? -1 : 1))
			.map(([, object]) => object);
	}

	// `isDryRun`: what would be stored is returned, and nothing is.
	create(type, namespace, document, { isDryRun = false } = {}) {
		const object = this.prepare(type, namespace, document);
		const key = `${namespace}/${object.metadata.name}`;
		if (this.table(type).has(key)) {
			const kind = type.group ? `${type.resource}.${type.group}` : type.resource;
			throw new StatusError(409, `${kind} "${object.metadata.name}" already exists`, { reason: 'AlreadyExists' });
		}
		return isDryRun ? object : this.put(type, key, object, 'ADDED');
	}

	prepare(type, namespace, document) {
		const metadata = { ...document.metadata };
		if (!metadata.name && metadata.generateName) metadata.name = metadata.generateName + randomUUID().slice(0, 5);
		if (!NAME.test(metadata.name ?? '') || metadata.name.length > 253) {
			throw new StatusError(
				422,
				`${type.kind} "${metadata.name ?? ''}" is invalid: metadata.name: Invalid value`,
			);
		}
		if (document.kind !== type.kind || document.apiVersion !== apiVersionOf(type)) {
			throw new StatusError(
				400,
				`the object provided is ${document.apiVersion} ${document.kind}, not ${apiVersionOf(type)} ${type.kind}`,
			);
		}
		if (type.namespaced && metadata.namespace && metadata.namespace !== namespace) {
			throw new StatusError(
				400,
				'the namespace of the provided object does not match the namespace sent on the request',
			);
		}
		if (type.namespaced && !this.find(findType('', 'v1', 'namespaces'), '', namespace)) {
			throw notFound({ group: '', resource: 'namespaces' }, namespace);
		}
		if (type.namespaced) metadata.namespace = namespace;
		metadata.uid = randomUUID();
		if (type.hasGeneration) metadata.generation = 1;
		metadata.creationTimestamp = new Date().toISOString().replace(/\.\d+Z/, 'Z');
		return { ...document, metadata };
	}

	// `part`: "status" when only that is written; with a generation, everything but the status is otherwise.
	update(type, namespace, name, document, { part = '', isDryRun = false } = {}) {
		const old = this.get(type, namespace, name);
		const wanted = document.metadata?.resourceVersion;
		if (wanted && wanted !== old.metadata.resourceVersion) {
			throw new StatusError(
				409,
				`Operation cannot be fulfilled on ${type.resource} "${name}": the object has been modified; please ` +
					'apply your changes to the latest version and try again',
			);
		}
		if (document.metadata?.name !== name)
			throw new StatusError(400, 'the name of the object does not match the name on the URL');
		const object = this.replaceParts(type, old, document, part);
		return isDryRun ? object : this.put(type, `${namespace}/${name}`, object, 'MODIFIED');
	}

	replaceParts(type, old, document, part) {
		const { uid, creationTimestamp, namespace: ns, generation } = old.metadata;
		const kept = { uid, creationTimestamp, ...(ns ? { namespace: ns } : {}) };
		if (!type.hasGeneration) return { ...document, metadata: { ...document.metadata, ...kept } };
		if (part === 'status') return { ...old, status: document.status };
		const isChanged = JSON.stringify(document.spec) !== JSON.stringify(old.spec);
		const metadata = { ...document.metadata, ...kept, generation: generation + (isChanged ? 1 : 0) };
		return { ...document, metadata, status: old.status };
	}

	put(type, key, object, event) {
		this.version++;
		const stored = { ...object, metadata: { ...object.metadata, resourceVersion: String(this.version) } };
		this.table(type).set(key, stored);
		this.tell(event, type, stored);
		return stored;
	}

	remove(type, namespace, name) {
		const old = this.get(type, namespace, name);
		this.table(type).delete(`${namespace}/${name}`);
		this.version++;
		this.tell('DELETED', type, { ...old, metadata: { ...old.metadata, resourceVersion: String(this.version) } });
		return old;
	}

	tell(event, type, object) {
		const entry = { version: this.version, type: event, group: type.group, resource: type.resource, object };
		this.history.push(entry);
		if (this.history.length > HISTORY_MAX) this.history.shift();
		for (const watcher of this.watchers) watcher(entry);
	}

	// Events after `version`; throws 410 when the history does not reach back.
	since(version) {
		const oldest = this.history.length === HISTORY_MAX ? this.history[0].version : 0;
		if (version < oldest) throw new StatusError(410, `too old resource version: ${version} (${oldest})`);
		return this.history.filter((entry) => entry.version > version);
	}

	// Whatever its kind is: for seeding and control. Creates or replaces.
	apply(document) {
		const [group, version] = document.apiVersion.includes('/')
			? document.apiVersion.split('/')
			: ['', document.apiVersion];
		const type = findType(group, version, pluralOf(document.kind));
		if (!type) throw new StatusError(404, `no type ${document.apiVersion} ${document.kind}`);
		const namespace = type.namespaced ? (document.metadata.namespace ?? 'default') : '';
		if (!this.find(type, namespace, document.metadata.name)) return this.create(type, namespace, document);
		return this.update(type, namespace, document.metadata.name, document);
	}
}

function pluralOf(kind) {
	return `${kind.toLowerCase()}s`;
}
