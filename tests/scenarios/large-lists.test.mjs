// A list of 10 MB (100 MB in `make test-long`) to each client, whole, in pages, compressed and not: all of it arrives, and
// none of it stays in the proxy.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import * as k8s from '@kubernetes/client-node';
import { CLUSTERS, nameOf, person, run, scenario, startBoth } from './harness.mjs';
import { isLong, MINORS, toolsOf, writeKubeconfig } from './tools.mjs';

const [prod] = CLUSTERS;
const BYTES = 10000;
const COUNT = isLong ? 10000 : 1000;
const GROWTH_MAX_KIB = 3 * 1024; // 1.4 MiB were measured
const PATIENCE = { timeoutMs: isLong ? 300000 : 60000 };
const PYTHON = fileURLToPath(new URL('../clients/python_client.py', import.meta.url));

const peakKiB = (pid) => Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]);

function checkMaps(maps) {
	assert.equal(maps.length, COUNT);
	assert.equal(maps.at(-1).metadata.name, `bulk-${COUNT - 1}`);
	assert.ok(maps.every((map) => map.data.value.length === BYTES));
}

async function checkKubectl(alice, minor) {
	const { ok } = toolsOf(alice, nameOf(prod), { minor });
	for (const chunk of [0, 300]) {
		const names = await ok(['get', 'cm', '-n', 'bulk', '-o', 'name', `--chunk-size=${chunk}`], PATIENCE);
		assert.equal(names.trim().split('\n').length, COUNT, `1.${minor}, chunks of ${chunk}`);
	}
}

scenario('large lists', async (world) => {
	// The sanitizer keeps what was freed; here memory is what is measured.
	world.asanOptions = 'quarantine_size_mb=1:thread_local_quarantine_size_kb=64';
	const { kubeproxyd } = await startBoth(world);
	const bulk = (list) => world.api(prod)('POST', '/bulk', { namespace: 'bulk', count: COUNT, bytes: BYTES, ...list });
	const alice = await person(world, kubeproxyd, 'alice', ['engineering']);
	const kubeconfig = writeKubeconfig(alice, nameOf(prod));
	await alice.request(`/clusters/${nameOf(prod)}/version`);
	const before = peakKiB(kubeproxyd.pid);

	await bulk({ isCompressed: true });
	await checkKubectl(alice, MINORS[0]);
	await bulk({});
	await checkKubectl(alice, MINORS.at(-1));
	const raw = await toolsOf(alice, nameOf(prod)).ok(['get', '--raw', '/api/v1/namespaces/bulk/configmaps'], PATIENCE);
	checkMaps(JSON.parse(raw).items);

	const config = new k8s.KubeConfig();
	config.loadFromFile(kubeconfig);
	const { items } = await config.makeApiClient(k8s.CoreV1Api).listNamespacedConfigMap({ namespace: 'bulk' });
	checkMaps(items);

	const python = await run('/usr/bin/python3', [PYTHON, kubeconfig, 'list-all', 'bulk'], PATIENCE);
	assert.deepEqual(JSON.parse(python.stdout || 'null'), { count: COUNT, bytes: COUNT * BYTES }, python.stderr);

	const grown = peakKiB(kubeproxyd.pid) - before;
	assert.ok(grown < GROWTH_MAX_KIB, `lists of ${COUNT * BYTES} bytes cost ${grown} KiB`);
});
