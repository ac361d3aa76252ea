// A terminal that changes its size while a session lasts, with kubectl of the days of SPDY and of WebSocket on a real one: the
// API server hears of it, the recording has it between what was shown before and after, and both players play on.
import assert from 'node:assert/strict';
import { fileURLToPath } from 'node:url';
import { kubectlPath } from '../clients/kubectl.mjs';
import { Running } from '../clients/run.mjs';
import { binary, CLUSTERS, nameOf, person, run, scenario, startBoth } from './harness.mjs';
import { recordingRole, recordings, writeRoles } from './recording.mjs';
import { MINORS, writeKubeconfig } from './tools.mjs';

const TERMINAL = fileURLToPath(new URL('../clients/terminal.py', import.meta.url));
const [prod] = CLUSTERS;
const name = nameOf(prod);
const FIRST = [100, 30];
const LATER = [
	[132, 43],
	[80, 24],
	[1, 500],
];
const text = ([columns, rows]) => `${columns}x${rows}`;
const SHOWN = [FIRST, ...LATER].map((size) => `${text(size)}\n`).join('');

// The program in the pod shows each size that it is told; the next one comes when it has.
async function resize(who, minor) {
	const args = [TERMINAL, ...FIRST.map(String), kubectlPath(minor), '--kubeconfig', writeKubeconfig(who, name), 'exec', '-it', 'web-1', '--', 'resizes'];
	const env = { PATH: process.env.PATH, HOME: who.world.directory, TERM: 'dumb' };
	const session = new Running('/usr/bin/python3', args, { env, stdin: 'pipe' });
	const tell = (order) => session.child.stdin.write(`${JSON.stringify(order)}\n`);
	await session.waitFor(new RegExp(`^${text(FIRST)}\\n$`), { stream: 'stdout' });
	for (const size of LATER) {
		tell({ size });
		await session.waitFor(new RegExp(`\\n${text(size)}\\n$`), { stream: 'stdout' });
	}
	tell({ type: '\u0004' });
	assert.equal((await session.ended).code, 0, session.stderr);
	assert.equal(session.stdout, SHOWN, `1.${minor}`);
}

function checkRecording({ header, events, ending }) {
	assert.deepEqual([header.width, header.height], FIRST);
	const wanted = LATER.flatMap((size) => [`r ${text(size)}`, `o ${text(size)}\n`]);
	assert.deepEqual(events.map(([, code, data]) => `${code} ${data}`), [`o ${text(FIRST)}\n`, ...wanted, 'm exit 0'], header.eksgate.protocol);
	assert.equal(ending, 'exit 0');
	assert.ok(events.every(([at], i) => i === 0 || at >= events[i - 1][0]));
}

async function checkPlayers(world, file) {
	const env = { PATH: process.env.PATH, HOME: world.directory, TERM: 'dumb', LANG: 'C.UTF-8' };
	for (const words of ['cat', 'play --speed 100 --idle-time-limit 0.01']) {
		const shown = await run('script', ['-qec', `stty -opost; asciinema ${words} ${file}`, '/dev/null'], { env, input: '' });
		assert.deepEqual([shown.code, shown.stdout], [0, SHOWN], words);
	}
	const shown = await run(binary('kubeproxyd'), ['play', file, '--no-timing']);
	assert.deepEqual([shown.code, shown.stdout, shown.stderr], [0, SHOWN, '']);
}

scenario('a terminal that changes its size', { clusters: [prod] }, async (world) => {
	writeRoles(world, recordingRole('sven', { k8s: 'strict' }));
	const { kubeproxyd } = await startBoth(world, [name]);
	const sven = await person(world, kubeproxyd, 'sven');
	await Promise.all(MINORS.map((minor) => resize(sven, minor)));
	const execs = (await world.received(prod)).filter(({ upgrade }) => upgrade);
	assert.equal(execs.length, MINORS.length);
	for (const { sizes } of execs) assert.deepEqual(sizes, [FIRST, ...LATER]);
	const kept = await recordings(world, MINORS.length);
	for (const cast of kept) checkRecording(cast);
	const protocols = kept.map(({ header }) => header.eksgate.protocol.split(' ')[0]).sort();
	assert.deepEqual(protocols, ['SPDY/3.1', 'SPDY/3.1', 'websocket', 'websocket']);
	for (const { file } of [kept.find(({ header }) => /SPDY/.test(header.eksgate.protocol)), kept.find(({ header }) => /websocket/.test(header.eksgate.protocol))])
		await checkPlayers(world, file);
});
