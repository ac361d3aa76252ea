// `kubeproxyd rbac`: what it prints is read by the tool that it is for, and does what it says.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import hcl from 'hcl2-parser';
import { parse, parseAllDocuments } from 'yaml';
import { command, CLUSTERS, nameOf, person, run, scenario, startBoth } from './harness.mjs';

const models = JSON.parse(readFileSync(new URL('../sim/models.json', import.meta.url), 'utf8'));
const ADMIN = `---
kind: role
version: v8
metadata: {name: admin}
spec:
  allow:
    kubernetes_labels: {'*': '*'}
    kubernetes_groups: ['system:masters']
---
kind: role_binding
version: v1
metadata: {name: admins}
spec: {roles: [admin], users: [root-of-the-cluster]}
`;

const ACTING = `kind: role
version: v8
metadata: {name: acting}
spec:
  allow:
    kubernetes_labels: {'*': '*'}
    kubernetes_groups: [developers]
    kubernetes_impersonate: {users: ['*'], extra: {scopes: ['*']}}
`;

scenario('kubeproxyd rbac', { clusters: CLUSTERS.slice(0, 1) }, async (world) => {
	const [prod] = CLUSTERS;
	const name = nameOf(prod);
	const { kubeproxyd } = await startBoth(world, [name]);
	const print = async (...args) => {
		const result = await command(world, 'kubeproxyd', ['rbac', name, '--principal', world.proxyUser.arn, ...args]);
		assert.equal(result.code, 0, result.stderr);
		return result.stdout;
	};

	// Manifests: kubectl applies them, and the cluster grants what they say.
	const manifests = await print('--format', 'manifests');
	const [role, binding] = parseAllDocuments(manifests).map((document) => document.toJS());
	assert.deepEqual(role.rules.find(({ resourceNames }) => resourceNames).resourceNames, ['developers', 'viewers']);
	assert.deepEqual(binding.subjects.map((subject) => subject.name), ['eksgate:proxy']);
	writeFileSync(world.path('roles.d', 'acting.yaml'), ACTING);
	const extended = parseAllDocuments(await print('--format', 'manifests', '--extras'))[0].toJS();
	// One by one: RBAC knows no userextras/*.
	assert.deepEqual(extended.rules.find(({ resources }) => resources.includes('uids')).resources, [
		'uids',
		'userextras/original-user.eksgate.io',
		'userextras/scopes',
	]);
	writeFileSync(world.path('roles.d', 'admin.yaml'), ADMIN);
	const from = kubeproxyd.reload();
	await kubeproxyd.log('main', 'reloaded', /./, { from });
	await world.api(prod)('POST', '/objects', {
		apiVersion: 'rbac.authorization.k8s.io/v1',
		kind: 'ClusterRole',
		metadata: { name: 'eksgate' },
		rules: [{ apiGroups: [''], resources: ['users', 'groups'], verbs: ['impersonate'] }],
	});
	const root = await person(world, kubeproxyd, 'root-of-the-cluster');
	// The binding first: the role takes from the one who applies it what it needs to do so.
	const [first, second] = manifests.split('---\n');
	writeFileSync(world.path('manifests.yaml'), `${second}---\n${first}`);
	const applied = await root.kubectlOk(name, ['apply', '--server-side', '--force-conflicts', '-f', world.path('manifests.yaml')]);
	assert.match(applied, /clusterrolebinding\S* serverside-applied\nclusterrole\S* serverside-applied/);
	const alice = await person(world, kubeproxyd, 'alice', ['engineering']);
	await alice.kubectlOk(name, ['get', 'pods']);
	const narrowed = await root.kubectl(name, ['get', 'pods']);
	assert.match(narrowed.stderr, /cannot impersonate resource "groups"/, 'system:masters is no group that the role names');

	// The whole of it as a shell script: its words are kubectl's and the AWS CLI's.
	const steps = await print();
	assert.match(steps, /^aws eks create-access-entry/m);
	assert.equal((await run('sh', ['-n', '-c', steps])).code, 0);
	const words = (await run('sh', ['-c', `aws() { printf '%s\\n' "$@"; }\n${await print('--format', 'awscli')}`])).stdout.trim().split('\n');
	assert.deepEqual(words.slice(0, 2), ['eks', 'create-access-entry']);
	const members = JSON.stringify(models);
	for (const option of words.filter((word) => word.startsWith('--') && word !== '--region')) {
		const member = option.slice(2).replace(/-(.)/g, (_, letter) => letter.toUpperCase());
		assert.ok(members.includes(`"${member}"`), `${option} is no member of CreateAccessEntry`);
	}
	assert.ok(words.includes(world.proxyUser.arn));

	const mapping = parse(await print('--format', 'aws-auth'));
	assert.deepEqual(mapping, [{ userarn: world.proxyUser.arn, username: 'eksgate', groups: ['eksgate:proxy'] }]);
	const role_ = await command(world, 'kubeproxyd', ['rbac', name, '--principal', 'arn:aws:iam::111111111111:role/team/a/eksgate', '--format', 'aws-auth']);
	assert.equal(parse(role_.stdout)[0].rolearn, 'arn:aws:iam::111111111111:role/eksgate', 'aws-auth knows no paths');

	const eksctl = parse(await print('--format', 'eksctl'));
	assert.deepEqual(eksctl.accessConfig.accessEntries, [
		{ principalARN: world.proxyUser.arn, type: 'STANDARD', kubernetesGroups: ['eksgate:proxy'] },
	]);
	assert.deepEqual(eksctl.metadata, { name: 'prod-1', region: 'eu-west-1' });

	const stack = parse(await print('--format', 'cloudformation')).Resources.EksgateAccessEntry;
	assert.equal(stack.Type, 'AWS::EKS::AccessEntry');
	assert.equal(stack.Properties.PrincipalArn, world.proxyUser.arn);

	const [terraform, problem] = hcl.parseToObject(await print('--format', 'terraform'));
	assert.equal(problem, null);
	assert.equal(terraform.resource.aws_eks_access_entry.eksgate[0].principal_arn, world.proxyUser.arn);
	assert.deepEqual(
		terraform.resource.kubernetes_cluster_role_v1.eksgate[0].rule.map(({ verbs }) => verbs[0]),
		role.rules.map(({ verbs }) => verbs[0]),
	);

	// Wrong use, and a cluster that nobody serves.
	assert.equal((await command(world, 'kubeproxyd', ['rbac', name, '--format', 'chef'])).code, 2);
	const unknown = await command(world, 'kubeproxyd', ['rbac', 'nowhere']);
	assert.equal(unknown.code, 1);
	assert.match(unknown.stderr, /no instance here serves "nowhere"/);
});
