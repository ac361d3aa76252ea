// What the proxy finds with its own credentials: each thing that can be wrong between it and a cluster is told by name with
// its remedy, and is noticed when it is mended.
import assert from 'node:assert/strict';
import { command, CLUSTERS, nameOf, scenario, startBoth, until } from './harness.mjs';

const RBAC = { apiVersion: 'rbac.authorization.k8s.io/v1' };

scenario('what the proxy finds', { clusters: CLUSTERS.slice(0, 1) }, async (world) => {
	world.config.eksgate.proxy.probe_interval = '300ms';
	world.writeConfig();
	const [prod] = CLUSTERS;
	const { kubeproxyd } = await startBoth(world, [nameOf(prod)]);
	const api = world.api(prod);
	const access = async () => (await kubeproxyd.call('/v1/clusters')).clusters[0].access;
	const untilCode = (code) =>
		until(`the proxy finds "${code}"`, async () => {
			const found = await access();
			if (found.code !== code) throw new Error(`it finds ${JSON.stringify(found)}`);
			return found;
		});
	const answers = ({ reachable, authenticated, permitted, healthy }) => [reachable, authenticated, permitted, healthy];

	const good = await untilCode('ok');
	assert.deepEqual(answers(good), ['yes', 'yes', 'yes', 'yes']);
	assert.equal(good.principal, world.proxyUser.arn);
	// Only its own questions, as itself.
	for (const { headers, target, method } of await world.received(prod)) {
		assert.ok(!headers.some(([name]) => /^impersonate/i.test(name)), `${method} ${target}`);
		assert.match(target, /^\/readyz$|selfsubjectaccessreviews$/);
	}

	const role = (rules) => api('POST', '/objects', { ...RBAC, kind: 'ClusterRole', metadata: { name: 'eksgate' }, rules });
	await role([{ apiGroups: [''], resources: ['users', 'groups', 'serviceaccounts'], resourceNames: ['developers'], verbs: ['impersonate'] }]);
	const forbidden = await untilCode('forbidden');
	assert.deepEqual(answers(forbidden), ['yes', 'yes', 'no', 'yes']);
	const denied = forbidden.denied.map(({ verb, resource, object }) => [verb, resource, object].filter(Boolean).join(' '));
	assert.deepEqual(denied, ['impersonate users', 'impersonate serviceaccounts', 'get pods', 'impersonate groups viewers']);
	assert.match(forbidden.text, /may not impersonate users, .*groups "viewers": `kubeproxyd rbac/);
	const listed = await command(world, 'kubeproxyd', ['ls']);
	assert.match(listed.stdout, /forbidden/);
	const metrics = await kubeproxyd.call('/metrics');
	assert.match(metrics, /eksgate_probe_clusters\{code="forbidden"\} 1/);

	await role([
		{ apiGroups: [''], resources: ['users', 'groups', 'serviceaccounts'], verbs: ['impersonate'] },
		{ apiGroups: [''], resources: ['pods'], verbs: ['get'] },
	]);
	await untilCode('ok');

	await api('POST', '/faults', { kind: 'status', path: '^/readyz', code: 500 });
	assert.deepEqual(answers(await untilCode('unhealthy')), ['yes', 'yes', 'yes', 'no']);
	await api('DELETE', '/faults');
	await untilCode('ok');

	await world.aws('PUT', `/clusters/${prod.account}/${prod.region}/${prod.name}/access-entries`, {
		principalArn: world.proxyUser.arn,
		kubernetesGroups: [],
	});
	await untilCode('forbidden');
	await world.grant(prod);
	await untilCode('ok');

	await api('POST', '/stop');
	assert.deepEqual(answers(await untilCode('refused')), ['no', 'unknown', 'unknown', 'unknown']);
	await api('POST', '/start');
	await untilCode('ok');
});

scenario('a principal that the cluster does not know', { clusters: [] }, async (world) => {
	world.config.eksgate.proxy.probe_interval = '300ms';
	world.writeConfig();
	const [prod] = CLUSTERS;
	await world.addCluster(prod, { seed: false });
	const { kubeproxyd } = await startBoth(world, [nameOf(prod)]);
	const found = await until('it is told', async () => {
		const [{ access }] = (await kubeproxyd.call('/v1/clusters')).clusters;
		return access.code === 'unauthenticated' ? access : null;
	});
	assert.match(found.text, /does not know arn:aws:iam::111111111111:user\/proxy \(401\): an access entry is missing/);
	assert.equal(found.authenticated, 'no');
});
