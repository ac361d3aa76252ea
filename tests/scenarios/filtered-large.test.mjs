// A list of 10 MB (100 MB in `make test-long`) of which every second object is shown, plain and compressed, to kubectl and to
// clients that read slowly, in JSON and in protobuf: half of it arrives, and none of it stays in the proxy.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { createGunzip } from 'node:zlib';
import { readList } from '../clients/protobuf.mjs';
import { person, scenario, startBoth } from './harness.mjs';
import { EVEN, NAME, PROD } from './filtered.mjs';
import { isLong, toolsOf } from './tools.mjs';

const BYTES = 10000;
const COUNT = isLong ? 10000 : 1000;
const GROWTH_MAX_KIB = 8 * 1024; // less than one list
const PATIENCE = { timeoutMs: isLong ? 300000 : 60000 };
const PATH = '/api/v1/namespaces/bulk/configmaps';
const PROTOBUF = 'application/vnd.kubernetes.protobuf';
const READ_MS = 5;

const peakKiB = (pid) => Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]);

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
	await eve.request(`/clusters/${NAME}/version`);
	const before = peakKiB(kubeproxyd.pid);
	const session = eve.h2();
	for (const isCompressed of [false, true]) {
		await bulk({ isCompressed });
		check(await toolsOf(eve, NAME).ok(['get', '--raw', PATH], PATIENCE));
		for (const accept of ['application/json', PROTOBUF]) {
			const headers = { accept, 'accept-encoding': 'gzip' };
			const stream = await eve.open(session, `/clusters/${NAME}${PATH}`, { headers });
			assert.equal(stream.head['content-type'], accept);
			assert.equal(stream.head['content-encoding'], isCompressed ? 'gzip' : undefined);
			const data = await readSlowly(stream);
			if (accept === PROTOBUF) checkProtobuf(data);
			else check(data.toString('utf8'));
		}
	}
	session.close();
	const names = await toolsOf(eve, NAME).ok(['get', 'cm', '-n', 'bulk', '-o', 'name', '--chunk-size=300'], PATIENCE);
	assert.equal(names.trim().split('\n').length, COUNT / 2);
	const grown = peakKiB(kubeproxyd.pid) - before;
	assert.ok(grown < GROWTH_MAX_KIB, `lists of ${COUNT * BYTES} bytes cost ${grown} KiB`);
});
