// Roles change under watches of a restricted user: one that would show the same goes on; one that would not tells its client
// to list anew and ends as watches do, compressed or not; kubectl says why. What is no longer allowed at all is cut.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { createGunzip } from 'node:zlib';
import { ended, person, scenario, startBoth, until } from './harness.mjs';
import { map, NAME, PROD } from './filtered.mjs';
import { toolsOf } from './tools.mjs';

const MAPS = `/clusters/${NAME}/api/v1/configmaps?watch=1`;

const role = (names, more = '') => `kind: role
version: v8
metadata: {name: some}
spec:
  allow:
    kubernetes_labels: {'*': '*'}
    kubernetes_groups: [developers]
    kubernetes_resources:
    - {kind: configmaps, namespace: default, name: '${names}', verbs: [list, watch]}
${more}---
kind: role_binding
version: v1
metadata: {name: some}
spec: {roles: [some], users: [sue]}
`;

// A watch and what came of it: {text(), end: the code it ended with, "" for a body that broke off}.
async function watch(sue, session, encoding) {
	const stream = await sue.open(session, MAPS, { headers: { 'accept-encoding': encoding } });
	const source = stream.head['content-encoding'] === 'gzip' ? stream.pipe(createGunzip()) : stream;
	let text = '';
	source.setEncoding('utf8').on('data', (part) => {
		text += part;
	});
	const whole = new Promise((resolve) => {
		source.on('end', () => resolve(true)).on('error', () => resolve(false));
	});
	return { text: () => text, end: ended(stream).then(async (code) => code || ((await whole) ? 0 : '')) };
}

scenario('roles change under filtered watches', { clusters: [PROD] }, async (world) => {
	const write = (text) => writeFileSync(world.path('roles.d', 'some.yaml'), text);
	write(role('set*'));
	const { kubeproxyd } = await startBoth(world, [NAME]);
	const put = (name) => world.api(PROD)('POST', '/objects', map(name));
	const reload = async (text) => {
		write(text);
		const from = kubeproxyd.reload();
		await kubeproxyd.waitFor(/event=reloaded/, { from });
	};
	const sue = await person(world, kubeproxyd, 'sue');
	await world.api(PROD)('POST', '/compression', { isOn: true });
	const session = sue.h2();
	const watches = [await watch(sue, session, 'identity'), await watch(sue, session, 'gzip')];
	for (const { text } of watches) await until('it has begun', () => /"settings"/.test(text()));
	const kubectl = toolsOf(sue, NAME).start(['get', 'cm', '-A', '-w']);
	await kubectl.waitFor(/settings/, { stream: 'stdout' });

	// Another rule beside changes nothing of what is shown.
	await reload(role('set*', "    - {kind: pods, namespace: default, name: '*', verbs: [list]}\n"));
	await put('set-2');
	for (const { text } of watches) await until('it goes on', () => /"set-2"/.test(text()));

	await reload(role('*-3'));
	for (const { text, end } of watches) {
		assert.equal(await end, 0);
		const last = JSON.parse(text().trim().split('\n').at(-1));
		assert.deepEqual([last.type, last.object.kind, last.object.code, last.object.reason], ['ERROR', 'Status', 410, 'Expired']);
	}
	await kubectl.ended;
	assert.match(kubectl.stdout, /Expired +the roles of this user have changed: list anew/);

	await put('set-3');
	const third = await watch(sue, session, 'identity');
	await until('what is shown now is there', () => /"set-3"/.test(third.text()));
	assert.doesNotMatch(third.text(), /"settings"|"set-2"/);
	await reload(role('x').replace('configmaps', 'pods'));
	assert.notEqual(await third.end, 0);
	assert.doesNotMatch(third.text(), /ERROR/);
	session.close();
	await until('nothing is left', async () => (await kubeproxyd.status()).exchanges === 0);
});
