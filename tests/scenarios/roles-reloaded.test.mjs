// SIGHUP reads the roles anew: open connections are judged by the new ones; a broken file keeps the old.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { Agent } from 'node:https';
import { CLUSTERS, nameOf, person, scenario, startBoth } from './harness.mjs';

scenario('roles are reloaded', async (world) => {
	const { kubeproxyd } = await startBoth(world);
	const victor = await person(world, kubeproxyd, 'victor');
	const agent = new Agent({ keepAlive: true, maxSockets: 1 });
	const pods = () => victor.request(`/clusters/${nameOf(CLUSTERS[0])}/api/v1/namespaces/default/pods`, { agent });
	const reload = async (text, event) => {
		writeFileSync(world.path('roles.d', 'roles.yaml'), text);
		const from = kubeproxyd.reload();
		await kubeproxyd.waitFor(event, { from });
	};
	assert.equal((await pods()).status, 200);
	await reload(
		'kind: role\nversion: v8\nmetadata: {name: x}\nspec: {allow: {kubernetes_gruops: [a]}}\n',
		/level=error [^\n]*roles\.yaml:4:\d+/,
	);
	assert.equal((await pods()).status, 200, 'a broken file keeps the old roles');
	await reload(
		'kind: role\nversion: v8\nmetadata: {name: x}\nspec: {allow: {kubernetes_groups: [a]}}\n',
		/event=reloaded/,
	);
	assert.ok([403, 404].includes((await pods()).status), 'on the open connection too');
	agent.destroy();
});
