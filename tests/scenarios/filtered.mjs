// What scenarios of filtering stand on: a role for some objects, a cluster with objects that two restricted people see some of, and a check that
// nothing else is told.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { CLUSTERS, nameOf, person, startBoth } from './harness.mjs';

export const [PROD] = CLUSTERS;
export const NAME = nameOf(PROD);

const ROLES = `kind: role
version: v8
metadata: {name: web}
spec:
  allow:
    kubernetes_labels: {'*': '*'}
    kubernetes_groups: [developers]
    kubernetes_resources:
    - {kind: pods, namespace: default, name: 'web-*', verbs: [get, list, watch]}
    - {kind: configmaps, namespace: team-a, name: '*', verbs: ['*']}
---
kind: role
version: v8
metadata: {name: all-but-secret}
spec:
  allow:
    kubernetes_labels: {'*': '*'}
    kubernetes_groups: [administrators]
    kubernetes_resources:
    - {kind: '*', api_group: '*', namespace: '*', name: '*', verbs: ['*']}
  deny:
    kubernetes_resources:
    - {kind: configmaps, namespace: '*', name: 'secret-*', verbs: ['*']}
---
kind: role_binding
version: v1
metadata: {name: web}
spec: {roles: [web], users: [wanda]}
---
kind: role_binding
version: v1
metadata: {name: all-but-secret}
spec: {roles: [all-but-secret], users: [albert]}
`;

// A role "some" with these rows, and who has it.
export const someRole = (user, rows) => `kind: role
version: v8
metadata: {name: some}
spec:
  allow:
    kubernetes_labels: {'*': '*'}
    kubernetes_groups: [developers]
    kubernetes_resources:
${rows.map((row) => `    - {${row}}\n`).join('')}---
kind: role_binding
version: v1
metadata: {name: some}
spec: {roles: [some], users: [${user}]}
`;

// eve sees every second of the objects that are made up in the namespace bulk.
export const EVEN = someRole('eve', ["kind: configmaps, namespace: bulk, name: '^bulk-[0-9]*[02468]$', verbs: [list]"]);

export const map = (name, namespace = 'default') => ({
	apiVersion: 'v1',
	kind: 'ConfigMap',
	metadata: { name, namespace, annotations: { 'example.com/note': `{"name":"${name}"}` } },
	data: { value: `of ${name}` },
});

// {kubeproxyd, wanda, albert, put}: wanda reads pods web-* in default and the ConfigMaps of team-a; albert reads all but
// ConfigMaps secret-*.
export async function startFiltered(world) {
	writeFileSync(world.path('roles.d', 'filtered.yaml'), ROLES);
	const { kubeproxyd } = await startBoth(world, [NAME]);
	const put = (object) => world.api(PROD)('POST', '/objects', object);
	await world.api(PROD)('POST', '/fill', { count: 2, namespace: 'default', prefix: 'db' });
	for (const [name, namespace] of [['secret-1'], ['plain-1'], ['plain-2'], ['of-team', 'team-a'], ['of-system', 'kube-system']])
		await put(map(name, namespace));
	return {
		kubeproxyd,
		put,
		wanda: await person(world, kubeproxyd, 'wanda'),
		albert: await person(world, kubeproxyd, 'albert'),
	};
}

export const namesOf = (list) => list.items.map(({ metadata }) => metadata.name).sort();

// Whatever a client of wanda's printed or got.
export function tellsNothingElse(text) {
	assert.doesNotMatch(text, /db-\d|job-1|kube-system|of-system|secret-1|plain-/);
}
