// `kubectl auth can-i` tells the truth: what the policy here would refuse is a no with its reason, in the encoding that was
// asked for; what it would pass is what the API server says, asked as whom the request itself would be made.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { CLUSTERS, nameOf, person, scenario, startBoth, until } from './harness.mjs';
import { allEvents } from './recording.mjs';

const ROLES = `kind: role
version: v8
metadata: {name: look}
spec:
  allow:
    kubernetes_labels: {'*': '*'}
    kubernetes_groups: [viewers]
    kubernetes_resources:
    - {kind: pods, namespace: '*', name: '*', verbs: [get, list, delete]}
---
kind: role
version: v8
metadata: {name: change}
spec:
  allow:
    kubernetes_labels: {'*': '*'}
    kubernetes_groups: [developers]
    kubernetes_resources:
    - {kind: configmaps, namespace: default, name: '*', verbs: ['*']}
    - {kind: clusterroles, api_group: rbac.authorization.k8s.io, name: '*', verbs: ['*']}
    - {kind: clusterroles, api_group: rbac.authorization.k8s.io, name: view, verbs: [bind, escalate]}
    kubernetes_impersonate: {users: [bob], groups: ['team-*'], service_accounts: ['dev:*']}
---
kind: role_binding
version: v1
metadata: {name: both}
spec: {roles: [look, change], users: [carla]}
---
kind: role_binding
version: v1
metadata: {name: one}
spec: {roles: [look], users: [lola]}
`;

// In the cluster, people who are developers; what a role here says of it is another matter.
async function mayHandOut(api) {
	const apiGroup = 'rbac.authorization.k8s.io';
	const kind = (name, more) => ({ apiVersion: `${apiGroup}/v1`, kind: name, metadata: { name: 'hand-out' }, ...more });
	const rules = [{ apiGroups: [apiGroup], resources: ['clusterroles'], verbs: ['update', 'bind', 'escalate'] }];
	await api('POST', '/objects', kind('ClusterRole', { rules }));
	const roleRef = { apiGroup, kind: 'ClusterRole', name: 'hand-out' };
	await api('POST', '/objects', kind('ClusterRoleBinding', { roleRef, subjects: [{ apiGroup, kind: 'Group', name: 'developers' }] }));
}

