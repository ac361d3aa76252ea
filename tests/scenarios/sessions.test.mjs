// `kubeproxyd sessions`: what runs in containers through all instances, by kubectl of the WebSocket era and of SPDY's, beside
// what is recorded; `sessions terminate` ends one and no other, and the audit log says who and why.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { request } from 'node:https';
import { CLUSTERS, command, nameOf, person, Person, scenario, startBoth, startKubeproxyd, until } from './harness.mjs';
import { MINORS, toolsOf } from './tools.mjs';

const [prod] = CLUSTERS;
const name = nameOf(prod);
const KEPT = 'c0ffee00-1111-4222-8333-444455556666';
const header = {
	version: 2,
	width: 80,
	height: 24,
	timestamp: 1700000000,
	command: 'sh',
	eksgate: { session: KEPT, kind: 'exec', user: 'bob', cluster: name, namespace: 'default', pod: 'web-1', instance: 'gone' },
};

// A tunnel of the client's own making: its socket.
function upgrade(who, path, protocol) {
	return new Promise((resolve, reject) => {
		const given = { host: '127.0.0.1', port: who.proxy.port, ca: who.ca, cert: who.certificate, key: who.key };
		const headers = {
			Connection: 'Upgrade',
			Upgrade: 'websocket',
			'Sec-WebSocket-Version': '13',
			'Sec-WebSocket-Key': 'AAAAAAAAAAAAAAAAAAAAAA==',
			'Sec-WebSocket-Protocol': protocol,
		};
		const call = request({ ...given, path: `/clusters/${name}${path}`, headers, agent: false, ALPNProtocols: ['http/1.1'] });
		call.on('upgrade', (response, socket) => resolve(socket));
		call.on('response', (response) => reject(new Error(`${path}: ${response.statusCode}`)));
		call.on('error', reject);
		call.end();
	});
}

