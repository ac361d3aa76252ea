// What the controllers of a cluster would do, as far as rollout, scale, drain and helm --wait look at it: a Deployment gets
// a ReplicaSet for each template and pods, pods that go are made again, and what an owner leaves behind is collected.
import { createHash, randomUUID } from 'node:crypto';
import { pod } from './seed.mjs';
import { matchesLabels } from './selectors.mjs';
import { apiVersionOf, findType } from './types.mjs';

const DELAY_MS = 20;
const REVISION = 'deployment.kubernetes.io/revision';

const podType = findType('', 'v1', 'pods');
const setType = findType('apps', 'v1', 'replicasets');
const deploymentType = findType('apps', 'v1', 'deployments');

function ownerReference(type, { metadata }) {
	return {
		apiVersion: apiVersionOf(type),
		kind: type.kind,
		name: metadata.name,
		uid: metadata.uid,
		controller: true,
		blockOwnerDeletion: true,
	};
}

function isOwnedBy(object, owner) {
	return object.metadata.ownerReferences?.some(({ uid }) => uid === owner.metadata.uid) ?? false;
}

function revisionOf({ metadata }) {
	return Number(metadata.annotations?.[REVISION] ?? 0);
}

function withRevision(object, revision) {
	const annotations = { ...object.metadata.annotations, [REVISION]: String(revision) };
	return { ...object, metadata: { ...object.metadata, annotations } };
}

function condition(type, reason) {
	return { type, status: 'True', reason, message: '', lastUpdateTime: null, lastTransitionTime: null };
}

export class Workloads {
	// Watches `store` from here on.
	constructor(store) {
		this.store = store;
		this.isDue = new Set(); // "namespace/name" of deployments
		store.watchers.add((entry) => this.onChange(entry));
	}

	onChange({ type, group, resource, object }) {
		const { namespace, name } = object.metadata;
		if (type === 'DELETED' && (resource === 'deployments' || resource === 'replicasets'))
			setTimeout(() => this.collect(object), DELAY_MS);
		if (group === 'apps' && resource === 'deployments' && type !== 'DELETED') this.schedule(namespace, name);
		if (group === '' && resource === 'pods' && type === 'DELETED') this.onPodGone(object);
	}

	onPodGone(gone) {
		const set = this.store.list(setType, gone.metadata.namespace).find((each) => isOwnedBy(gone, each));
		const owner = set?.metadata.ownerReferences?.[0];
		if (owner) this.schedule(set.metadata.namespace, owner.name);
	}

	schedule(namespace, name) {
		const key = `${namespace}/${name}`;
		if (this.isDue.has(key)) return;
		this.isDue.add(key);
		setTimeout(() => {
			this.isDue.delete(key);
			const deployment = this.store.find(deploymentType, namespace, name);
			if (deployment) this.reconcile(deployment);
		}, DELAY_MS);
	}

	// What lived by the object that is gone.
	collect(owner) {
		for (const type of [setType, podType])
			for (const object of this.store.list(type, owner.metadata.namespace))
				if (isOwnedBy(object, owner) && this.store.find(type, object.metadata.namespace, object.metadata.name))
					this.store.remove(type, object.metadata.namespace, object.metadata.name);
	}

	reconcile(deployment) {
		const sets = this.store
			.list(setType, deployment.metadata.namespace)
			.filter((set) => isOwnedBy(set, deployment));
		const current = this.currentSet(deployment, sets);
		const replicas = deployment.spec.replicas ?? 1;
		for (const set of sets) if (set.metadata.name !== current.metadata.name) this.scaleSet(set, 0);
		this.scaleSet(current, replicas);
		this.report(deployment, revisionOf(current), replicas);
	}

	// The ReplicaSet of the template as it is now; one that comes back gets the newest revision.
	currentSet(deployment, sets) {
		const { template } = deployment.spec;
		const hash = createHash('sha1').update(JSON.stringify(template)).digest('hex').slice(0, 9);
		const name = `${deployment.metadata.name}-${hash}`;
		const newest = Math.max(0, ...sets.map(revisionOf));
		const found = sets.find((set) => set.metadata.name === name);
		if (found && revisionOf(found) === newest) return found;
		if (found) return this.store.update(setType, found.metadata.namespace, name, withRevision(found, newest + 1));
		const labels = { ...template.metadata?.labels, 'pod-template-hash': hash };
		const set = {
			apiVersion: 'apps/v1',
			kind: 'ReplicaSet',
			metadata: { name, labels, ownerReferences: [ownerReference(deploymentType, deployment)] },
			spec: {
				replicas: 0,
				selector: { matchLabels: labels },
				template: { ...template, metadata: { ...template.metadata, labels } },
			},
		};
		return this.store.create(setType, deployment.metadata.namespace, withRevision(set, newest + 1));
	}

	scaleSet(set, replicas) {
		const { namespace, name, labels } = set.metadata;
		const pods = this.store.list(podType, namespace).filter((each) => isOwnedBy(each, set));
		for (const { metadata } of pods.slice(replicas)) this.store.remove(podType, namespace, metadata.name);
		for (let count = pods.length; count < replicas; count++) {
			const made = pod(`${name}-${randomUUID().slice(0, 5)}`, { namespace, labels });
			made.metadata.ownerReferences = [ownerReference(setType, set)];
			this.store.create(podType, namespace, made);
		}
		const now = this.store.get(setType, namespace, name);
		if (now.spec.replicas !== replicas)
			this.store.update(setType, namespace, name, { ...now, spec: { ...now.spec, replicas } });
		const status = { replicas, readyReplicas: replicas, availableReplicas: replicas };
		this.setStatus(setType, namespace, name, status);
	}

	report(deployment, revision, replicas) {
		const { namespace, name } = deployment.metadata;
		const now = this.store.find(deploymentType, namespace, name);
		if (!now) return;
		if (revisionOf(now) !== revision)
			this.store.update(deploymentType, namespace, name, withRevision(now, revision));
		this.setStatus(deploymentType, namespace, name, {
			observedGeneration: deployment.metadata.generation,
			replicas,
			updatedReplicas: replicas,
			readyReplicas: replicas,
			availableReplicas: replicas,
			conditions: [
				condition('Available', 'MinimumReplicasAvailable'),
				condition('Progressing', 'NewReplicaSetAvailable'),
			],
		});
	}

	setStatus(type, namespace, name, wanted) {
		const now = this.store.find(type, namespace, name);
		const status = { observedGeneration: now?.metadata.generation, ...wanted };
		if (!now || JSON.stringify(now.status) === JSON.stringify(status)) return;
		this.store.update(type, namespace, name, { ...now, status }, { part: 'status' });
	}

	// The pods that a budget for disruptions still allows to go: all without one.
	mayEvict(evicted) {
		const budgets = this.store.list(findType('policy', 'v1', 'poddisruptionbudgets'), evicted.metadata.namespace);
		return budgets.every((budget) => {
			if (!matchesLabels(budget.spec.selector, evicted)) return true;
			const chosen = this.store
				.list(podType, evicted.metadata.namespace)
				.filter((each) => matchesLabels(budget.spec.selector, each));
			return chosen.length > Number(budget.spec.minAvailable ?? 0);
		});
	}
}
