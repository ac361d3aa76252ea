// One account denies everything, by its policy or by an explicit deny: the other is swept as ever, what was known stays and is
// served, and each of its scopes names the operation, the code and the remedy.
import assert from 'node:assert/strict';
import { MATCHED, OTHER, OWN, REGIONS, scenario, startBoth, until } from './harness.mjs';

const reads = ['eks:ListClusters', 'eks:DescribeCluster', 'tag:GetResources'].map((action) => ({ effect: 'Allow', action }));

scenario('a denied account', async (world) => {
	const { discoveryd, kubeproxyd } = await startBoth(world);
	const role = `/roles/${OTHER}/eksgate-discover`;
	const isOther = ({ id }) => id.startsWith(world.roleArn);
	for (const permissions of [[], [...reads, { effect: 'Deny', action: '*' }]]) {
		await world.aws('PUT', role, { permissions });
		discoveryd.reload();
		const scopes = await until('the denial in every scope of the account', async () => {
			const found = (await discoveryd.status()).scopes.filter(isOther);
			return found.every(({ error }) => error?.outcome === 'denied') ? found : null;
		});
		assert.equal(scopes.length, REGIONS.length);
		for (const { error, state } of scopes) {
			assert.deepEqual([error.operation, error.code, state], ['eks:ListClusters', 'AccessDeniedException', 'backoff']);
			assert.match(error.remedy, /^allow eks:ListClusters for role arn:aws:iam::222222222222:role\/eksgate-discover/);
		}
		const name = await world.addCluster({
			account: OWN,
			region: 'eu-west-1',
			name: `found-${permissions.length}`,
			tags: { env: 'prod' },
		});
		await until('the other account is looked at', async () => (await discoveryd.names()).includes(name));
		for (const known of MATCHED) assert.ok((await discoveryd.names()).includes(known), `${known} stays`);
		await world.aws('PUT', role, { permissions: reads });
		discoveryd.reload();
		await until('all is well again', async () => (await discoveryd.status()).scopes.every(({ error }) => !error));
	}
	for (const known of MATCHED) assert.ok((await kubeproxyd.names()).includes(known), `${known} is served`);
});