scenario('sessions', async (world) => {
	const { kubeproxyd } = await startBoth(world);
	const second = await startKubeproxyd(world, 'second');
	await second.untilServed(await kubeproxyd.names());
	const alice = await person(world, kubeproxyd, 'alice', ['engineering']);
	const there = new Person(world, second, { ...alice, name: 'alice-there' });
	const sessions = async (words, code = 0) => {
		const dir = words[0] === 'terminate' ? [] : ['--dir', world.path('elsewhere')];
		const result = await command(world, 'kubeproxyd', ['sessions', ...words, ...dir], world.proxyUser);
		assert.equal(result.code, code, `sessions ${words.join(' ')}: ${result.stdout}${result.stderr}`);
		return result;
	};
	const listed = async (...words) => JSON.parse((await sessions([...words, '--format', 'json'])).stdout);
	const exec = async (who, minor) => {
		const session = toolsOf(who, name, { minor }).start(['exec', '-i', 'web-1', '--', 'cat'], { stdin: 'pipe' });
		session.child.stdin.write('running\n');
		await session.waitFor(/running/, { stream: 'stdout' });
		return session;
	};
	assert.deepEqual(await listed(), [], 'neither sessions nor recordings, and no directory for them');

	const spdy = await exec(there, MINORS[0]);
	const webSocket = await exec(alice, MINORS.at(-1));
	const forward = toolsOf(alice, name).start(['port-forward', 'pod/web-1', ':8080']);
	const [, port] = await forward.waitFor(/127\.0\.0\.1:(\d+) ->/, { stream: 'stdout' });
	await fetch(`http://127.0.0.1:${port}/`).then((answer) => answer.text());

	const live = await listed('--live');
	assert.deepEqual(
		live.map(({ kind, user, cluster, namespace, pod, instance, protocol, recorded }) => [kind, user, cluster, namespace, pod, instance, protocol, recorded]),
		[
			['port-forward', 'alice', name, 'default', 'web-1', 'main', 'websocket', false],
			['exec', 'alice', name, 'default', 'web-1', 'main', 'websocket', false],
			['exec', 'alice', name, 'default', 'web-1', 'second', 'SPDY/3.1', false],
		],
	);
	assert.deepEqual(live[0].ports, ['8080']);
	for (const session of live.slice(1)) {
		assert.equal(session.command, 'cat');
		assert.ok(session.bytes_in > 8 && session.bytes_out > 8 && session.duration_ms >= 0, JSON.stringify(session));
		assert.match(session.client, /^127\.0\.0\.1:\d+$/);
	}
	assert.match(await kubeproxyd.call('/metrics'), /^eksgate_sessions\{kind="exec"\} 1$/m);
	assert.match(await kubeproxyd.call('/metrics'), /^eksgate_sessions\{kind="port-forward"\} 1$/m);

	// Recordings beside them: one of a live session is told with it, a broken one by name.
	mkdirSync(world.path('elsewhere'));
	const put = (file, text) => writeFileSync(world.path('elsewhere', file), text);
	put(`${KEPT}.cast`, `${JSON.stringify(header)}\n[1.5,"o","x"]\n[2.5,"m","exit 3"]\n`);
	put(`${live[1].id}.cast.part`, `${JSON.stringify({ ...header, timestamp: header.timestamp + 1, eksgate: { ...header.eksgate, session: live[1].id } })}\n`);
	put('deadbeef.cast', 'torn');
	const all = await listed();
	assert.deepEqual(
		all.map(({ id, state, recorded }) => [id, state, recorded]),
		[...live.map(({ id }) => [id, 'live', id === live[1].id]), [KEPT, 'kept', true], ['deadbeef', 'unreadable', true]],
	);
	assert.deepEqual([all[3].user, all[3].duration_ms, all[3].exit_code, all[3].ended], ['bob', 2500, 3, 'exit 3']);
	assert.match(all[4].problem, /deadbeef\.cast:1:1: /);
	const table = await sessions([]);
	assert.match(table.stdout, new RegExp(`^${live[1].id.slice(0, 8)} +live, recorded +exec +alice +${name} +default/web-1/main +cat `, 'm'));
	assert.match(table.stdout, new RegExp(`^${KEPT.slice(0, 8)} +kept +exec +bob .* 2\\.5s .* exit 3$`, 'm'));
	assert.match(table.stderr, /deadbeef\.cast:1:1: /);
	const ids = async (...words) => (await listed(...words)).map(({ id }) => id);
	assert.deepEqual(await ids('--user', 'bob'), [KEPT, 'deadbeef']);
	assert.deepEqual(await ids('--live', '--cluster', 'nowhere'), []);
	assert.deepEqual(await ids('--kept', '--since', '1h'), ['deadbeef']);
	assert.deepEqual(await ids('--instance', 'second', '--live'), [live[2].id]);

	// Nobody hides by what their request says: bytes that are no UTF-8, and controls of a terminal.
	const tunnel = await upgrade(alice, '/api/v1/namespaces/default/pods/web-1/portforward?ports=8080&command=a%ff%1b%9b%00b', 'v4.channel.k8s.io');
	const [hidden] = await listed('--live');
	assert.deepEqual([hidden.kind, hidden.user, hidden.command], ['port-forward', 'alice', 'a\ufffd\u001b\ufffd\ufffd\ufffdb']);
	assert.doesNotMatch((await sessions(['--live'])).stdout, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/);
	// Nor does an instance that answers otherwise keep the others from being asked.
	let odd = { sessions: [{ kind: 'exec' }] };
	const strange = createServer((_, response) => response.end(JSON.stringify(odd))).listen(world.path('run', 'strange.sock'));
	await once(strange, 'listening');
	for (odd of [odd, { sessions: [{ id: '', since: '2026-01-01T00:00:00Z' }] }, { sessions: {} }, { sessions: null }]) {
		assert.match((await sessions(['--live'])).stderr, /an instance's answer has no sessions/);
		assert.match((await sessions(['terminate', 'ffffffff-'], 1)).stderr, /no session under way here begins with "ffffffff-"/);
	}
	await sessions(['terminate', hidden.id]);
	strange.close();
	tunnel.destroy();

	// One ends, and no other.
	assert.match((await sessions(['terminate', 'ffffffff-'], 1)).stderr, /no session under way here begins with "ffffffff-"/);
	await sessions(['terminate', 'xyz'], 2);
	await sessions(['terminate'], 2);
	const ended = await sessions(['terminate', live[2].id.slice(0, 13), '--reason', 'maintenance of web-1']);
	assert.match(ended.stdout, new RegExp(`^${live[2].id} is ended: exec of alice in default/web-1, ${name}`));
	await spdy.ended;
	webSocket.child.stdin.write('still here\n');
	await webSocket.waitFor(/still here/, { stream: 'stdout' });
	assert.deepEqual(await ids('--live'), [live[0].id, live[1].id]);
	const event = await until('the audit event', async () =>
		readFileSync(world.path('audit', 'second.jsonl'), 'utf8')
			.split('\n')
			.filter(Boolean)
			.map((line) => JSON.parse(line))
			.find(({ auditID, stage }) => auditID === live[2].id && stage === 'ResponseComplete'),
	);
	assert.match(event.annotations['eksgate.io/ending'], /administrator of eksgate ended this session: maintenance of web-1/);
	assert.match(event.annotations['eksgate.io/terminated-by'], process.getuid() === 0 ? /^root/ : /^uid \d+/);

	const told = await command(world, 'kubeproxyd', ['audit', '--user', 'alice']);
	assert.match(told.stdout, / ending=an administrator of eksgate ended this session: maintenance of web-1  terminated-by=(root|uid)/);

	await sessions(['terminate', live[0].id]);
	await until('the port-forward is gone', async () => (await ids('--live')).length === 1);
	await forward.kill();
	webSocket.child.stdin.end();
	await webSocket.ended;
	assert.equal(webSocket.code, 0);
	await until('no session is left', async () => /^eksgate_sessions\{kind="exec"\} 0$/m.test(await kubeproxyd.call('/metrics')));

	await second.stop();
	await kubeproxyd.stop();
	// What is kept can be seen while no proxy runs.
	const kept = await listed('--kept');
	assert.deepEqual(kept.map(({ state }) => state), ['unfinished', 'kept', 'unreadable']);
	assert.match((await sessions(['--live'], 1)).stderr, /no instance runs here/);
});
