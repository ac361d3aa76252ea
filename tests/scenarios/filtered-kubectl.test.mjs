// kubectl of a restricted user, old and new: tables, documents, names, pages, all namespaces, namespaces, watches. What her
// roles show is there, nothing else is, and what they could never show is refused with a sentence. README shows it, too.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { person, scenario, until } from './harness.mjs';
import { map, NAME, PROD, someRole, startFiltered, tellsNothingElse } from './filtered.mjs';
import { FEW_MINORS, toolsOf } from './tools.mjs';
import { pod } from '../sim/kube/seed.mjs';

const sorted = (text) => text.trim().split('\n').sort();

async function checkReads({ ok }) {
	for (const chunk of [0, 1]) {
		const table = await ok(['get', 'pods', '--no-headers', `--chunk-size=${chunk}`]);
		assert.deepEqual(sorted(table).map((line) => line.split(' ')[0]), ['web-1', 'web-2'], table);
	}
	const all = await ok(['get', 'pods', '-A', '--no-headers']);
	assert.deepEqual(sorted(all).map((line) => line.split(/ +/).slice(0, 2).join('/')), ['default/web-1', 'default/web-2']);
	assert.deepEqual(sorted(await ok(['get', 'pods', '-o', 'name'])), ['pod/web-1', 'pod/web-2']);
	const list = JSON.parse(await ok(['get', 'pods', '-o', 'json']));
	assert.deepEqual(list.items.map(({ metadata }) => metadata.name).sort(), ['web-1', 'web-2']);
	const yaml = await ok(['get', 'pods', '-A', '-o', 'yaml']);
	assert.match(yaml, /name: web-2/);
	tellsNothingElse(yaml);
	assert.match(await ok(['get', 'configmaps', '-n', 'team-a']), /of-team/);
	assert.deepEqual(sorted(await ok(['get', 'configmaps', '-A', '-o', 'name'])), ['configmap/of-team']);
	assert.deepEqual(sorted(await ok(['get', 'ns', '-o', 'name'])), ['namespace/default', 'namespace/team-a']);
	assert.match(await ok(['get', 'pods', '-l', 'app in (web-1, db-0)', '-o', 'name']), /^pod\/web-1\n$/);
	assert.match(await ok(['get', 'pods', '--field-selector', 'metadata.name=web-1', '-o', 'name']), /^pod\/web-1\n$/);
	const ofTeam = ['get', 'cm', '-A', '--field-selector', 'metadata.namespace=team-a', '-o', 'name'];
	assert.match(await ok(ofTeam), /^configmap\/of-team\n$/);
	assert.match(await ok(['auth', 'can-i', 'list', 'pods']), /^yes/);
	for (const which of [['pod/web-1'], ['pods', '-l', 'app=web-2']])
		assert.match(await ok(['wait', '--for=condition=Ready', ...which, '--timeout=10s']), /condition met/);
}

async function checkRefusals({ kubectl }) {
	for (const [words, says] of [
		[['get', 'secrets'], /cannot list secrets/],
		[['get', 'secrets', '-A'], /cannot list secrets/],
		[['get', 'pods', '-n', 'team-a'], /cannot list pods/],
		[['get', 'cm', '-A', '--field-selector', 'metadata.namespace=kube-system'], /cannot list configmaps/],
		[['get', 'cm', '-A', '--field-selector', 'metadata.namespace=default'], /cannot list configmaps/],
		[['get', 'pod', 'db-0'], /cannot get pods/],
		[['get', 'pods', '--field-selector', 'metadata.name=db-0'], /cannot list pods/],
		[['get', 'configmaps'], /cannot list configmaps/],
	]) {
		const result = await kubectl(words);
		assert.notEqual(result.code, 0, words.join(' '));
		assert.match(result.stderr, says);
		assert.match(result.stderr, /ask an administrator/i);
	}
}

async function checkWatch({ start, minor }, put) {
	const watch = start(['get', 'pods', '-w', '--no-headers']);
	await watch.waitFor(/web-2/, { stream: 'stdout' });
	await put(pod(`db-of-${minor}`));
	await put(pod(`web-of-${minor}`));
	await watch.waitFor(new RegExp(`web-of-${minor}`), { stream: 'stdout', timeoutMs: 3000 });
	tellsNothingElse(watch.stdout);
	assert.doesNotMatch(watch.stdout, /db-/);
	await watch.kill();
}

// The rules that README has, and what it says that their user sees.
const README = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
const SHOWN = Array.from(README.matchAll(/`\{(kind: \w+, namespace: \w+, name: [^`]*)\}`/g), ([, row]) => row);
const shownFor = (command) => README.split(`$ kubectl ${command} `)[1].split('\n    $')[0].split('\n').slice(1);

async function checkReadme(rita, put) {
	for (const namespace of ['shop', 'tools', 'other']) {
		await put({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } });
		for (const name of ['web-1', 'db-1']) await put(pod(name, { namespace }));
		await put(map(`of-${namespace}`, namespace));
	}
	const { ok, kubectl } = toolsOf(rita, NAME);
	const columns = (line) => line.trim().split(/ +/).slice(0, 4);
	const [head, row] = shownFor('get pods -A');
	const table = (await ok(['get', 'pods', '-A'])).trim().split('\n');
	assert.deepEqual(table.map(columns), [columns(head), columns(row)]);
	const namespaces = shownFor('get namespaces -o name').map((line) => line.trim()).filter(Boolean);
	assert.deepEqual(sorted(await ok(['get', 'namespaces', '-o', 'name'])), namespaces);
	const secrets = await kubectl(['get', 'secrets', '-A']);
	const [says] = shownFor('get secrets -A')[0].trim().split(' "alice"');
	assert.ok(secrets.stderr.startsWith(`${says} "rita" cannot list secrets in cluster "${NAME}": `), secrets.stderr);
	assert.match(await ok(['delete', '--raw', '/api/v1/namespaces/tools/configmaps']), /of-tools/);
	assert.equal(await ok(['get', 'configmaps', '-A', '-o', 'name']), '');
}

scenario('kubectl of a restricted user', { clusters: [PROD] }, async (world) => {
	assert.equal(SHOWN.length, 2, 'README has two rules');
	writeFileSync(world.path('roles.d', 'some.yaml'), someRole('rita', SHOWN));
	const { kubeproxyd, wanda, put } = await startFiltered(world);
	for (const minor of FEW_MINORS) {
		const tools = toolsOf(wanda, NAME, { minor });
		await checkReads(tools);
		await checkRefusals(tools);
	}
	for (const minor of FEW_MINORS) await checkWatch(toolsOf(wanda, NAME, { minor }), put);
	// What API servers were asked to answer in can all be filtered.
	const asked = (await world.received(PROD)).filter(({ user }) => user === 'wanda');
	assert.ok(asked.some(({ target }) => /sendInitialEvents=true/.test(target)), 'the newest waits by a WatchList');
	for (const { headers, target } of asked.filter(({ target: path }) => /\/pods\?/.test(path))) {
		const accept = headers.filter(([name]) => name.toLowerCase() === 'accept').map(([, value]) => value);
		assert.equal(accept.length, 1, target);
		assert.doesNotMatch(accept[0], /\*|yaml|cbor/);
	}
	await checkReadme(await person(world, kubeproxyd, 'rita'), put);
	await until('nothing is left', async () => (await kubeproxyd.status()).exchanges === 0);
});
