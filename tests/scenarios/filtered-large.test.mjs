// A list of 10 MB (100 MB in `make test-long`) of which every second object is shown, plain and compressed, to kubectl and to
// a client that reads slowly: half of it arrives, and none of it stays in the proxy.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { createGunzip } from 'node:zlib';
import { person, scenario, startBoth } from './harness.mjs';
import { NAME, PROD } from './filtered.mjs';
import { isLong, toolsOf } from './tools.mjs';

const BYTES = 10000;
const COUNT = isLong ? 10000 : 1000;
const GROWTH_MAX_KIB = 8 * 1024; // less than one list
const PATIENCE = { timeoutMs: isLong ? 300000 : 60000 };
const PATH = '/api/v1/namespaces/bulk/configmaps';
const READ_MS = 5;

const ROLE = `kind: role
version: v8
metadata: {name: even}
spec:
  allow:
    kubernetes_labels: {'*': '*'}
    kubernetes_groups: [developers]
    kubernetes_resources:
    - {kind: configmaps, namespace: bulk, name: '^bulk-[0-9]*[02468]$', verbs: [list]}
---
kind: role_binding
version: v1
metadata: {name: even}
spec: {roles: [even], users: [eve]}
`;

const peakKiB = (pid) => Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]);

function check(text) {
	const { items } = JSON.parse(text);
	assert.equal(items.length, COUNT / 2);
	assert.ok(items.every(({ metadata, data }) => /[02468]$/.test(metadata.name) && data.value.length === BYTES));
}

// Some, then a while nothing, to the end.
async function readSlowly(stream) {
	const source = stream.head['content-encoding'] === 'gzip' ? stream.pipe(createGunzip()) : stream;
	let text = '';
	let pieces = 0;
	for await (const part of source.setEncoding('utf8')) {
		text += part;
		if (pieces++ % 50 === 0)
			await new Promise((resolve) => {
				setTimeout(resolve, READ_MS);
			});
	}
	return text;
}

scenario('large lists, filtered', { clusters: [PROD] }, async (world) => {
	// The sanitizer keeps what was freed; here memory is what is measured.
	world.asanOptions = 'quarantine_size_mb=1:thread_local_quarantine_size_kb=64';
	writeFileSync(world.path('roles.d', 'even.yaml'), ROLE);
	const { kubeproxyd } = await startBoth(world, [NAME]);
	const bulk = (list) => world.api(PROD)('POST', '/bulk', { namespace: 'bulk', count: COUNT, bytes: BYTES, ...list });
	const eve = await person(world, kubeproxyd, 'eve');
	await eve.request(`/clusters/${NAME}/version`);
	const before = peakKiB(kubeproxyd.pid);
	const session = eve.h2();
	for (const isCompressed of [false, true]) {
		await bulk({ isCompressed });
		check(await toolsOf(eve, NAME).ok(['get', '--raw', PATH], PATIENCE));
		const stream = await eve.open(session, `/clusters/${NAME}${PATH}`, { headers: { 'accept-encoding': 'gzip' } });
		assert.equal(stream.head['content-encoding'], isCompressed ? 'gzip' : undefined);
		check(await readSlowly(stream));
	}
	session.close();
	const names = await toolsOf(eve, NAME).ok(['get', 'cm', '-n', 'bulk', '-o', 'name', '--chunk-size=300'], PATIENCE);
	assert.equal(names.trim().split('\n').length, COUNT / 2);
	const grown = peakKiB(kubeproxyd.pid) - before;
	assert.ok(grown < GROWTH_MAX_KIB, `lists of ${COUNT * BYTES} bytes cost ${grown} KiB`);
});
