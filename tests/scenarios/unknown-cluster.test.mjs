// A cluster that is not there, or that this user may not see, is a 404 that says where to look; nothing leaks.
import assert from 'node:assert/strict';
import { MATCHED, person, scenario, startBoth } from './harness.mjs';

scenario('an unknown cluster', async (world) => {
	const { kubeproxyd } = await startBoth(world);
	const alice = await person(world, kubeproxyd, 'alice', ['engineering']);
	const answer = await alice.request('/clusters/nowhere/api/v1/pods');
	assert.deepEqual([answer.status, answer.json.kind, answer.json.reason], [404, 'Status', 'NotFound']);
	assert.match(answer.json.message, /nowhere/);
	assert.match((await alice.kubectl('nowhere', ['get', '--raw', '/api/v1/pods'])).stderr, /nowhere/);
	for (const path of [
		'/clusters/',
		'/clusters',
		'/other',
		'/',
		`/clusters//${MATCHED[0]}/api`,
		`/cluster/${MATCHED[0]}/api`,
	]) {
		const other = await alice.request(path);
		assert.ok([400, 404].includes(other.status), `${path}: ${other.status}`);
		assert.equal(other.json.kind, 'Status', path);
	}
});
