// The verbs that read, on each kubectl: discovery, tables and documents, selectors, explain, wait, top, who may do what; a
// table of command lines and what they print.
import assert from 'node:assert/strict';
import { CLUSTERS, nameOf, person, scenario, startBoth } from './harness.mjs';
import { FEW_MINORS, toolsOf } from './tools.mjs';

const [prod] = CLUSTERS;

// [words, what is printed, the oldest kubectl that has it]
const ROWS = [
	['version', /Server Version: .*v1\.34/],
	['api-resources', /configmaps +cm[^]*deployments +deploy +apps\/v1/],
	['api-versions', /^apps\/v1$[^]*^metrics\.k8s\.io\/v1beta1$/m],
	['get pods', /NAME +READY[^]*web-1[^]*web-2/],
	['get pods -A --chunk-size=2', /team-a +job-1/],
	['get pod web-1 -o jsonpath={.metadata.name}', /^web-1$/],
	['get pods -l app=web-2 -o name', /^pod\/web-2\n$/],
	['get pods -l app!=web-2 -o name', /^pod\/web-1\n$/],
	['get pods -l app=web-1 -o wide --show-labels', /app=web-1/],
	['get pods,services', /pod\/web-1[^]*service\/web/],
	['describe pod web-1', /Name: +web-1[^]*Status: +Running/],
	['explain pods', /Pod as the simulator keeps it/],
	['explain pods.metadata.labels', /FIELD|map\[string\]string/],
	['wait --for=condition=Ready pod/web-1 --timeout=10s', /pod\/web-1 condition met/],
	['wait --for=jsonpath={.status.phase}=Running pod/web-1 --timeout=10s', /condition met/],
	['top pods', /web-1 +12m +34Mi/],
	['logs web-1 --tail=1', /^listening\n$/],
	['auth can-i create pods', /^yes\n$/],
	['auth can-i --list', /Resources/],
	['auth whoami', /alice/, 29],
	['events', /Started +pod\/web-1 +Started container main/i, 29],
];

// [words, what is said on standard error]
const REFUSALS = [
	['get pod none', /pods "none" not found/],
	['get nodes', /nodes is forbidden: User "alice" cannot list resource "nodes"/],
	['get unheard-of', /doesn't have a resource type "unheard-of"/],
	['auth can-i create nodes', /^(Warning: .*\s*)?$/],
	['get pods --as=bob', /forbidden|impersonat/i],
];

async function checkGeneration(world, alice, minor) {
	const tools = toolsOf(alice, nameOf(prod), { minor });
	for (const [line, printed, oldest = 0] of ROWS)
		if (minor >= oldest) assert.match(await tools.ok(line.split(' ')), printed, `1.${minor} ${line}`);
	for (const [line, said] of REFUSALS) {
		const result = await tools.kubectl(line.split(' '));
		assert.notEqual(result.code, 0, `1.${minor} ${line} is refused`);
		assert.match(result.stderr, said, `1.${minor} ${line}`);
	}
	const gets = (await world.received(prod)).filter(({ target }) =>
		target.startsWith('/api/v1/namespaces/default/pods?'),
	);
	const header = (entry, name) => entry.headers.find(([key]) => key.toLowerCase() === name)?.[1];
	assert.match(header(gets[0], 'user-agent'), new RegExp(`^kubectl.*/v1\\.${minor}\\.`));
	assert.match(header(gets[0], 'kubectl-command'), /^kubectl\S* get$/);
	assert.ok(
		gets.every((entry) => entry.version === '2.0'),
		'lists arrive over HTTP/2',
	);
	await world.api(prod)('DELETE', '/requests');
}

scenario('kubectl reads', async (world) => {
	const { kubeproxyd } = await startBoth(world);
	const alice = await person(world, kubeproxyd, 'alice', ['engineering']);
	for (const minor of FEW_MINORS) await checkGeneration(world, alice, minor);

	await world.api(prod)('POST', '/fill', { count: 3000 });
	const { ok } = toolsOf(alice, nameOf(prod));
	assert.equal((await ok(['get', 'pods', '-o', 'name'])).trim().split('\n').length, 3002);
	assert.equal(JSON.parse(await ok(['get', '--raw', '/api/v1/namespaces/default/pods'])).items.length, 3002);
});
