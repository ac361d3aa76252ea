// What ends a session from here (silence, age, a lock, a role taken away, the proxy's own end) is a sentence on the user's
// terminal, over SPDY and over WebSocket; without a terminal it is kubectl's error, for programs a Status.
import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import * as k8s from '@kubernetes/client-node';
import { CLUSTERS, command, nameOf, person, run, scenario, startBoth, startKubeproxyd } from './harness.mjs';
import { recordingRole, recordings, startOnTerminal, writeRoles } from './recording.mjs';
import { MINORS, toolsOf, writeKubeconfig } from './tools.mjs';

const PYTHON = '/usr/bin/python3'; // Debian's, which has the package
const PROGRAM = fileURLToPath(new URL('../clients/python_client.py', import.meta.url));
const [prod] = CLUSTERS;
const name = nameOf(prod);
const BOTH = [MINORS[0], MINORS.at(-1)];
const RECORDED = { k8s: 'best_effort' };
const WORDS = {
	idle: /nothing was sent for longer than a role allows \(client_idle_timeout\)/,
	brief: /it ran for as long as a role allows \(max_session_ttl\)/,
	locked: /locked for the user "locked".*lost laptop/,
	revoked: /the role that allowed this was withdrawn/,
	last: /kubeproxyd is stopping/,
};

async function open(who, minor) {
	const session = await startOnTerminal(who, name, 'exec -it web-1 -- cat', { minor });
	session.child.stdin.write('running\n');
	await session.waitFor(/running/, { stream: 'stdout' });
	return session;
}

async function openPlain(who, minor) {
	const session = toolsOf(who, name, { minor }).start(['exec', '-i', 'web-1', '--', 'cat'], { stdin: 'pipe' });
	session.child.stdin.write('running\n');
	await session.waitFor(/running/, { stream: 'stdout' });
	return session;
}

// The sentence, then kubectl's own words, and a status of 1.
async function endsWith(session, words, what) {
	const { code } = await session.ended;
	assert.match(session.stdout, new RegExp(`\\r\\n.*${words.source}[^]*\\r\\n`), `${what}: ${JSON.stringify(session.stdout)}`);
	assert.match(session.stdout, new RegExp(`error: .*${words.source}`), what);
	assert.equal(code, 1, what);
}

// Whoever writes programs gets the sentence where output goes, and as a Status.
async function endsPrograms(who) {
	const config = new k8s.KubeConfig();
	const kubeconfig = writeKubeconfig(who, name);
	config.loadFromFile(kubeconfig);
	const [stdin, stdout] = [new PassThrough(), new PassThrough()];
	const shown = text(stdout);
	const byNode = new Promise((resolve, reject) => {
		new k8s.Exec(config).exec('default', 'web-1', 'main', ['cat'], stdout, null, stdin, true, resolve).catch(reject);
	});
	const byPython = run(PYTHON, [PROGRAM, kubeconfig, 'until-end', 'echo running; cat'], { env: { PATH: process.env.PATH, HOME: who.world.directory } });
	const status = await byNode;
	stdout.end();
	assert.match(await shown, new RegExp(`^\\r\\n${WORDS.brief.source}\\r\\n$`), 'client-node');
	assert.equal(status.status, 'Failure', 'client-node');
	assert.match(status.message, new RegExp(`^${WORDS.brief.source}$`), 'client-node');
	const told = await byPython;
	const python = JSON.parse(told.stdout || 'null');
	assert.match(python?.stdout ?? told.stderr, new RegExp(`^running\\n\\r\\n${WORDS.brief.source}\\r\\n$`), 'python');
	assert.match(JSON.parse(python.status).message, new RegExp(`^${WORDS.brief.source}$`), 'python');
}

scenario('session ends', async (world) => {
	world.config.eksgate.proxy.limits = { tunnel_grace: '500ms' };
	world.writeConfig();
	const roles = {
		idle: recordingRole('idle', RECORDED, { client_idle_timeout: '2s' }),
		brief: recordingRole('brief', null, { max_session_ttl: '2s' }),
		locked: recordingRole('locked', RECORDED),
		revoked: recordingRole('revoked', RECORDED),
		last: recordingRole('last', RECORDED),
	};
	writeRoles(world, ...Object.values(roles));
	const { kubeproxyd } = await startBoth(world);
	const people = {};
	for (const who of Object.keys(roles)) people[who] = await person(world, kubeproxyd, who);
	const sessions = {};
	for (const who of Object.keys(roles)) {
		sessions[who] = await Promise.all(BOTH.map((minor) => open(people[who], minor)));
	}
	const plain = await Promise.all(BOTH.map((minor) => openPlain(people.brief, minor)));

	const lock = ['lock', 'user', 'locked', '--message', 'lost laptop', '--ttl', '1h'];
	assert.equal((await command(world, 'kubeproxyd', lock, world.proxyUser)).code, 0);
	for (const [i, session] of sessions.locked.entries()) await endsWith(session, WORDS.locked, `locked 1.${BOTH[i]}`);
	delete roles.revoked;
	writeRoles(world, ...Object.values(roles));
	kubeproxyd.reload();
	for (const who of ['revoked', 'idle', 'brief'])
		for (const [i, session] of sessions[who].entries()) await endsWith(session, WORDS[who], `${who} 1.${BOTH[i]}`);
	for (const session of plain) {
		const { code } = await session.ended;
		assert.equal(session.stdout, 'running\n', 'what a program gets stays what it was');
		assert.match(session.stderr, new RegExp(`error: ${WORDS.brief.source}`));
		assert.equal(code, 1);
	}
	await endsPrograms(people.brief);
	await kubeproxyd.stop();
	for (const [i, session] of sessions.last.entries()) await endsWith(session, WORDS.last, `last 1.${BOTH[i]}`);

	const kept = await recordings(world, 8);
	for (const { header, output, ending } of kept) {
		const words = WORDS[header.eksgate.user];
		assert.match(ending, new RegExp(`^ended: .*${words.source}`));
		assert.match(output, new RegExp(`^running\\n\\r\\n.*${words.source}[^]*\\r\\n$`), 'the sentence was seen, too');
	}
	await startKubeproxyd(world, 'another');
});
