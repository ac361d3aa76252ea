// The registry's file is damaged, or none at all: discoveryd refuses to start and says what to do; proxies serve on; and once
// the file is moved aside the set is built anew from AWS, and no cluster leaves a proxy meanwhile.
import assert from 'node:assert/strict';
import { openSync, readFileSync, renameSync, writeFileSync, writeSync, closeSync, rmSync, statSync } from 'node:fs';
import { MATCHED, scenario, startBoth, startDiscoveryd } from './harness.mjs';
import { Discoveryd } from './daemons.mjs';

const PAGE = 4096;

function damage(file) {
	const fd = openSync(file, 'r+');
	for (let at = PAGE; at < statSync(file).size; at += PAGE) writeSync(fd, Buffer.alloc(200, 0xff), 0, 200, at);
	closeSync(fd);
}

async function refused(world, pattern) {
	const daemon = new Discoveryd(world);
	await daemon.endsWith(1);
	assert.match(daemon.stderr, pattern);
	assert.match(daemon.stderr, /registry\.db.*move it aside/);
}

scenario('a damaged registry', async (world) => {
	const { discoveryd, kubeproxyd } = await startBoth(world);
	const { epoch } = await discoveryd.status();
	await discoveryd.stop();
	const file = world.path('state', 'registry.db');
	const sound = readFileSync(file);
	damage(file);
	await refused(world, /it is damaged: stop discoveryd/);
	writeFileSync(file, 'not a database, and longer than a header of SQLite, which has a hundred bytes and says what it is'.repeat(9));
	await refused(world, /file is not a database/);
	writeFileSync(file, sound.subarray(0, PAGE + 100));
	await refused(world, /registry\.db/);
	assert.deepEqual(await kubeproxyd.names(), MATCHED);

	renameSync(file, `${file}.damaged`);
	for (const side of ['-wal', '-shm']) rmSync(file + side, { force: true });
	// One region is late: what is there already is not the whole.
	await world.aws('POST', '/faults', { kind: 'delay', operation: 'eks:ListClusters', region: 'us-east-1', ms: 2500 });
	const from = kubeproxyd.stderr.length;
	const again = await startDiscoveryd(world);
	await kubeproxyd.waitFor(/starting/, { from });
	await again.untilNames(MATCHED.filter((name) => !name.startsWith('prod-2')));
	assert.deepEqual(await kubeproxyd.names(), MATCHED, 'a part of the set takes nothing away');
	await again.log('main', 'set-built', /whole=true clusters=4/);
	await again.untilNames(MATCHED);
	await kubeproxyd.untilState('fresh');
	await kubeproxyd.untilServed(MATCHED);
	assert.doesNotMatch(kubeproxyd.stderr.slice(from), /event=removed/);
	assert.ok((await again.status()).epoch > epoch, 'a new epoch, so that proxies take the new set whole');
});
