// SIGHUP reads the roles anew: open connections are judged by the new ones, and what nobody may any more, since a role or a
// binding is gone, is cut in every instance: watches, tunnels and requests under way, and nobody else's. A broken file keeps the old.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { Agent } from 'node:https';
import { CLUSTERS, nameOf, person, Person, scenario, startBoth, startKubeproxyd } from './harness.mjs';
import { underWay } from './under_way.mjs';

const cluster = nameOf(CLUSTERS[0]);
const pods = `/clusters/${cluster}/api/v1/namespaces/default/pods`;
const binding = (roles, users) => `---
kind: role_binding
version: v1
metadata: {name: people}
spec: {roles: [${roles}], users: [${users}]}
`;
const role = (name, labels) => `---
kind: role
version: v8
metadata: {name: ${name}}
spec: {allow: {kubernetes_labels: ${labels}, kubernetes_groups: [developers]}}
`;

// A watch, an exec and requests without an answer of somebody: {ended() (a promise of all), isOpen(), end()}.
async function openAll(world, who) {
	const session = who.h2();
	const watch = await who.open(session, `${pods}?watch=true`);
	watch.resume();
	const closed = new Promise((resolve) => {
		watch.on('close', resolve);
	});
	const exec = who.startKubectl(cluster, ['exec', '-i', 'web-1', '--', 'cat'], { stdin: 'pipe' });
	exec.child.stdin.write('running\n');
	await exec.waitFor(/running/, { stream: 'stdout' });
	const requests = await underWay(world, CLUSTERS[0], who);
	const ended = () => Promise.all([closed, exec.ended, requests.ended()]).then(() => session.destroy());
	return {
		ended,
		isOpen: () => !watch.closed && !exec.isEnded && requests.isOpen(),
		end: () => {
			requests.end();
			return exec.kill('SIGKILL').then(() => session.destroy());
		},
	};
}

scenario('roles are reloaded', async (world) => {
	const { kubeproxyd } = await startBoth(world);
	const second = await startKubeproxyd(world, 'second');
	await second.untilServed(await kubeproxyd.names());
	const instances = [kubeproxyd, second];
	const victor = await person(world, kubeproxyd, 'victor');
	const agent = new Agent({ keepAlive: true, maxSockets: 1 });
	const ask = async () => (await victor.request(pods, { agent })).status;
	const reload = async (text, event) => {
		writeFileSync(world.path('roles.d', 'roles.yaml'), text);
		const from = instances.map((instance) => instance.reload());
		await Promise.all(instances.map((instance, i) => instance.waitFor(event, { from: from[i] })));
	};
	const good = readFileSync(world.path('roles.d', 'roles.yaml'), 'utf8');
	assert.equal(await ask(), 200);
	for (const [bad, place] of [
		['kind: role\nversion: v8\nmetadata: {name: x}\nspec: {allow: {kubernetes_gruops: [a]}}\n', /roles\.yaml:4:\d+/],
		[good.replace('kind: role_binding', 'kind: role_bindings'), /roles\.yaml:17:7/],
		[good.replace("{'*': '*'}", () => "{env: '^pro(d$'}"), /roles\.yaml:6:\d+/],
		[good.replace('[developers]', "['{{external.{{user.name}}}}']"), /roles\.yaml:7:\d+/],
		[good.replace('[viewer]', '[watcher]'), /roles\.yaml:\d+:\d+: [^\n]*watcher/],
	]) {
		await reload(bad, new RegExp(`level=error [^\\n]*${place.source}`));
		assert.equal(await ask(), 200, 'a broken file keeps the old roles');
	}

	// The same person in both instances, and somebody who stays.
	const alice = await person(world, kubeproxyd, 'alice');
	const there = new Person(world, second, { ...alice, name: 'alice-there' });
	const bob = await person(world, second, 'bob');
	const both = role('one', "{'*': '*'}") + role('other', '{env: prod}');
	for (const [what, before, after] of [
		['the binding', both + binding('one', 'alice, bob'), both + binding('one', 'bob')],
		['the role', both + binding('one', 'alice') + binding('other', 'bob').replace('people', 'bobs'), role('other', '{env: prod}') + binding('other', 'bob')],
	]) {
		await reload(before, /event=reloaded/);
		const kept = await openAll(world, bob);
		const lost = await Promise.all([alice, there].map((who) => openAll(world, who)));
		const started = Date.now();
		await reload(after, /event=reloaded/);
		await Promise.all(lost.map(({ ended }) => ended()));
		assert.ok(Date.now() - started < 5000, `${what}: ${Date.now() - started} ms`);
		assert.ok(kept.isOpen(), `${what}: others go on`);
		await kept.end();
		for (const who of [alice, there]) assert.equal((await who.request(pods)).status, 403, what);
	}
	assert.equal(await ask(), 403, 'on a connection that was open, too');
	agent.destroy();
});
