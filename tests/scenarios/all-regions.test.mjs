// regions: ["*"] means the regions that the account has enabled, as account:ListRegions or else ec2:DescribeRegions tells;
// when neither may be asked, every region of the partition is tried, and those that are off are no trouble.
import assert from 'node:assert/strict';
import { nameOf, OWN, scenario, startDiscoveryd, until } from './harness.mjs';

const clusters = [
	{ account: OWN, region: 'eu-west-1', name: 'west', tags: { env: 'prod' } },
	{ account: OWN, region: 'sa-east-1', name: 'south', tags: { env: 'prod' } },
];

scenario('all regions', { clusters }, async (world) => {
	const [matcher] = world.config.discovery_service.aws;
	world.config.discovery_service.aws = [{ ...matcher, regions: ['*'] }];
	world.writeConfig();
	const discoveryd = await startDiscoveryd(world);
	await discoveryd.untilNames(clusters.map(nameOf));
	const swept = await until('every enabled region', async () => {
		const { scopes } = await discoveryd.status();
		return scopes.every((scope) => scope.last_success) && scopes;
	});
	assert.equal(swept.length, 17, 'what is not enabled is not asked');
	await discoveryd.stop();

	const permissions = [{ effect: 'Allow', action: 'eks:*' }];
	await world.aws('PUT', `/users/${OWN}/discovery`, { permissions });
	await world.aws('DELETE', '/calls');
	const again = await startDiscoveryd(world);
	const status = await until('the denial and every region', async () => {
		const now = await again.status();
		const asked = (await world.aws('GET', '/calls')).filter((call) => call.operation === 'eks:ListClusters');
		return asked.length === 34 && now;
	});
	assert.match(JSON.stringify(status.wildcards), /account:ListRegions/);
	assert.deepEqual(await again.names(), clusters.map(nameOf).sort());
	const disabled = await until('the regions that are off', async () => {
		const { scopes } = await again.status();
		const off = scopes.filter(({ state }) => state === 'disabled');
		return off.length === 17 && off;
	});
	assert.match(disabled[0].error.remedy, new RegExp(`enable region ${disabled[0].region}`));

	// The other permission is enough; then a region is enabled.
	const regions = { effect: 'Allow', action: 'ec2:DescribeRegions' };
	await world.aws('PUT', `/users/${OWN}/discovery`, { permissions: [...permissions, regions] });
	await until('the regions by EC2', async () => {
		const now = await again.status();
		return now.wildcards[0].regions_from === 'described' && now.scopes.length === 17;
	});
	await world.aws('PUT', `/accounts/${OWN}`, { regions: { 'me-south-1': 'ENABLED' } });
	await until('the new region', async () => {
		const { scopes } = await again.status();
		return scopes.some(({ region, last_success }) => region === 'me-south-1' && last_success);
	});
});
