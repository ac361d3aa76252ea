// A second discoveryd on the same state is refused by name of the holder, and the first does not notice.
import assert from 'node:assert/strict';
import { MATCHED, scenario, startDiscoveryd } from './harness.mjs';
import { Discoveryd } from './daemons.mjs';

scenario('a second discoveryd is refused', async (world) => {
	const first = await startDiscoveryd(world);
	await first.untilNames(MATCHED);
	const { epoch } = await first.status();
	const second = new Discoveryd(world);
	await second.endsWith(1);
	assert.match(second.stderr, new RegExp(`pid ${first.pid}`));
	assert.equal((await first.status()).epoch, epoch);

	world.config.eksgate.state_dir = world.path('other-state');
	world.config.eksgate.discovery.admin_socket = world.path('admin2', 'admin.sock');
	world.writeConfig();
	const third = new Discoveryd(world);
	await third.endsWith(1);
	assert.match(third.stderr, new RegExp(`bus\\.sock.* pid ${first.pid}`));
	world.config.eksgate.discovery.admin_socket = world.path('admin', 'admin.sock');
	assert.deepEqual(await first.names(), MATCHED);
});
