// The disk below the recordings answers EIO. To what is written while a session lasts: with a strict role the session ends with
// the sentence, with best_effort it goes on; the audit, the log and the metric tell of each once. To what brings a finished file
// to the disk: it is told, the file is not called kept, and a later look gives it its name.
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { CLUSTERS, command, nameOf, scenario, startKubeproxyd, until } from './harness.mjs';
import {
	allEvents,
	auditEvents,
	counter,
	readCast,
	recordings,
	runOnTerminal,
	startAboveFaults,
	startOnTerminal,
} from './recording.mjs';
import { MINORS } from './tools.mjs';

const name = nameOf(CLUSTERS[0]);
const BOTH = [MINORS[0], MINORS.at(-1)];
const SENTENCE = /\r\nthis session must be recorded .*Input\/output error \(eksgate\.proxy\.recording\)\r\n/;
const failures = (kubeproxyd) => counter(kubeproxyd, 'eksgate_recording_failures_total{kind="write"}');
const failed = (kubeproxyd) => kubeproxyd.stderr.match(/room=recording event=failed [^\n]*Input\/output error/g) ?? [];
const parts = (world) => readdirSync(world.path('recordings')).filter((file) => file.endsWith('.part'));

// A session of which something is in its file.
async function open(world, who, minor) {
	const session = await startOnTerminal(who, name, 'exec -it web-1 -- cat', { minor });
	session.child.stdin.on('error', () => {}); // it ended while something was typed
	session.child.stdin.write(`by ${who.name}\n`);
	await session.waitFor(/by/, { stream: 'stdout' });
	return session;
}

function untilWritten(world, count) {
	return until(`${count} recordings are begun`, () => {
		const begun = parts(world).filter((file) => /by /.test(readCast(world.path('recordings', file)).output));
		if (begun.length !== count) throw new Error(begun.join(' '));
		return true;
	});
}

const ends = (world, user) => auditEvents(world).filter((event) => event.stage === 'ResponseComplete' && event.user.username === user);

// No file can be made.
async function checkNotOpened(world, faults, sven, bea) {
	faults.order('fail open EIO .part');
	for (const minor of BOTH) {
		const refused = await runOnTerminal(sven, name, 'exec -it web-1 -- echo said', { minor });
		assert.match(refused.stdout, /this session must be recorded .*a recording cannot be made in .*: Input\/output error/);
		assert.doesNotMatch(refused.stdout, /^said/m);
	}
	assert.match((await runOnTerminal(bea, name, 'exec -it web-1 -- echo said')).stdout, /^said/);
	const [{ annotations }] = await until('the audit tells of it', () => ends(world, 'bea').length > 0 && ends(world, 'bea'));
	assert.equal(annotations['eksgate.io/recorded'], 'no');
	assert.match(annotations['eksgate.io/recording-problem'], /Input\/output error/);
	assert.deepEqual(readdirSync(world.path('recordings')), []);
	faults.order();
}

scenario('EIO while sessions are recorded', async (world) => {
	const { faults, kubeproxyd, sven, bea } = await startAboveFaults(world);
	await checkNotOpened(world, faults, sven, bea);
	const before = failed(kubeproxyd).length;
	const strict = await Promise.all(BOTH.map((minor) => open(world, sven, minor)));
	const lenient = await open(world, bea, MINORS.at(-1));
	await untilWritten(world, 3);

	faults.order('fail pwrite EIO .part', 'fail write EIO .part');
	for (const session of [...strict, lenient]) session.child.stdin.write('never kept\n');
	for (const session of strict) {
		assert.equal((await session.ended).code, 1);
		assert.match(session.stdout, SENTENCE);
	}
	await until('each is counted', async () => (await failures(kubeproxyd)) === 3);
	lenient.child.stdin.write('goes on\n');
	await lenient.waitFor(/goes on/, { stream: 'stdout' });
	const late = await runOnTerminal(sven, name, `exec -it web-1 -- sh -c 'echo said; exec cat'`);
	assert.match(late.stdout, SENTENCE, 'one that begins now ends, too');

	// Written again: what ends now can say why it is not whole.
	faults.order();
	assert.match((await runOnTerminal(sven, name, 'exec -it web-1 -- echo said')).stdout, /^said/);
	lenient.child.stdin.write('still not kept\n');
	await lenient.waitFor(/still not kept/, { stream: 'stdout' });
	lenient.child.stdin.end();
	await lenient.kill('SIGKILL');
	const kept = await recordings(world, 4); // of the one that began late nothing could be written
	for (const { header, output, ending } of kept.filter((cast) => /by /.test(cast.output))) {
		assert.equal(output, `by ${header.eksgate.user}\n`);
		assert.match(ending, header.eksgate.user === 'bea' ? /^ended: .*Input\/output error/ : /^$/);
	}
	assert.equal(await failures(kubeproxyd), 4);
	assert.equal(failed(kubeproxyd).length - before, 4, 'once a session');

	const told = [...ends(world, 'sven'), ...ends(world, 'bea')].filter(({ annotations }) => annotations['eksgate.io/recorded'] !== 'no');
	assert.equal(told.length, 5);
	for (const { annotations, auditID } of told) {
		const problem = annotations['eksgate.io/recording-problem'];
		assert.equal(annotations['eksgate.io/recorded'], problem === undefined ? 'yes' : 'in part', auditID);
		if (problem !== undefined) assert.match(problem, /recordings: Input\/output error/);
	}
	assert.equal(told.filter(({ annotations }) => annotations['eksgate.io/recorded'] === 'yes').length, 1);
});