scenario('can-i', { clusters: CLUSTERS.slice(0, 1) }, async (world) => {
	writeFileSync(world.path('roles.d', 'look.yaml'), ROLES);
	const { kubeproxyd } = await startBoth(world, [nameOf(CLUSTERS[0])]);
	await mayHandOut(world.api(CLUSTERS[0]));
	const cluster = nameOf(CLUSTERS[0]);
	const carla = await person(world, kubeproxyd, 'carla');
	for (const [words, is, reason] of [
		[['list', 'pods'], 'yes'],
		[['delete', 'pods'], 'no'], // the cluster's own RBAC, asked as a viewer
		[['create', 'configmaps', '-n', 'default'], 'yes'], // and as a developer
		[['create', 'configmaps', '-n', 'team-a'], 'no', /kind: configmaps/],
		[['get', 'secrets'], 'no', /kind: secrets/],
		[['create', 'pods', '--subresource', 'exec'], 'no', /verbs: \[exec\]/],
		[['get', '/metrics'], 'no', /cannot get \/metrics/],
		[['get', '/version'], 'yes'],
		// Rights of their own, which every verb does not give.
		[['update', 'clusterroles.rbac.authorization.k8s.io/admin'], 'yes'],
		[['bind', 'clusterroles.rbac.authorization.k8s.io/view'], 'yes'],
		[['bind', 'clusterroles.rbac.authorization.k8s.io/admin'], 'no', /verbs: \[bind\]/],
		[['escalate', 'clusterroles.rbac.authorization.k8s.io/view'], 'yes'],
		[['escalate', 'clusterroles.rbac.authorization.k8s.io/admin'], 'no', /verbs: \[escalate\]/],
		// Which the roles alone say: in the cluster it is the proxy that impersonates.
		[['impersonate', 'users/bob'], 'yes'],
		[['impersonate', 'users/bob', '--as', 'bob'], 'no'],
		[['impersonate', 'users/eve'], 'no', /kubernetes_impersonate\.users/],
		[['impersonate', 'groups/team-a'], 'yes'],
		[['impersonate', 'groups/system:masters'], 'no', /kubernetes_impersonate\.groups/],
		[['impersonate', 'serviceaccounts/ci', '-n', 'dev'], 'yes'],
		[['impersonate', 'serviceaccounts/ci', '-n', 'kube-system'], 'no', /kubernetes_impersonate/],
	]) {
		const answer = await carla.kubectl(cluster, ['auth', 'can-i', ...words]);
		const [said] = answer.stdout.trim().split(/\s/);
		assert.equal(said, is, `${words.join(' ')}: ${answer.stdout}${answer.stderr}`);
		if (reason) assert.match(answer.stdout, reason);
	}
	// What was asked, and that it was no denial, is on record.
	const reviews = await until('the events of reviews', () => {
		const all = allEvents(world).filter((event) => event.objectRef?.resource === 'selfsubjectaccessreviews');
		return all.some(({ annotations }) => /may impersonate users "bob"/.test(annotations['eksgate.io/ending'])) && all;
	});
	const yes = reviews.find(({ annotations }) => /may impersonate users "bob"/.test(annotations['eksgate.io/ending']));
	assert.equal(yes.annotations['eksgate.io/ending'], 'answered here: may impersonate users "bob" (role change allow)');
	assert.deepEqual([yes.user.username, yes.responseStatus.code], ['carla', 201]);
	assert.equal(yes.annotations['authorization.k8s.io/decision'], 'allow');
	assert.match(yes.annotations['authorization.k8s.io/reason'], /^role (look|change) allow/);
	const before = (await world.received(CLUSTERS[0])).length;
	const path = `/clusters/${cluster}/apis/authorization.k8s.io/v1/selfsubjectaccessreviews`;
	const spec = { resourceAttributes: { verb: 'get', resource: 'secrets', namespace: 'default' } };
	const body = JSON.stringify({ spec });
	const headers = { 'content-type': 'application/json' };
	const json = await carla.request(path, { method: 'POST', headers, body });
	assert.equal(json.status, 201);
	assert.deepEqual(json.json.spec, spec);
	assert.equal(json.json.status.allowed, false);
	assert.match(json.json.status.reason, /carla.*cannot get secrets/);
	const accept = 'application/vnd.kubernetes.protobuf,application/json';
	const binary = await carla.request(path, { method: 'POST', headers: { ...headers, accept }, body });
	assert.equal(binary.headers['content-type'], 'application/vnd.kubernetes.protobuf');
	assert.ok(binary.text.startsWith('k8s\0'));
	assert.match(binary.text, /SelfSubjectAccessReview/);
	for (const bad of ['{}', '{"spec":{}}', '{"spec":{"resourceAttributes":{},"nonResourceAttributes":{}}}', 'x'])
		assert.equal((await carla.request(path, { method: 'POST', headers, body: bad })).status, 400);
	assert.equal((await world.received(CLUSTERS[0])).length, before, 'none of these was sent');

	// The list is what both allow: RBAC lets viewers watch pods and read services, the role lets lola delete pods.
	const listing = async (somebody, namespace) => {
		const { code, stdout, stderr } = await somebody.kubectl(cluster, ['auth', 'can-i', '--list', '-n', namespace]);
		assert.equal(code, 0, stderr);
		const row = (name) => new RegExp(`^${name} .*\\[([^\\]]*)\\]$`, 'm').exec(stdout)?.[1];
		return { row, stdout, stderr };
	};
	const lola = await person(world, kubeproxyd, 'lola');
	const exact = await listing(lola, 'default');
	assert.deepEqual([exact.row('pods'), exact.row('pods/log')], ['get list', 'get list'], exact.stdout);
	for (const absent of ['secrets', 'services', 'configmaps', 'deployments.apps', 'pods/exec'])
		assert.equal(exact.row(absent), undefined, exact.stdout);
	assert.doesNotMatch(exact.stderr, /incomplete/);
	// Who acts as different groups for different requests is told so.
	const both = await listing(carla, 'default');
	assert.equal(both.row('configmaps'), 'get list watch create delete deletecollection patch update', both.stdout);
	assert.equal(both.row('secrets'), undefined, both.stdout);
	assert.match(both.stderr, /different roles act as different groups/);
	assert.equal((await listing(carla, 'team-a')).row('configmaps'), undefined);
	const rules = `/clusters/${cluster}/apis/authorization.k8s.io/v1/selfsubjectrulesreviews`;
	const posted = { method: 'POST', headers, body: '{"spec":{"namespace":"default"}}' };
	const answer = await lola.request(rules, posted);
	assert.equal(answer.json.status.incomplete, false);
	assert.ok(answer.json.status.nonResourceRules.some(({ nonResourceURLs }) => nonResourceURLs.includes('/version')));
	const packed = await carla.request(rules, { ...posted, headers: { ...headers, accept } });
	assert.ok(packed.text.startsWith('k8s\0'));
	assert.match(packed.text, /SelfSubjectRulesReview/);
	assert.equal((await carla.request(rules, { ...posted, body: '{}' })).status, 400);
});
