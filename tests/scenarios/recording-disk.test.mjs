// The disk below the recordings hangs: nobody else waits for it, and nothing is called kept that is not. Sessions that say much
// wait, can be ended all the same, and go on with nothing lost when it comes back; when it does not, strict ends them.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { CLUSTERS, command, nameOf, scenario, startKubeproxyd, until } from './harness.mjs';
import { allEvents, auditEvents, counter, recordings, runOnTerminal, startAboveFaults, startOnTerminal } from './recording.mjs';
import { MINORS } from './tools.mjs';

const name = nameOf(CLUSTERS[0]);
const LINES = 240000; // more than waits in memory
const SAID = Array.from({ length: LINES }, (_, i) => `${i + 1}\n`).join('');
const SILENT = /the disk has not answered for \d+ s \(eksgate\.proxy\.recording\.write_timeout\)/;
const pauses = (kubeproxyd) => counter(kubeproxyd, 'eksgate_recording_pauses_total');
const parts = (world) =>
	readdirSync(world.path('recordings'))
		.filter((file) => file.endsWith('.part'))
		.map((file) => world.path('recordings', file));
const ends = (world) => auditEvents(world).filter(({ stage }) => stage === 'ResponseComplete');

// One that says more than waits in memory, as soon as something of it is in its file.
async function startTalking(world, who, words = '') {
	const session = await startOnTerminal(who, name, `exec -it web-1 -- sh -c 'echo first; read go; seq ${LINES}${words}'`);
	session.child.stdin.on('error', () => {}); // it may have ended
	await session.waitFor(/first/, { stream: 'stdout' });
	await until('its file is begun', () => parts(world).every((file) => /first/.test(readFileSync(file, 'utf8'))));
	return session;
}

scenario('a finished recording waits for a disk that hangs', async (world) => {
	world.config.eksgate.proxy.recording.write_timeout = '2s';
	world.writeConfig();
	const { faults, kubeproxyd, sven, bea } = await startAboveFaults(world);
	faults.order('stall fsync .part');
	assert.match((await runOnTerminal(sven, name, 'exec -it web-1 -- echo said')).stdout, /^said/);
	await faults.untilStruck(/stall fsync .*\.cast\.part$/);
	assert.equal((await bea.request(`/clusters/${name}/api/v1/namespaces/default/pods`)).status, 200, 'others go on');
	assert.match((await runOnTerminal(bea, name, 'exec -it web-1 -- echo said')).stdout, /^said/);
	assert.ok(readdirSync(world.path('recordings')).every((file) => file.endsWith('.part')));
	assert.equal(await counter(kubeproxyd, 'eksgate_recordings_total'), 0);
	assert.doesNotMatch(kubeproxyd.stderr, /room=recording event=kept/);
	faults.order();
	const kept = await recordings(world, 2);
	for (const { output, ending } of kept) assert.deepEqual([output, ending], ['said\n', 'exit 0']);
	await until('both are counted', async () => (await counter(kubeproxyd, 'eksgate_recordings_total')) === 2);

	// Nor does the proxy wait for ever when it stops: the audit takes back what it had said.
	faults.order('stall fsync .part');
	assert.match((await runOnTerminal(sven, name, 'exec -it web-1 -- echo said')).stdout, /^said/);
	await faults.untilStruck(/stall fsync .*\.cast\.part$/);
	await kubeproxyd.stop();
	const [first, second] = allEvents(world).slice(-2);
	assert.equal(first.auditID, second.auditID);
	assert.deepEqual([first, second].map(({ annotations }) => annotations['eksgate.io/recorded']), ['yes', 'in part']);
	assert.match(second.annotations['eksgate.io/recording-problem'], /may not be on the disk .* before the proxy stopped/);
	faults.order();
	await startKubeproxyd(world, 'next');
	await recordings(world, 3);
});