// What a person is shown of all recordings: id, state and how each ended.
async function listed(world) {
	const { code, stdout, stderr } = await command(world, 'kubeproxyd', ['sessions', '--format', 'json'], world.proxyUser);
	assert.equal(code, 0, stderr);
	return JSON.parse(stdout);
}

async function checkNotKept(world, kubeproxyd, sven, order, faults) {
	faults.order(order);
	const before = { failures: await failures(kubeproxyd), kept: await counter(kubeproxyd, 'eksgate_recordings_total') };
	const from = kubeproxyd.stderr.length;
	assert.match((await runOnTerminal(sven, name, 'exec -it web-1 -- echo said')).stdout, /^said/);
	await kubeproxyd.log('recording', 'failed', /kind=write[^\n]*Input\/output error/, { from });
	await until('it is counted', async () => (await failures(kubeproxyd)) === before.failures + 1);
	assert.equal(await counter(kubeproxyd, 'eksgate_recordings_total'), before.kept);
	const [first, second] = await until('the audit takes back that it is recorded', () => {
		const about = allEvents(world).filter(({ stage, annotations }) => stage === 'ResponseComplete' && annotations['eksgate.io/recording']);
		return about.at(-1)?.user.username === 'system:eksgate' && about.slice(-2);
	});
	assert.equal(first.auditID, second.auditID);
	assert.deepEqual([first, second].map(({ annotations }) => annotations['eksgate.io/recorded']), ['yes', 'in part']);
	assert.match(second.annotations['eksgate.io/recording-problem'], /may not be on the disk .*Input\/output error/);
	assert.doesNotMatch(kubeproxyd.stderr.slice(from), /room=recording event=(kept|ended-abandoned)/);
}

scenario('EIO when a recording is finished', async (world) => {
	const { faults, kubeproxyd, sven } = await startAboveFaults(world);
	await checkNotKept(world, kubeproxyd, sven, 'fail fsync EIO .part', faults);
	assert.equal(parts(world).length, 1);
	await checkNotKept(world, kubeproxyd, sven, 'fail rename EIO .part', faults);
	await checkNotKept(world, kubeproxyd, sven, 'fail ftruncate EIO .part', faults);
	const waiting = parts(world);
	assert.equal(waiting.length, 3);
	const rows = (await listed(world)).filter(({ recorded }) => recorded);
	assert.deepEqual(rows.map(({ state }) => state), ['unfinished', 'unfinished', 'unfinished']);
	// Another look finds it no better.
	faults.order('fail fsync EIO .part', 'fail rename EIO .part');
	const from = kubeproxyd.reload();
	await kubeproxyd.log('recording', 'end-failed', /Input\/output error/, { from });
	assert.deepEqual(parts(world), waiting);
	// Pages that an fsync failed to write count as clean: what is tried again is written again.
	faults.order('fail pwrite EIO .part');
	const again = kubeproxyd.reload();
	await kubeproxyd.log('recording', 'end-failed', /Input\/output error/, { from: again });
	await kubeproxyd.stop();

	await startKubeproxyd(world, 'next');
	const kept = await recordings(world, 3);
	assert.deepEqual(kept.map(({ file }) => file.replace(/.*\//, '')).sort(), waiting.map((file) => file.replace('.part', '')).sort());
	for (const { output, ending } of kept) assert.deepEqual([output, ending], ['said\n', 'exit 0']);
});
