// `kubectl --as`: whom a role permits is whom the cluster sees, with the groups that were asked for and no others; on whose
// behalf goes along where the setting says so; everybody else is refused before anything is sent, and cut with the right to it.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { CLUSTERS, ended, nameOf, person, scenario, startBoth, until } from './harness.mjs';

const ROLES = `kind: role
version: v8
metadata: {name: helpdesk}
spec:
  allow:
    kubernetes_labels: {'*': '*'}
    kubernetes_groups: [viewers]
    kubernetes_resources: [{kind: pods, namespace: '*', name: '*', verbs: [get, list, watch]}]
    kubernetes_impersonate: {users: ['*'], groups: ['developers', 'team-*'], service_accounts: ['*'], uids: ['4*'], extra: {scopes: ['*'], acme.com/project: ['*']}}
---
kind: role_binding
version: v1
metadata: {name: helpdesk}
spec: {roles: [helpdesk], users: [hanna]}
`;
const EXTRAS = { apiGroups: ['authentication.k8s.io'], resources: ['uids', 'userextras/scopes', 'userextras/acme.com/project', 'userextras/original-user.eksgate.io'], verbs: ['impersonate'] };

scenario('acting as others', { clusters: CLUSTERS.slice(0, 1) }, async (world) => {
	const [prod] = CLUSTERS;
	writeFileSync(world.path('roles.d', 'helpdesk.yaml'), ROLES);
	world.config.eksgate.proxy.original_user = true;
	world.writeConfig();
	const { kubeproxyd } = await startBoth(world, [nameOf(prod)]);
	await world.api(prod)('POST', '/objects', {
		apiVersion: 'rbac.authorization.k8s.io/v1',
		kind: 'ClusterRole',
		metadata: { name: 'eksgate' },
		rules: [{ apiGroups: [''], resources: ['users', 'groups', 'serviceaccounts'], verbs: ['impersonate'] }, EXTRAS],
	});
	const hanna = await person(world, kubeproxyd, 'hanna');
	const path = `/clusters/${nameOf(prod)}/api/v1/namespaces/default/pods`;
	const ask = (headers, target = path) => hanna.request(target, { headers });
	const last = async () => (await world.received(prod)).at(-1);
	const of = ({ headers }, name) => headers.filter(([n]) => n.toLowerCase() === name).map(([, value]) => value);

	const eventOf = (answer) =>
		until('the event of it', async () =>
			readFileSync(world.path('audit', 'main.jsonl'), 'utf8')
				.split('\n')
				.filter(Boolean)
				.map((line) => JSON.parse(line))
				.find(({ auditID }) => auditID === answer.headers['audit-id']),
		);

	const plain = await hanna.kubectl(nameOf(prod), ['get', 'pods']);
	assert.equal(plain.code, 0, plain.stderr);
	assert.deepEqual([(await last()).user, of(await last(), 'impersonate-extra-original-user.eksgate.io')], ['hanna', []]);

	await hanna.kubectlOk(nameOf(prod), ['get', 'pods', '--as', 'bob', '--as-group', 'developers']);
	const seen = await last();
	assert.deepEqual([seen.user, seen.groups], ['bob', ['developers', 'system:authenticated']]);
	assert.deepEqual(of(seen, 'impersonate-extra-original-user.eksgate.io'), ['hanna']);

	// Without groups bob has none: the cluster's own RBAC says no to him, not to hanna.
	const alone = await hanna.kubectl(nameOf(prod), ['get', 'pods', '--as', 'bob']);
	assert.match(alone.stderr, /is forbidden: User "bob" cannot list/);
	const scoped = await ask({ 'impersonate-user': 'bob', 'impersonate-group': 'developers', 'Impersonate-Extra-Scopes': 'a b' });
	assert.equal(scoped.status, 200, scoped.text);
	assert.deepEqual(of(await last(), 'impersonate-extra-scopes'), ['a b']);
	const audited = await eventOf(scoped);
	assert.equal(audited.user.username, 'hanna');
	assert.deepEqual(audited.impersonatedUser, {
		username: 'bob',
		groups: ['developers'],
		extra: { scopes: ['a b'], 'original-user.eksgate.io': ['hanna'] },
	});
	// A uid, and an extra whose key is not one of a field's name: the API server knows it by what it stands for.
	const full = await ask({
		'impersonate-user': 'bob',
		'impersonate-group': 'developers',
		'impersonate-uid': '42',
		'Impersonate-Extra-acme.com%2Fproject': 'moon',
	});
	assert.equal(full.status, 200, full.text);
	const extra = { 'acme.com/project': ['moon'], 'original-user.eksgate.io': ['hanna'] };
	const arrived = await last();
	assert.deepEqual(of(arrived, 'impersonate-uid'), ['42']);
	assert.deepEqual([arrived.user, arrived.uid, arrived.extra], ['bob', '42', extra]);
	const { impersonatedUser } = await eventOf(full);
	assert.deepEqual(impersonatedUser, { username: 'bob', uid: '42', groups: ['developers'], extra });
	const account = await ask({ 'impersonate-user': 'system:serviceaccount:default:robot' });
	assert.match(account.json.message, /is forbidden: User "system:serviceaccount:default:robot"/);

	const before = (await world.received(prod)).length;
	for (const [headers, status] of [
		[{ 'impersonate-user': 'bob', 'impersonate-group': 'system:masters' }, 403],
		[{ 'impersonate-user': 'bob', 'impersonate-group': 'others' }, 403],
		[{ 'impersonate-user': 'system:admin' }, 403],
		[{ 'impersonate-user': 'system:node:node-1' }, 403],
		[{ 'impersonate-user': 'system:serviceaccount:kube-system:default' }, 403],
		[{ 'impersonate-user': 'bob', 'impersonate-uid': '1' }, 403],
		[{ 'impersonate-user': 'bob', 'impersonate-extra-other': '1' }, 403],
		[{ 'impersonate-user': 'bob', 'impersonate-extra-original-user%2Eeksgate.io': 'root' }, 403],
		[{ 'impersonate-uid': '1' }, 403],
		[{ 'impersonate-user': 'bob', 'impersonate-anything': '1' }, 403],
	]) {
		const answer = await ask(headers);
		assert.equal(answer.status, status, `${JSON.stringify(headers)}: ${answer.text}`);
	}
	// The request itself must be allowed by the role.
	const secrets = await ask({ 'impersonate-user': 'bob' }, path.replace('pods', 'secrets'));
	assert.equal(secrets.status, 403);
	assert.equal((await world.received(prod)).length, before);

	// What is done as somebody else ends with the right to act as them, what is one's own does not.
	const session = hanna.h2();
	const watch = async (headers) => (await hanna.open(session, `${path}?watch=true`, { headers })).resume();
	const own = await watch({});
	const cut = ended(await watch({ 'impersonate-user': 'bob', 'impersonate-group': 'developers' }));
	writeFileSync(world.path('roles.d', 'helpdesk.yaml'), ROLES.replace("users: ['*']", 'users: [carl]'));
	const started = Date.now();
	kubeproxyd.reload();
	assert.notEqual(await cut, 0);
	assert.ok(Date.now() - started < 5000, `${Date.now() - started} ms`);
	assert.ok(!own.closed);
	session.destroy();
});
