// What a role's options limit: a session, a watch or a log without data ends after client_idle_timeout, whatever pings its
// client sends, any ends after max_session_ttl, and no more than max_kubernetes_connections are open at a time.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { CLUSTERS, ended, nameOf, person, scenario, startBoth } from './harness.mjs';

const [prod] = CLUSTERS;
const role = (name, user, options) => `kind: role
version: v8
metadata: {name: ${name}}
spec:
  options: ${JSON.stringify(options)}
  allow:
    kubernetes_labels: {'*': '*'}
    kubernetes_groups: [developers]
---
kind: role_binding
version: v1
metadata: {name: ${name}}
spec: {roles: [${name}], users: [${user}]}
`;
const ROLES = [
	role('idle', 'ida', { client_idle_timeout: '7s' }),
	role('brief', 'bert', { max_session_ttl: '0h0m4s', max_kubernetes_connections: 1 }),
	role('wide', 'bert', { max_session_ttl: '8h', client_idle_timeout: 'never' }),
].join('---\n');

scenario('role options', async (world) => {
	writeFileSync(world.path('roles.d', 'roles.yaml'), ROLES);
	const { kubeproxyd } = await startBoth(world);
	const ida = await person(world, kubeproxyd, 'ida');
	const bert = await person(world, kubeproxyd, 'bert');
	const exec = async (who) => {
		const session = who.startKubectl(nameOf(prod), ['exec', '-i', 'web-1', '--', 'cat'], { stdin: 'pipe' });
		session.child.stdin.write('running\n');
		await session.waitFor(/running/, { stream: 'stdout' });
		return session;
	};
	const session = ida.h2();
	const watch = await ida.open(session, `/clusters/${nameOf(prod)}/api/v1/namespaces/default/pods?watch=true`);
	const watched = ended(watch.resume());
	const log = ida.startKubectl(nameOf(prod), ['logs', '-f', 'web-1']);
	const silent = await exec(ida);
	const busy = await exec(ida);
	const typing = setInterval(() => busy.child.stdin.write('more\n'), 500);
	const brief = await exec(bert);
	const second = await bert.kubectl(nameOf(prod), ['exec', 'web-1', '--', 'true']);
	assert.match(second.stderr, /max_kubernetes_connections/);
	const started = Date.now();
	const [code] = await Promise.all([watched, log.ended, silent.ended, brief.ended]);
	assert.equal(code, 0, 'a watch ends cleanly');
	assert.match(log.stderr, /stream error/, 'a log is cut');
	session.destroy();
	assert.ok(Date.now() - started < 16000, `${Date.now() - started} ms`);
	await kubeproxyd.waitFor(/client_idle_timeout/);
	await kubeproxyd.waitFor(/max_session_ttl/);
	assert.ok(!busy.isEnded, 'who types goes on');
	clearInterval(typing);
	assert.equal((await bert.kubectl(nameOf(prod), ['exec', 'web-1', '--', 'true'])).code, 0, 'there is room again');
	await busy.kill('SIGKILL');

	// What is under way is held to the limits of the roles as they are, not as they were when it began.
	const idle = await exec(ida);
	writeFileSync(world.path('roles.d', 'roles.yaml'), ROLES.replace('"7s"', '"never","max_session_ttl":"1s"'));
	let from = kubeproxyd.reload();
	await idle.ended;
	await kubeproxyd.waitFor(/max_session_ttl/, { from });

	writeFileSync(world.path('roles.d', 'roles.yaml'), ROLES.replace('"7s"', '"7 s"'));
	from = kubeproxyd.reload();
	await kubeproxyd.waitFor(/reload-refused [^\n]*roles\.yaml:5:\d+: options\.client_idle_timeout must be a duration/, { from });
});
