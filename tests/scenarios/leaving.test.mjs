// What leaves the configuration: a matcher, a region and the discovery group. Its clusters are kept for the grace time,
// marked, and then go; before that they come back as if nothing had happened, or are forgotten at once.
import assert from 'node:assert/strict';
import { CLUSTERS, command, MATCHED, nameOf, OTHER, scenario, startBoth, startDiscoveryd, startKubeproxyd, until } from './harness.mjs';

const foreign = CLUSTERS.filter(({ account }) => account === OTHER).map(nameOf);

async function phasesOf(discoveryd) {
	return Object.fromEntries((await discoveryd.clusters()).map(({ metadata, status }) => [metadata.name, status.phase]));
}

function untilPhase(discoveryd, names, phase) {
	return until(`${names} are ${phase}`, async () => {
		const phases = await phasesOf(discoveryd);
		return names.every((name) => phases[name] === phase) && phases;
	});
}

function reload(world, discoveryd) {
	world.writeConfig();
	return discoveryd.reload();
}

scenario('a matcher, a region and the group leave', async (world) => {
	world.config.eksgate.removal = { grace: '1h' };
	world.writeConfig();
	const { discoveryd, kubeproxyd } = await startBoth(world);
	const [own, other] = world.config.discovery_service.aws;
	const forget = async (name) => command(world, 'discoveryd', ['forget', name]);

	// A matcher, and with it an account: kept, served, marked; back as if nothing had happened.
	world.config.discovery_service.aws = [own];
	reload(world, discoveryd);
	await untilPhase(discoveryd, foreign, 'orphaned');
	await kubeproxyd.untilServed(MATCHED);
	const orphan = (await discoveryd.clusters()).find(({ metadata }) => metadata.name === foreign[0]);
	assert.match(orphan.status.reason, /no configured scope covers it any more.*removed after 20/);
	world.config.discovery_service.aws = [own, other];
	reload(world, discoveryd);
	const back = await untilPhase(discoveryd, foreign, 'ready');
	assert.equal(Object.keys(back).length, MATCHED.length);

	// A region: forgotten before its time, where nothing looks; others are not.
	const gone = nameOf(CLUSTERS.find(({ region }) => region === 'us-west-2'));
	world.config.discovery_service.aws = [own, { ...other, regions: ['eu-west-1'] }];
	reload(world, discoveryd);
	await untilPhase(discoveryd, [gone], 'orphaned');
	const refused = await forget(MATCHED.find((name) => name !== gone));
	assert.equal(refused.code, 1);
	assert.match(refused.stderr, /looks at .* and would enrol it again/);
	assert.equal((await forget('nowhere')).code, 1);
	const forgotten = await forget(gone);
	assert.deepEqual([forgotten.code, forgotten.stdout], [0, `${gone} is forgotten\n`]);
	const rest = MATCHED.filter((name) => name !== gone);
	await kubeproxyd.untilServed(rest);
	assert.equal((await discoveryd.call(`/v1/explain?q=${gone}`)).removed.detail, 'discoveryd forget');

	// The group: at a restart; the set is kept and relabelled, proxies of the old group serve on.
	await discoveryd.stop();
	world.config.discovery_service.discovery_group = 'other';
	world.writeConfig();
	const renamed = await startDiscoveryd(world);
	await renamed.log('registry', 'group-changed', /from=test to=other/);
	await until('the new label', async () => {
		const clusters = await renamed.clusters();
		const groups = clusters.map(({ metadata }) => metadata.labels['teleport.internal/discovery-group-name']);
		return clusters.length === rest.length && groups.every((group) => group === 'other');
	});
	assert.deepEqual(await kubeproxyd.names(), rest);
	await kubeproxyd.stop();
	await (await startKubeproxyd(world)).untilServed(rest);

	// The grace time ends.
	world.config.discovery_service.aws = [own];
	world.config.eksgate.removal.grace = '1s';
	const from = reload(world, renamed);
	await renamed.untilNames(rest.filter((name) => !foreign.includes(name)));
	await renamed.log('reconcile', 'removed', /orphaned: no configured scope/, { from });
});
