// cp both ways, over SPDY and over WebSocket: the bytes that leave are the bytes that arrive, 1 GiB of them in
// `make test-long`.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream, existsSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { CLUSTERS, nameOf, person, run, scenario, startBoth } from './harness.mjs';
import { isLong, MINORS, toolsOf } from './tools.mjs';

const MIB = 1024 * 1024;
const SIZE = (isLong ? 1024 : 8) * MIB;
const COPY_MAX_MS = isLong ? 600000 : 60000;

// Random enough not to be compressed anywhere, and quick to make.
async function makeFile(path, size) {
	await pipeline(createReadStream('/dev/urandom', { end: size - 1 }), createWriteStream(path));
}

async function digestOf(path) {
	const hash = createHash('sha256');
	await pipeline(createReadStream(path), hash);
	return hash.digest('hex');
}

scenario('kubectl cp', async (world) => {
	const { kubeproxyd } = await startBoth(world);
	const [prod] = CLUSTERS;
	const alice = await person(world, kubeproxyd, 'alice', ['engineering']);
	const file = world.path('original');
	await makeFile(file, SIZE);
	const wanted = await digestOf(file);
	for (const minor of [MINORS[0], MINORS.at(-1)]) {
		const { ok } = toolsOf(alice, nameOf(prod), { minor });
		const copy = world.path('copy');
		await ok(['cp', file, 'web-1:/tmp/large'], { timeoutMs: COPY_MAX_MS });
		const there = await ok(['exec', 'web-1', '--', 'sha256sum', '/tmp/large'], { timeoutMs: COPY_MAX_MS });
		assert.equal(there.split(' ')[0], wanted, `1.${minor}: what arrived in the pod`);
		await ok(['cp', 'web-1:/tmp/large', copy], { timeoutMs: COPY_MAX_MS });
		assert.equal(await digestOf(copy), wanted, `1.${minor}: what came back`);
		await rm(copy);
	}

	const tree = world.path('tree');
	await run('sh', ['-c', `mkdir -p ${tree}/a/b && echo one >${tree}/a/1 && echo two >${tree}/a/b/2`]);
	for (const minor of MINORS) {
		const { ok, kubectl } = toolsOf(alice, nameOf(prod), { minor });
		await ok(['cp', `${tree}/a`, `web-2:/tmp/a${minor}`]);
		await ok(['cp', `web-2:/tmp/a${minor}`, world.path(`back${minor}`)]);
		assert.equal(await readFile(world.path(`back${minor}`, 'b', '2'), 'utf8'), 'two\n');
		// kubectl may end before it shows what tar said.
		await kubectl(['cp', 'web-2:/tmp/none', world.path('none')]);
		assert.ok(!existsSync(world.path('none')), `1.${minor}: what is not there is not made up`);
	}
});
