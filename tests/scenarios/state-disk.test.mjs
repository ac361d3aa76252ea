// The disk below the state is full, or read-only: discoveryd says so and what to do, serves what it has, and takes no change
// that it could not record; with room again, everything is as it should be. Needs a mount namespace of its own, so root.
import assert from 'node:assert/strict';
import { command, MATCHED, nameOf, OWN, run, scenario, startDiscoveryd, startKubeproxyd, until } from './harness.mjs';
import { Discoveryd } from './daemons.mjs';

const skip = process.getuid() === 0 ? '' : 'only root can mount a file system';
const added = { account: OWN, region: 'eu-west-1', name: 'added', tags: { env: 'prod' } };
const retagged = { account: OWN, region: 'us-east-1', name: 'prod-2' };

// discoveryd with a small file system of its own in place of the state directory.
function onSmallDisk(world, mount) {
	const script = `${mount} && exec "$@"`;
	return { wrap: ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', script, 'sh'] };
}

async function inside(discoveryd, script) {
	const { code, stderr } = await run('nsenter', ['--mount', '--target', String(discoveryd.pid), 'sh', '-c', script]);
	return { code, stderr };
}

scenario('the disk is full', { skip }, async (world) => {
	const state = world.path('state');
	const discoveryd = await startDiscoveryd(
		world,
		onSmallDisk(world, `mount -t tmpfs -o size=2m,mode=0700 eksgate '${state}'`),
	);
	const kubeproxyd = await startKubeproxyd(world);
	await kubeproxyd.untilServed(MATCHED);
	assert.match((await inside(discoveryd, `cat /dev/zero >'${state}/fill'`)).stderr, /No space left/);

	await world.addCluster(added);
	await world.putCluster(retagged, { tags: { env: 'retired' } });
	const status = await until('the status tells of it', async () => {
		const now = await discoveryd.status();
		return now.registry_error && now;
	});
	assert.match(status.registry_error, /registry\.db: cannot write: .*full.*: make room on its file system/);
	assert.match((await command(world, 'discoveryd', ['status'])).stdout, /CHANGES ARE NOT RECORDED.*make room/);
	await discoveryd.untilSwept();
	assert.deepEqual(await discoveryd.names(), MATCHED, 'what could not be recorded is not taken');
	assert.deepEqual(await kubeproxyd.names(), MATCHED);

	assert.equal((await inside(discoveryd, `rm '${state}/fill'`)).code, 0);
	const rest = [nameOf(added), ...MATCHED.filter((name) => !name.startsWith('prod-2'))];
	await kubeproxyd.untilServed(rest);
	await until('no error', async () => !(await discoveryd.status()).registry_error);
	assert.deepEqual(await discoveryd.names(), rest.sort());
});

scenario('the state is read-only', { skip }, async (world) => {
	const state = world.path('state');
	const first = await startDiscoveryd(world);
	const kubeproxyd = await startKubeproxyd(world);
	await kubeproxyd.untilServed(MATCHED);
	await first.stop();
	const mount = `mount --bind '${state}' '${state}' && mount -o remount,bind,ro '${state}'`;
	const second = new Discoveryd(world, onSmallDisk(world, mount));
	await second.endsWith(1);
	assert.match(second.stderr, /Read-only file system/);
	assert.match(second.stderr, /writable for the user that runs discoveryd/);
	assert.deepEqual(await kubeproxyd.names(), MATCHED, 'proxies serve on');
	const third = await startDiscoveryd(world);
	await kubeproxyd.untilState('fresh');
	assert.deepEqual(await third.names(), MATCHED);
});
