// The disk below the state answers EIO, to writes or to what brings them to the disk: it is told with a remedy, no proxy hears of
// what may be lost, nothing that was recorded is, and the set is as it should be when the disk is. The same for the proxy's cache.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { command, CLUSTERS, initialise, MATCHED, nameOf, OWN, scenario, startDiscoveryd, startKubeproxyd, until } from './harness.mjs';
import { Faults } from './faults.mjs';
import { isLong } from './tools.mjs';

const clusterOf = (name) => ({ account: OWN, region: 'eu-west-1', name, tags: { env: 'prod' } });
const SYNCS = ['fail fsync EIO registry.db-wal', 'fail fdatasync EIO registry.db-wal'];

async function untilTold(world, discoveryd) {
	const { registry_error: text } = await until('the status tells of it', async () => {
		const now = await discoveryd.status();
		return now.registry_error && now;
	});
	assert.match(text, /registry\.db: cannot write: disk I\/O error: look after its disk/);
	assert.match((await command(world, 'discoveryd', ['status'])).stdout, /CHANGES ARE NOT RECORDED.*look after its disk/);
}

const untilRecorded = (discoveryd) => until('no error', async () => !(await discoveryd.status()).registry_error);

async function checkWrites(world, discoveryd, kubeproxyd, faults) {
	faults.order('fail pwrite EIO registry.db-wal', 'fail write EIO registry.db-wal');
	const added = await world.addCluster(clusterOf('written'));
	await untilTold(world, discoveryd);
	await discoveryd.untilSwept();
	assert.deepEqual(await discoveryd.names(), MATCHED, 'what could not be recorded is not taken');
	assert.deepEqual(await kubeproxyd.names(), MATCHED);
	faults.order();
	await kubeproxyd.untilServed([...MATCHED, added]);
	await untilRecorded(discoveryd);
	return added;
}

// What is in the file may not be there after the end of the machine: proxies do not hear of it. What is tried again is written
// again, into the other file, since the kernel takes what it could not write for written.
async function checkSyncs(world, discoveryd, kubeproxyd, faults, cluster) {
	const names = await kubeproxyd.names();
	const rest = names.filter((name) => name !== nameOf(cluster));
	faults.order(...SYNCS);
	const from = discoveryd.stderr.length;
	await world.deleteCluster(cluster);
	await discoveryd.log('registry', 'not-sealed', /disk I\/O error/, { from });
	await untilTold(world, discoveryd);
	faults.order('fail pwrite EIO registry.db');
	await faults.untilStruck(/fail pwrite .*registry\.db$/);
	await discoveryd.untilSwept();
	assert.ok((await discoveryd.status()).registry_error);
	assert.deepEqual(await kubeproxyd.names(), names);
	faults.order();
	await kubeproxyd.untilServed(rest);
	await untilRecorded(discoveryd);
}

scenario('EIO below the registry', async (world) => {
	const faults = new Faults(world);
	const discoveryd = await startDiscoveryd(world, faults.below);
	const kubeproxyd = await startKubeproxyd(world);
	await kubeproxyd.untilServed(MATCHED);
	await checkWrites(world, discoveryd, kubeproxyd, faults);
	await checkSyncs(world, discoveryd, kubeproxyd, faults, clusterOf('written'));

	// Killed while it fails: nothing that proxies know is lost.
	faults.order(...SYNCS);
	const added = await world.addCluster(clusterOf('late'));
	await untilTold(world, discoveryd);
	await discoveryd.murder();
	faults.order();
	const again = await startDiscoveryd(world);
	assert.deepEqual((await again.names()).filter((name) => name !== added), MATCHED);
	await kubeproxyd.untilServed([...MATCHED, added]);
	await kubeproxyd.untilState('fresh');
});

// The file of clusters that a proxy starts with: the old one stays until the new one is whole and on the disk. An instance for
// each step that can fail.
scenario("EIO below the proxy's cache", async (world) => {
	await initialise(world);
	const discoveryd = await startDiscoveryd(world);
	const saved = (call) => readFileSync(world.path('cache', `${call}.cache`), 'utf8').split('\n').slice(1).join('\n'); // its head has the time
	const calls = ['write', 'fsync', 'rename'];
	const instances = await Promise.all(
		calls.map(async (call) => {
			const faults = new Faults(world, `faults-${call}`);
			const kubeproxyd = await startKubeproxyd(world, call, faults.below);
			await kubeproxyd.untilServed(MATCHED);
			await until('all are saved', () => MATCHED.every((name) => saved(call).includes(name)));
			faults.order(`fail ${call} EIO .cache.new`);
			return { call, kubeproxyd, before: saved(call) };
		}),
	);
	const added = await world.addCluster(clusterOf('added'));
	for (const { call, kubeproxyd, before } of instances) {
		await kubeproxyd.untilServed([...MATCHED, added]);
		await kubeproxyd.log('directory', 'cache-not-written', /cannot write the cache file [^\n]*: Input\/output error/);
		assert.equal(saved(call), before);
	}
	assert.deepEqual(readdirSync(world.path('cache')).sort(), calls.map((call) => `${call}.cache`).sort(), 'nothing half is left');
	await discoveryd.stop();
	const [{ call, kubeproxyd }] = instances;
	await kubeproxyd.murder();
	const again = await startKubeproxyd(world, call);
	await again.log('directory', 'cache-loaded', /clusters=4/);
	assert.deepEqual(await again.names(), MATCHED);
});

// A disk that hangs below it holds nobody up: clusters come and go, requests are answered, and the file has it all when the disk is
// back. Whoever stops meanwhile does not wait for ever.
scenario("a disk that hangs below the proxy's cache", async (world) => {
	await initialise(world);
	await startDiscoveryd(world);
	const faults = new Faults(world);
	const kubeproxyd = await startKubeproxyd(world, 'main', faults.below);
	const saved = () => readFileSync(world.path('cache', 'main.cache'), 'utf8');
	await kubeproxyd.untilServed(MATCHED);
	await until('all are saved', () => MATCHED.every((name) => saved().includes(name)));
	faults.order('stall fsync .cache.new');
	const first = await world.addCluster(clusterOf('first'));
	await kubeproxyd.untilServed([...MATCHED, first]);
	await faults.untilStruck(/stall fsync/);
	const second = await world.addCluster(clusterOf('second'));
	await kubeproxyd.untilServed([...MATCHED, first, second]);
	assert.ok(!saved().includes(first));
	faults.order();
	await until('what came meanwhile is saved', () => saved().includes(first) && saved().includes(second));
	if (!isLong) return; // its stop waits five seconds
	faults.order('stall fsync .cache.new');
	await world.deleteCluster(clusterOf('second'));
	await kubeproxyd.untilServed([...MATCHED, first]);
	await faults.untilStruck(/stall fsync/);
	const from = kubeproxyd.stderr.length;
	await kubeproxyd.stop();
	await kubeproxyd.log('directory', 'cache-left', /the disk does not answer/, { from });
	faults.order();
});
