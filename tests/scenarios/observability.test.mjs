// Health and metrics of both daemons, on the admin socket and on the loopback address, and nothing else there.
import assert from 'node:assert/strict';
import { get } from 'node:http';
import { admin } from './daemons.mjs';
import { MATCHED, nameOf, CLUSTERS, person, scenario, startDiscoveryd, startKubeproxyd } from './harness.mjs';

function fetchText(port, path) {
	return new Promise((resolve, reject) => {
		get({ host: '127.0.0.1', port, path, agent: false }, (response) => {
			let text = '';
			response.setEncoding('utf8').on('data', (part) => {
				text += part;
			});
			response.on('end', () => resolve({ status: response.statusCode, text }));
		}).on('error', reject);
	});
}

// Every line is a comment or a sample (text exposition format 0.0.4).
function checkExposition(text) {
	for (const line of text.trimEnd().split('\n'))
		assert.match(line, /^(# (HELP|TYPE) eksgate_\w+ .*|eksgate_\w+(\{.*\})? [-+.\deEINa]+)$/);
}

async function checkPublic(daemon) {
	const port = Number((await daemon.log('admin', 'metrics-listening', /port=(\d+)/))[1]);
	assert.deepEqual(await fetchText(port, '/healthz'), { status: 200, text: 'ok\n' });
	assert.deepEqual(await fetchText(port, '/readyz'), { status: 200, text: 'ok\n' });
	for (const path of ['/v1/status', '/v1/clusters', '/']) assert.equal((await fetchText(port, path)).status, 404, path);
	const { text } = await fetchText(port, '/metrics');
	checkExposition(text);
	return text;
}

scenario('health and metrics', async (world) => {
	world.config.eksgate.metrics_listen = '127.0.0.1:0';
	world.config.eksgate.proxy.metrics_listen = '127.0.0.1:0';
	world.writeConfig();
	const discoveryd = await startDiscoveryd(world);
	await discoveryd.untilNames(MATCHED);
	const kubeproxyd = await startKubeproxyd(world);
	await kubeproxyd.untilServed(MATCHED);
	const alice = await person(world, kubeproxyd, 'alice', ['engineering']);
	const cluster = nameOf(CLUSTERS[0]);
	assert.equal((await alice.request(`/clusters/${cluster}/version`)).status, 200);

	const found = await checkPublic(discoveryd);
	assert.match(found, /^eksgate_discovery_\w+\{[^}]*operation="eks:ListClusters"[^}]*outcome="ok"[^}]*\} [1-9]/m);
	assert.match(found, /^eksgate_discovery_clusters\{phase="ready"\} 4$/m);
	assert.match(found, /^eksgate_bus_\w+/m);
	const served = await checkPublic(kubeproxyd);
	assert.match(served, new RegExp(`^eksgate_proxy_requests_total\\{cluster="${cluster}",code="200"\\} 1$`, 'm'));
	assert.match(served, /^eksgate_directory_\w+/m);
	for (const socket of [world.config.eksgate.discovery.admin_socket, world.path('run', 'main.sock')])
		checkExposition(await admin(socket, '/metrics'));
});
