// What clusters are called: a tag may name one where the configuration lets it, a name belongs to whoever has it, an old
// name answers 410 with the new one, and the configuration gives labels of its own.
import assert from 'node:assert/strict';
import { CLUSTERS, MATCHED, nameOf, person, scenario, startBoth, until } from './harness.mjs';

const PODS = '/api/v1/namespaces/default/pods';

scenario('names and labels', async (world) => {
	const { discoveryd, kubeproxyd } = await startBoth(world);
	const [first, , second] = CLUSTERS;
	const alice = await person(world, kubeproxyd, 'alice', ['engineering']);
	const ask = (name) => alice.request(`/clusters/${name}${PODS}`);
	const others = MATCHED.filter((name) => name !== nameOf(first));
	assert.equal((await ask(nameOf(first))).status, 200);

	await world.putCluster(first, { tags: { env: 'prod', TeleportKubernetesName: 'web', 'eksgate-name': 'shop' } });
	await kubeproxyd.untilServed(['shop', ...others]);
	assert.equal((await ask('shop')).status, 200);
	const gone = await ask(nameOf(first));
	assert.deepEqual([gone.status, gone.json.reason], [410, 'Gone']);
	assert.match(gone.json.message, /shop/);
	await discoveryd.log('reconcile', 'renamed', /name=shop/);

	// The second asks for a name that is held: it keeps its own, and says why.
	await world.putCluster(second, { tags: { env: 'prod', TeleportKubernetesName: 'shop' } });
	const find = async (cluster) =>
		(await discoveryd.clusters()).find(({ spec }) => spec.aws.name === cluster.name);
	const refused = await until('the conflict', async () => {
		const resource = await find(second);
		return resource.status.reason ? resource : null;
	});
	assert.equal(refused.metadata.name, nameOf(second));
	assert.match(refused.status.reason, /"shop".*TeleportKubernetesName.*prod-1/);

	// The holder lets go: it is the second's.
	await world.putCluster(first, { tags: { env: 'prod' } });
	await kubeproxyd.untilServed([nameOf(first), 'shop', ...others.filter((name) => name !== nameOf(second))]);
	assert.equal((await find(second)).metadata.name, 'shop');
	assert.equal((await ask(nameOf(first))).status, 200, 'a name that came back is no old name');

	// The configuration takes tags their say, and adds labels; clusters that are known follow at once.
	Object.assign(world.config.discovery_service.aws[0], {
		eksgate: { name_tags: false, labels: { team: 'platform' } },
	});
	world.config.eksgate.discovery.describe_age = '1h';
	world.writeConfig();
	discoveryd.reload();
	await kubeproxyd.untilServed(MATCHED);
	const labelled = await until('the labels', async () => {
		const resources = await discoveryd.clusters();
		const own = resources.filter(({ spec }) => spec.aws.account_id === first.account);
		return own.every(({ metadata }) => metadata.labels.team === 'platform') ? resources : null;
	});
	const foreign = labelled.find(({ spec }) => spec.aws.account_id !== first.account);
	assert.equal(foreign.metadata.labels.team, undefined);
});
