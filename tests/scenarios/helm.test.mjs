// helm 3 and 4 through the proxy: list, install, upgrade, roll back, uninstall; releases are kept as secrets, in
// protobuf, and what is installed is there.
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { CLUSTERS, nameOf, person, scenario, startBoth } from './harness.mjs';
import { isLong, MINORS, toolsOf } from './tools.mjs';

const [prod] = CLUSTERS;
const WITH_HELM = isLong ? MINORS : [31, 35]; // helm 3.17 and 4.1

const PROTOBUF = 'application/vnd.kubernetes.protobuf';

const SETTINGS = `apiVersion: v1
kind: ConfigMap
metadata: {name: "{{ .Release.Name }}-settings"}
data: {colour: "{{ .Values.colour }}"}
`;
const DEPLOYMENT = `apiVersion: apps/v1
kind: Deployment
metadata: {name: "{{ .Release.Name }}"}
spec:
  replicas: 2
  selector: {matchLabels: {app: "{{ .Release.Name }}"}}
  template:
    metadata: {labels: {app: "{{ .Release.Name }}"}}
    spec: {containers: [{name: main, image: "shop:{{ .Values.colour }}"}]}
`;

function writeChart(world) {
	const chart = world.path('chart');
	mkdirSync(`${chart}/templates`, { recursive: true });
	writeFileSync(`${chart}/Chart.yaml`, 'apiVersion: v2\nname: shop\nversion: 1.0.0\n');
	writeFileSync(`${chart}/values.yaml`, 'colour: red\n');
	writeFileSync(`${chart}/templates/settings.yaml`, SETTINGS);
	writeFileSync(`${chart}/templates/deployment.yaml`, DEPLOYMENT);
	return chart;
}

// One secret a revision; from helm 3.17 on they are protobuf both ways.
async function checkForms(world, minor) {
	const records = (await world.received(prod)).filter(({ target }) => /\/secrets(\?|$)/.test(target));
	const [stored, listed] = ['POST', 'GET'].map((wanted) => records.filter(({ method }) => method === wanted));
	assert.equal(stored.length, 3);
	assert.ok(listed.length > 0);
	if (minor === 25) return;
	for (const { headers } of stored) assert.ok(headers.some(([, value]) => value === PROTOBUF));
	for (const { answerType } of [...stored, ...listed]) assert.equal(answerType, PROTOBUF);
}

async function checkHelm(world, alice, chart, minor) {
	const { helm, ok, kubectl } = toolsOf(alice, nameOf(prod), { minor });
	const release = `shop${minor}`;
	const colour = () => ok(['get', 'cm', `${release}-settings`, '-o', 'jsonpath={.data.colour}']);
	assert.match(await helm(['list']), /^NAME/);
	assert.match(
		await helm(['install', release, chart, '--wait', '--timeout', '30s']),
		/STATUS: deployed\nREVISION: 1/,
	);
	assert.equal(await colour(), 'red');
	assert.match(await helm(['upgrade', release, chart, '--set', 'colour=blue']), /REVISION: 2/);
	assert.equal(await colour(), 'blue');
	assert.match(await helm(['list']), new RegExp(`${release}\\s+default\\s+2\\s.*deployed`));
	assert.match(await helm(['rollback', release, '1']), /success/);
	assert.equal(await colour(), 'red');
	assert.match(await helm(['history', release]), /superseded[^]*superseded[^]*deployed/);
	assert.match(await helm(['get', 'manifest', release]), /kind: Deployment/);
	await helm(['uninstall', release]);
	assert.match((await kubectl(['get', 'cm', `${release}-settings`])).stderr, /not found/);
	await checkForms(world, minor);
	await world.api(prod)('DELETE', '/requests');
}

scenario('helm', async (world) => {
	const { kubeproxyd } = await startBoth(world);
	const alice = await person(world, kubeproxyd, 'alice', ['engineering']);
	const chart = writeChart(world);
	for (const minor of WITH_HELM) await checkHelm(world, alice, chart, minor);
});
