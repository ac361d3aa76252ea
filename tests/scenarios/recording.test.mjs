// Sessions on a terminal are recorded as asciicast v2 when a role says so: over SPDY and over WebSocket, by every client, with
// sizes, exit code and whose they are. What is shown again is what was seen, to the byte, by asciinema's own player too.
import assert from 'node:assert/strict';
import { statSync, writeFileSync } from 'node:fs';
import { PassThrough, Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import * as k8s from '@kubernetes/client-node';
import { CLUSTERS, nameOf, person, run, scenario, startBoth, until } from './harness.mjs';
import { auditEvents, counter, recordingRole, recordings, runOnTerminal, startOnTerminal, writeRoles } from './recording.mjs';
import { FEW_MINORS, MINORS, writeKubeconfig } from './tools.mjs';
import { pod } from '../sim/kube/seed.mjs';

const PYTHON = '/usr/bin/python3';
const PROGRAM = fileURLToPath(new URL('../clients/python_client.py', import.meta.url));
const [prod] = CLUSTERS;
const name = nameOf(prod);
const SCRIPT = `sh -c 'printf "z\\303\\274rich \\033[1m\\342\\202\\254\\033[0m\\r\\n"; seq 3000; exit 3'`;
const SAID = `zürich \x1b[1m€\x1b[0m\r\n${Array.from({ length: 3000 }, (_, i) => `${i + 1}\n`).join('')}`;
const BY_NODE = ['sh', '-c', 'read line; echo "got $line"; exit 7'];

async function byKubectl(world, alice) {
	for (const minor of FEW_MINORS) {
		const shown = await runOnTerminal(alice, name, `exec -it web-1 -c main -- ${SCRIPT}`, { minor });
		assert.ok(shown.stdout.startsWith(SAID), `1.${minor}: ${shown.stdout.slice(0, 300)}`);
		// A new size that comes when the end has come is told by kubectl, whoever it speaks to.
		const rest = shown.stdout.slice(SAID.length).replace(/^E\d{4} .*err="websocket: close sent"\s*$/m, '');
		assert.match(rest, /^\s*command terminated with exit code 3\s*$/);
	}
	const kept = await recordings(world, FEW_MINORS.length);
	for (const { file, header, output, events, ending } of kept) {
		assert.equal(output, SAID);
		assert.equal(ending, 'exit 3');
		assert.equal(statSync(file).mode & 0o777, 0o600);
		assert.deepEqual([header.version, header.width, header.height], [2, 101, 33]);
		assert.ok(events.every(([at], i) => i === 0 || at >= events[i - 1][0]));
		assert.equal(header.title, `alice: exec default/web-1 in ${name}`);
		const { session, arn, protocol, ...rest } = header.eksgate;
		assert.equal(file, world.path('recordings', `${session}.cast`));
		assert.match(arn, /^arn:aws:eks:eu-west-1:\d+:cluster\/prod-1$/);
		assert.match(protocol, /^(SPDY\/3\.1 v[45]|websocket v5)\.channel\.k8s\.io$/);
		assert.deepEqual(rest, {
			kind: 'exec',
			user: 'alice',
			cluster: name,
			namespace: 'default',
			pod: 'web-1',
			container: 'main',
			client: '127.0.0.1',
			instance: 'main',
			mode: 'best_effort',
		});
	}
	assert.equal(statSync(world.path('recordings')).mode & 0o777, 0o700);
	return kept;
}

// asciinema's own player writes to a terminal what was written to the first one.
async function checkPlayer(world, file) {
	const env = { PATH: process.env.PATH, HOME: world.directory, TERM: 'dumb', LANG: 'C.UTF-8' };
	const play = (words) => run('script', ['-qec', `stty -opost; asciinema ${words} ${file}`, '/dev/null'], { env, input: '' });
	assert.equal((await play('cat')).stdout, SAID);
	assert.equal((await play('play --speed 100 --idle-time-limit 0.01')).stdout, SAID);
}

async function byNode(config, command, tty, input) {
	const stdout = new PassThrough();
	const shown = text(stdout);
	const exec = new k8s.Exec(config);
	const status = await new Promise((resolve, reject) => {
		const stderr = tty ? null : new PassThrough();
		const stdin = input ? Readable.from([input]) : null;
		exec.exec('default', 'web-1', 'main', command, stdout, stderr, stdin, tty, resolve).catch(reject);
	});
	stdout.end();
	return { status, shown: await shown };
}

async function byOthers(world, alice, count) {
	const config = new k8s.KubeConfig();
	config.loadFromFile(writeKubeconfig(alice, name));
	const { status, shown } = await byNode(config, BY_NODE, true, 'by node\n');
	assert.deepEqual([shown, status.details.causes[0].message], ['got by node\n', '7']);
	const args = [PROGRAM, writeKubeconfig(alice, name), 'terminal', 'read line; echo "got $line"; exit 5'];
	const result = await run(PYTHON, args, { env: { PATH: process.env.PATH, HOME: world.directory } });
	assert.deepEqual(JSON.parse(result.stdout), { stdout: 'got typed in\n', code: 5 }, result.stderr);
	const kept = (await recordings(world, count + 2)).map(({ header, output, ending }) => [
		header.eksgate.protocol,
		header.width,
		output,
		ending,
	]);
	for (const wanted of [
		['websocket v5.channel.k8s.io', 80, 'got by node\n', 'exit 7'],
		['websocket v4.channel.k8s.io', 90, 'got typed in\n', 'exit 5'],
	])
		assert.ok(kept.some((one) => JSON.stringify(one) === JSON.stringify(wanted)), JSON.stringify(kept));
}

// What a container says by itself, to its end. It has no terminal: kubectl asks for none.
async function byAttach(world, carol, count) {
	const api = world.api(prod);
	for (const [minor, protocol] of [[MINORS[0], /^SPDY\/3\.1 v4\.channel\.k8s\.io$/], [MINORS.at(-1), /^websocket v5\.channel\.k8s\.io$/]]) {
		const attached = await startOnTerminal(carol, name, 'attach -it web-1', { minor });
		await until('it is attached', async () => {
			await api('POST', '/logs', { pod: 'web-1', line: 'knock' });
			return /knock/.test(attached.stdout);
		});
		await api('POST', '/logs', { pod: 'web-1', line: `said to 1.${minor}` });
		await attached.waitFor(new RegExp(`said to 1.${minor}`), { stream: 'stdout' });
		await api('POST', '/logs/end', { pod: 'web-1' });
		await attached.ended;
		const attaches = (await recordings(world, ++count)).filter(({ header }) => header.eksgate.kind === 'attach');
		const one = attaches.find(({ header }) => protocol.test(header.eksgate.protocol));
		assert.ok(one, `${protocol}: ${attaches.map(({ header }) => header.eksgate.protocol)}`);
		assert.match(one.output, new RegExp(`^(knock\\n)+said to 1.${minor}\\n$`));
		assert.deepEqual([one.ending, one.header.command], ['exit 0', '']);
	}
}

// A terminal whose size changes meanwhile: of a program, and of a container that has one, to which somebody attaches. (kubectl
// tells that another size first, so that what runs there draws its screen anew.)
async function byWindow(world, alice, count) {
	const api = world.api(prod);
	const screen = pod('screen');
	screen.spec.containers[0].tty = true;
	await api('POST', '/objects', screen);
	const seen = new Set((await recordings(world, count)).map(({ file }) => file));
	const sizes = async () => (await world.received(prod)).filter((entry) => entry.upgrade).at(-1).sizes.map((size) => size.join('x'));
	for (const minor of [MINORS[0], MINORS.at(-1)])
		for (const [kind, words] of Object.entries({ exec: `exec -it screen -- sh -c 'read a; echo "$a"; read b'`, attach: 'attach -it screen' })) {
			const what = `${kind} 1.${minor}`;
			const resize = world.path(`resize-${kind}-${minor}`);
			const session = await startOnTerminal(alice, name, words, { minor, resize });
			session.child.stdin.write('typed\n');
			await session.waitFor(/^typed/m, { stream: 'stdout' });
			writeFileSync(resize, '');
			await until('the new size', async () => (await sizes()).at(-1) === '77x11');
			if (kind === 'attach') await api('POST', '/logs/end', { pod: 'screen' });
			else session.child.stdin.write('over\n');
			await session.ended;
			const one = (await recordings(world, ++count)).find(({ file }) => !seen.has(file));
			seen.add(one.file);
			const { width, height, eksgate } = one.header;
			assert.deepEqual([eksgate.kind, eksgate.user, eksgate.pod, eksgate.container], [kind, 'alice', 'screen', 'main'], what);
			const resizes = one.events.filter(([, code]) => code === 'r').map(([, , text]) => text);
			assert.deepEqual([`${width}x${height}`, ...resizes], await sizes(), what);
			assert.deepEqual([one.output, one.input, one.ending], ['typed\n', '', 'exit 0'], what);
		}
	return count;
}

// Without a terminal, and of somebody whose roles say nothing.
async function checkWhatIsNot(world, alice, bob, count) {
	await alice.kubectlOk(name, ['exec', 'web-1', '--', 'echo', 'not kept']);
	await runOnTerminal(bob, name, 'exec -it web-1 -- echo not kept', { minor: MINORS.at(-1) });
	await recordings(world, count);
}

// Without a terminal too, and with what is typed, when a role asks for these.
async function checkAllOf(world, carol, count) {
	const { stdout } = await carol.kubectl(name, ['exec', '-i', 'web-1', '--', 'sh', '-c', 'cat; echo bad >&2'], {
		input: 'by carol\n',
	});
	assert.equal(stdout, 'by carol\n');
	await runOnTerminal(carol, name, 'exec -it web-1 -- head -n 1', { input: 'typed\n' });
	const kept = (await recordings(world, count + 2)).filter(({ header }) => header.eksgate.user === 'carol');
	const [plain, terminal] = [kept.find(({ input }) => /by carol/.test(input)), kept.find(({ input }) => /typed/.test(input))];
	assert.deepEqual([plain.output, plain.ending, plain.header.eksgate.mode], ['by carol\nbad\n', 'exit 0', 'strict']);
	assert.equal(terminal.output, 'typed\n');
}

function checkAudit(world) {
	const events = auditEvents(world);
	for (const event of events) {
		const { annotations, stage, auditID, user, requestURI } = event;
		const isKept = user.username === 'carol' || (user.username === 'alice' && /tty=true/i.test(requestURI));
		const wanted = stage === 'RequestReceived' ? undefined : isKept ? 'yes' : 'no';
		assert.equal(annotations['eksgate.io/recorded'], wanted, JSON.stringify(event));
		assert.equal(annotations['eksgate.io/recording'], wanted === 'yes' ? auditID : undefined);
	}
}

scenario('recording', async (world) => {
	writeRoles(
		world,
		recordingRole('alice', { k8s: 'best_effort' }),
		recordingRole('bob'),
		recordingRole('carol', { default: 'strict', non_interactive: true, input: true }),
	);
	const { kubeproxyd } = await startBoth(world);
	const [alice, bob, carol] = await Promise.all(['alice', 'bob', 'carol'].map((who) => person(world, kubeproxyd, who)));
	const kept = await byKubectl(world, alice);
	await checkPlayer(world, kept[0].file);
	await byOthers(world, alice, kept.length);
	await checkWhatIsNot(world, alice, bob, kept.length + 2);
	await checkAllOf(world, carol, kept.length + 2);
	await byAttach(world, carol, kept.length + 4);
	const count = await byWindow(world, alice, kept.length + 6);
	checkAudit(world);
	await until('all are counted', async () => (await counter(kubeproxyd, 'eksgate_recordings_total')) === count);
	assert.equal(await counter(kubeproxyd, 'eksgate_recordings_live'), 0);
});
