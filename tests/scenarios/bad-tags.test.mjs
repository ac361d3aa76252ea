// The tagging API answers nonsense: it is not used, the status says why, everything is described, and nothing is removed.
import assert from 'node:assert/strict';
import { MATCHED, OWN, scenario, startDiscoveryd, until } from './harness.mjs';

const KINDS = ['truncated', 'wrong-types', 'html', 'endless-pages', 'not-json', 'reset', 'error'];

scenario('bad replies of the tagging API', async (world) => {
	world.config.eksgate.discovery.describe_age = '1h';
	world.writeConfig();
	const discoveryd = await startDiscoveryd(world);
	await discoveryd.untilNames(MATCHED);
	const tagging = async () =>
		(await discoveryd.status()).scopes.find((scope) => scope.id === 'own/eu-west-1').tagging;
	for (const kind of KINDS) {
		await world.aws('POST', '/faults', { operation: 'tag:GetResources', kind, account: OWN, region: 'eu-west-1' });
		discoveryd.reload();
		await until(`the status tells of ${kind}`, async () => (await tagging()).error?.message);
		assert.deepEqual(await discoveryd.names(), MATCHED, `${kind} removed something`);
		await world.aws('DELETE', '/faults');
		discoveryd.reload();
		await until(`recovery from ${kind}`, async () => (await tagging()).state === 'used');
	}
});
