// Many clusters at once: each becomes reachable, within the pace that AWS allows, with few admins at a time.
import assert from 'node:assert/strict';
import { addBare, assertNobodyIsAdmin, bare, entries, HandProxy, setUpAccess } from './access.mjs';
import { scenario, startDiscoveryd, until } from './harness.mjs';

const COUNT = process.env.EKSGATE_LONG ? 500 : 40;
const ADMINS_MAX = 8;

scenario('many clusters get access at once', { clusters: [bare('seed')] }, async (world) => {
	await setUpAccess(world, { settle: '30s' });
	world.authority = (await world.aws('GET', '/clusters'))[0].certificateAuthority;
	const clusters = Array.from({ length: COUNT }, (_, i) => bare(`c${i}`));
	await Promise.all(clusters.map((cluster) => addBare(world, cluster)));
	// What AWS bears; what is beyond it is answered with 429.
	await world.aws('POST', '/throttles', { operation: 'eks:CreateAccessEntry', rate: 20, burst: 20 });
	await world.aws('POST', '/throttles', { operation: 'eks:DescribeAccessEntry', rate: 40, burst: 20 });
	const discoveryd = await startDiscoveryd(world);
	const proxy = new HandProxy(world, 'main', clusters);
	let most = 0;
	await until(
		'all are ready',
		async () => {
			const { access } = await discoveryd.status();
			most = Math.max(most, access.temporary_entries);
			if (access.clusters.ready !== COUNT) throw new Error(JSON.stringify(access.clusters));
			return true;
		},
		{ timeoutMs: process.env.EKSGATE_LONG ? 600000 : 90000 },
	);
	assert.ok(most <= ADMINS_MAX, `${most} temporary entries at once, at most ${ADMINS_MAX}`);
	await assertNobodyIsAdmin(world, clusters);
	assert.equal((await Promise.all(clusters.map((cluster) => entries(world, cluster)))).flat().length, COUNT);
	assert.equal(proxy.tasks.filter((task) => task.kind === 'apply_rbac').length, COUNT);
	// No storm: a call of each operation per cluster, a few more for what was throttled or not seen yet.
	const calls = await world.aws('GET', '/calls');
	const of = (operation) =>
		calls.filter((call) => call.operation === `eks:${operation}`).reduce((sum, call) => sum + call.calls, 0);
	assert.ok(of('CreateAccessEntry') < 4 * COUNT, `${of('CreateAccessEntry')} creations`);
	assert.ok(of('DescribeAccessEntry') < 6 * COUNT, `${of('DescribeAccessEntry')} descriptions`);
});
