// A list of 10 MB (100 MB in `make test-long`) of which every second object is shown, plain and compressed, to kubectl and to
// clients that read slowly, in JSON and in protobuf: half of it arrives, and next to nothing of it is in the proxy at any time.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { createGunzip } from 'node:zlib';
import { readList } from '../clients/protobuf.mjs';
import { person, scenario, startBoth } from './harness.mjs';
import { EVEN, NAME, PROD } from './filtered.mjs';
import { isLong, toolsOf } from './tools.mjs';

const BYTES = 10000;
const COUNT = isLong ? 10000 : 1000;
const KIB = 1024;
// Of the whole process, which answered a short list before: 256 KiB and the largest object while whoever asked reads as fast as it
// comes (28 to 136 KiB were measured); for a slow reader the window of the API server's stream, which fills meanwhile, and
// what may wait behind it (1.2 MiB). The sanitizer adds to each allocation.
const OVERHEAD = /asan/.test(process.env.EKSGATE_BUILD) ? 2 : 1;
const FAST_MAX_KIB = (256 + BYTES / KIB) * OVERHEAD;
const SLOW_MAX_KIB = (1024 + 256 + 128 + BYTES / KIB) * OVERHEAD;
// A reader that the machine keeps from reading is a slow one.
const TRIES = 3;
const SHORT = 100;
const PATIENCE = { timeoutMs: isLong ? 300000 : 60000 };
const PATH = '/api/v1/namespaces/bulk/configmaps';
const PROTOBUF = 'application/vnd.kubernetes.protobuf';
const READ_MS = 5;

const memoryKiB = (pid, what) => Number(new RegExp(`${what}:\\s+(\\d+)`).exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]);

// What `fn` adds, at its highest, to what the process has.
async function growthKiB(pid, fn) {
	const before = memoryKiB(pid, 'VmRSS');
	writeFileSync(`/proc/${pid}/clear_refs`, '5'); // the peak counts from here (proc(5))
	await fn();
	return memoryKiB(pid, 'VmHWM') - before;
}

function check(text) {
	const { items } = JSON.parse(text);
	assert.equal(items.length, COUNT / 2);
	assert.ok(items.every(({ metadata, data }) => /[02468]$/.test(metadata.name) && data.value.length === BYTES));
}

function checkProtobuf(data) {
	const { items, others } = readList(data);
	assert.equal(items.length, COUNT / 2);
	assert.ok(items.every(({ name }) => /[02468]$/.test(name)));
	assert.equal(others, 0);
	assert.ok(data.length > (COUNT / 2) * BYTES && data.length < (COUNT / 2) * (BYTES + 200), 'and is no longer than that');
}

// Some, then a while nothing, to the end.
async function readSlowly(stream) {
	const source = stream.head['content-encoding'] === 'gzip' ? stream.pipe(createGunzip()) : stream;
	const all = [];
	for await (const part of source) {
		if (all.push(part) % 50 === 0)
			await new Promise((resolve) => {
				setTimeout(resolve, READ_MS);
			});
	}
	return Buffer.concat(all);
}

scenario('large lists, filtered', { clusters: [PROD] }, async (world) => {
	// The sanitizer keeps what was freed; here memory is what is measured.
	world.asanOptions = 'quarantine_size_mb=1:thread_local_quarantine_size_kb=64';
	writeFileSync(world.path('roles.d', 'even.yaml'), EVEN);
	const { kubeproxyd } = await startBoth(world, [NAME]);
	const bulk = (list) => world.api(PROD)('POST', '/bulk', { namespace: 'bulk', count: COUNT, bytes: BYTES, ...list });
	const eve = await person(world, kubeproxyd, 'eve');
	const session = eve.h2();
	const { pid } = kubeproxyd;
	const get = async () => check(await toolsOf(eve, NAME).ok(['get', '--raw', PATH], PATIENCE));
	for (const isCompressed of [false, true]) {
		await bulk({ isCompressed, count: SHORT });
		await toolsOf(eve, NAME).ok(['get', '--raw', PATH], PATIENCE);
		await bulk({ isCompressed });
		const fast = [];
		while (fast.length < TRIES && !fast.some((growth) => growth < FAST_MAX_KIB)) fast.push(await growthKiB(pid, get));
		assert.ok(Math.min(...fast) < FAST_MAX_KIB, `a list of ${COUNT * BYTES} bytes costs ${fast.join(', ')} KiB`);
	}
	for (const isCompressed of [false, true]) {
		await bulk({ isCompressed });
		for (const accept of ['application/json', PROTOBUF]) {
			const slow = await growthKiB(pid, async () => {
				const headers = { accept, 'accept-encoding': 'gzip' };
				const stream = await eve.open(session, `/clusters/${NAME}${PATH}`, { headers });
				assert.equal(stream.head['content-type'], accept);
				assert.equal(stream.head['content-encoding'], isCompressed ? 'gzip' : undefined);
				const data = await readSlowly(stream);
				if (accept === PROTOBUF) checkProtobuf(data);
				else check(data.toString('utf8'));
			});
			assert.ok(slow < SLOW_MAX_KIB, `to a slow reader, ${accept}: a list of ${COUNT * BYTES} bytes costs ${slow} KiB`);
		}
	}
	session.close();
	const names = await toolsOf(eve, NAME).ok(['get', 'cm', '-n', 'bulk', '-o', 'name', '--chunk-size=300'], PATIENCE);
	assert.equal(names.trim().split('\n').length, COUNT / 2);
});
