// Without a certificate the answer is 401 as a Status, whatever is asked for.
import assert from 'node:assert/strict';
import { CLUSTERS, MATCHED, run, scenario, startBoth } from './harness.mjs';

scenario('no client certificate', async (world) => {
	const { kubeproxyd } = await startBoth(world);
	const ca = world.config.eksgate.proxy.tls.certificate;
	for (const path of [`/clusters/${MATCHED[0]}/api`, '/clusters/none/api', '/', '/api/v1/pods']) {
		const result = await run('curl', [
			'-sS',
			'--http1.1',
			'--cacert',
			ca,
			'-w',
			'%{http_code}',
			`https://127.0.0.1:${kubeproxyd.port}${path}`,
		]);
		assert.match(result.stdout, /"kind": ?"Status"[^]*401$/, path);
	}
	assert.equal((await world.received(CLUSTERS[0])).length, 0);
});
