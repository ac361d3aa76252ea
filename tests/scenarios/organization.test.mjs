// Accounts of an AWS organization come and go while discoveryd runs: a new one is looked at, one that left is kept for the
// grace time, and a listing that fails changes nothing. A list of accounts means the same roles.
import assert from 'node:assert/strict';
import { nameOf, OTHER, OWN, scenario, startDiscoveryd, until } from './harness.mjs';

const THIRD = '333333333333';
const FOURTH = '444444444444';
const ROLE = 'eksgate-discover';
const UNITS = { 'ou-ab12-11111111': 'r-ab12', 'ou-ab12-22222222': 'r-ab12' };
const clusters = [
	{ account: OTHER, region: 'eu-west-1', name: 'second', tags: { env: 'prod' } },
	{ account: THIRD, region: 'eu-west-1', name: 'third', tags: { env: 'prod' } },
];
const late = { account: FOURTH, region: 'eu-west-1', name: 'fourth', tags: { env: 'prod' } };

const reads = ['eks:ListClusters', 'eks:DescribeCluster', 'tag:GetResources'].map((action) => ({
	effect: 'Allow',
	action,
}));

function setOrganization(world, accounts) {
	const all = { [OWN]: { parent: 'r-ab12' }, ...accounts };
	const organization = { id: 'o-abcdefghij', management: OWN, root: 'r-ab12', units: UNITS, accounts: all };
	return world.aws('PUT', '/organization', organization);
}

async function makeAccounts(world) {
	const trust = [{ principal: world.discoveryUser.arn }];
	for (const account of [OTHER, THIRD, FOURTH])
		await world.aws('PUT', `/roles/${account}/${ROLE}`, { trust, permissions: reads });
	await world.aws('PUT', `/users/${OWN}/discovery`, {
		permissions: [
			{ effect: 'Allow', action: 'organizations:*' },
			{ effect: 'Allow', action: 'sts:AssumeRole', resource: `arn:aws:iam::*:role/${ROLE}` },
		],
	});
	await world.aws('PUT', '/settings', { pageSize: 2 });
}

const organizationsOf = async (discoveryd) => (await discoveryd.status()).organizations;

scenario('an organization', { clusters: [] }, async (world) => {
	await makeAccounts(world);
	const second = { parent: 'ou-ab12-11111111' };
	const third = { parent: 'ou-ab12-11111111' };
	const suspended = { [FOURTH]: { parent: 'r-ab12', state: 'SUSPENDED' } };
	await setOrganization(world, { [OTHER]: second, [THIRD]: third, ...suspended });
	for (const cluster of clusters) await world.putCluster(cluster, { ...endpointOf(cluster), tags: cluster.tags });
	world.config.discovery_service.aws = [
		{
			types: ['eks'],
			regions: ['eu-west-1'],
			tags: { env: 'prod' },
			assume_role_name: ROLE,
			organization: {
				organization_id: 'o-abcdefghij',
				organizational_units: { include: ['*'], exclude: [OWN, 'ou-ab12-22222222'] },
			},
		},
	];
	world.config.eksgate.removal = { grace: '2s' };
	world.writeConfig();
	const discoveryd = await startDiscoveryd(world);
	await discoveryd.untilNames(clusters.map(nameOf));
	assert.deepEqual((await organizationsOf(discoveryd)).map(({ state, accounts }) => [state, accounts]), [
		['listed', 2],
	]);

	// Half of the tree is no organization.
	await world.aws('POST', '/faults', {
		kind: 'error',
		operation: 'organizations:ListOrganizationalUnitsForParent',
		code: 'AccessDeniedException',
		status: 400,
	});
	const [failed] = await until('the denial', async () => {
		const all = await organizationsOf(discoveryd);
		return all[0].error && all;
	});
	assert.equal(failed.error.operation, 'organizations:ListOrganizationalUnitsForParent');
	assert.match(failed.error.remedy, /allow organizations:ListOrganizationalUnitsForParent/);
	assert.equal(failed.accounts, 2);
	await discoveryd.untilSwept();
	assert.deepEqual(await discoveryd.names(), clusters.map(nameOf).sort());
	await world.aws('DELETE', '/faults');

	// An account joins.
	await world.putCluster(late, { ...endpointOf(late), tags: late.tags });
	await setOrganization(world, { [OTHER]: second, [THIRD]: third, [FOURTH]: { parent: 'ou-ab12-11111111' } });
	await discoveryd.untilNames([...clusters, late].map(nameOf));

	// One moves to a unit that is left out, and one leaves: both are kept, marked, and then gone.
	const from = discoveryd.stderr.length;
	await setOrganization(world, { [OTHER]: second, [THIRD]: { parent: 'ou-ab12-22222222' } });
	await until('the orphans', async () => {
		const phases = (await discoveryd.clusters()).map(({ metadata, status }) => `${metadata.name} ${status.phase}`);
		return phases.filter((text) => text.endsWith(' orphaned')).length === 2;
	});
	await discoveryd.untilNames([nameOf(clusters[0])]);
	await discoveryd.log('reconcile', 'removed', new RegExp(`${nameOf(late)}.*orphaned`), { from });
	const explained = await discoveryd.call(`/v1/explain?q=${nameOf(late)}`);
	assert.equal(explained.removed.reason, 'orphaned');

	// The same roles by a list of accounts: the same scopes.
	const [matcher] = world.config.discovery_service.aws;
	delete matcher.organization;
	delete matcher.assume_role_name;
	matcher.assume_role_arn = `arn:aws:iam::{account}:role/${ROLE}`;
	matcher.eksgate = { accounts: [OTHER, FOURTH] };
	world.writeConfig();
	discoveryd.reload();
	await discoveryd.untilNames([nameOf(clusters[0]), nameOf(late)]);
	const { scopes, organizations } = await discoveryd.status();
	assert.deepEqual(organizations, []);
	assert.deepEqual(scopes.map(({ id }) => id).sort(), [
		`arn:aws:iam::${OTHER}:role/${ROLE}/eu-west-1`,
		`arn:aws:iam::${FOURTH}:role/${ROLE}/eu-west-1`,
	]);
});

// discoveryd never connects: any endpoint of the test's suffix and any PEM will do.
function endpointOf({ name }) {
	const pem = '-----BEGIN CERTIFICATE-----\nMIIBAA==\n-----END CERTIFICATE-----\n';
	return {
		endpoint: `https://${name}.gr7.eu-west-1.eks.amazonaws.com`,
		certificateAuthority: Buffer.from(pem).toString('base64'),
	};
}