scenario('sessions wait for a disk that hangs, and lose nothing', async (world) => {
	const { faults, kubeproxyd, sven, bea } = await startAboveFaults(world);
	const sessions = [await startTalking(world, sven), await startTalking(world, bea), await startTalking(world, bea, '; cat')];
	faults.order('stall pwrite .part');
	for (const session of sessions) session.child.stdin.write('go\n');
	await faults.untilStruck(/stall pwrite .*\.cast\.part$/);
	await until('all wait', async () => (await pauses(kubeproxyd)) >= 3);
	assert.equal((await bea.request(`/clusters/${name}/api/v1/namespaces/default/pods`)).status, 200, 'others go on');
	for (const session of sessions) assert.doesNotMatch(session.stdout, new RegExp(`^${LINES}$`, 'm'));
	// Who waits can be ended, and is told.
	const { stdout } = await command(world, 'kubeproxyd', ['sessions', '--format', 'json'], world.proxyUser);
	const last = JSON.parse(stdout).find(({ command: words }) => /cat$/.test(words));
	await command(world, 'kubeproxyd', ['sessions', 'terminate', last.id, '--reason', 'enough'], world.proxyUser);
	assert.equal((await sessions[2].ended).code, 1);
	assert.match(sessions[2].stdout, /an administrator of eksgate ended this session: enough/);
	assert.equal(ends(world).length, 0, 'what became of its recording is not known yet');
	faults.order();
	for (const session of sessions.slice(0, 2)) {
		assert.equal((await session.ended).code, 0);
		assert.ok(session.stdout.endsWith(SAID));
	}
	const kept = await recordings(world, 3);
	for (const { header, output, ending } of kept) {
		const isEnded = header.eksgate.session === last.id;
		assert.equal(ending, isEnded ? 'ended: an administrator of eksgate ended this session: enough' : 'exit 0');
		if (!isEnded) assert.equal(output, `first\n${SAID}`);
	}
	const told = await until('the audit tells of all', () => ends(world).length === 3 && ends(world));
	for (const { annotations } of told) assert.equal(annotations['eksgate.io/recorded'], 'yes');
});

scenario('a disk that stays silent', async (world) => {
	world.config.eksgate.proxy.recording.write_timeout = '1s';
	world.writeConfig();
	const { faults, kubeproxyd, sven, bea } = await startAboveFaults(world);
	const [strict, lenient] = [await startTalking(world, sven), await startTalking(world, bea, '; cat')];
	faults.order('stall pwrite .part', 'stall open .part');
	for (const session of [strict, lenient]) session.child.stdin.write('go\n');
	assert.equal((await strict.ended).code, 1);
	assert.match(strict.stdout, new RegExp(`this session must be recorded .*${SILENT.source}`));
	await lenient.waitFor(new RegExp(`^${LINES}$`, 'm'), { stream: 'stdout' });
	const refused = await runOnTerminal(sven, name, 'exec -it web-1 -- echo said', { minor: MINORS[0] });
	assert.match(refused.stdout, SILENT, 'nor does another begin');
	assert.match((await runOnTerminal(bea, name, 'exec -it web-1 -- echo said')).stdout, /^said/);
	assert.equal(await counter(kubeproxyd, 'eksgate_recording_failures_total{kind="stalled"}'), 4);
	const told = await until('the audit tells of it', () => ends(world).length === 3 && ends(world));
	assert.deepEqual(told.map(({ annotations }) => annotations['eksgate.io/recorded']), ['in part', 'no', 'no']);
	for (const { annotations } of told) assert.match(annotations['eksgate.io/recording-problem'], SILENT);
	await kubeproxyd.log('recording', 'disk-silent');

	// The proxy does not wait for ever either when it stops.
	await lenient.kill('SIGKILL');
	await kubeproxyd.stop();
	assert.match(kubeproxyd.stderr, /room=recording event=left [^\n]*the disk does not answer/);
	faults.order();
	await startKubeproxyd(world, 'next');
	const kept = await recordings(world, 2);
	for (const { output } of kept) assert.match(output, /^first\n/);
});
