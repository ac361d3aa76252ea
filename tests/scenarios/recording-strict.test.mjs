// When a session cannot be recorded: with a strict role it does not begin, or ends with a sentence on the terminal; with
// best_effort it goes on. Either is told in the log, in the audit and by a metric. What a crash leaves of a recording is ended
// at the next start, and beyond the limits the oldest go.
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, readdirSync, utimesSync } from 'node:fs';
import {
	CLUSTERS,
	initialise,
	MATCHED,
	nameOf,
	person,
	Person,
	run,
	scenario,
	startBoth,
	startDiscoveryd,
	startKubeproxyd,
	until,
} from './harness.mjs';
import { Kubeproxyd } from './daemons.mjs';
import { auditEvents, recordingRole, recordings, runOnTerminal, startOnTerminal, writeRoles } from './recording.mjs';
import { MINORS } from './tools.mjs';

const [prod] = CLUSTERS;
const name = nameOf(prod);
const BOTH = [MINORS[0], MINORS.at(-1)];
const ROLES = [recordingRole('sven', { k8s: 'strict' }), recordingRole('bea', { k8s: 'best_effort' })];
const isRoot = process.getuid() === 0;

const metric = async (kubeproxyd, kind) =>
	Number(new RegExp(`eksgate_recording_failures_total\\{kind="${kind}"\\} (\\d+)`).exec(await kubeproxyd.call('/metrics'))?.[1] ?? 0);

// Others may look into the directory: nothing may be written there.
async function checkNowhere(world, kubeproxyd, sven, bea) {
	mkdirSync(world.path('recordings'));
	chmodSync(world.path('recordings'), 0o755);
	for (const minor of BOTH) {
		const refused = await runOnTerminal(sven, name, 'exec -it web-1 -- echo said', { minor });
		assert.match(refused.stdout, /this session must be recorded .* it must be this user's, mode 0700/, `1.${minor}`);
		assert.doesNotMatch(refused.stdout, /^said/m);
		const told = await runOnTerminal(bea, name, 'exec -it web-1 -- echo said', { minor });
		assert.match(told.stdout, /^said\r?$/m);
	}
	assert.ok((await world.received(prod)).every(({ user, upgrade }) => user !== 'sven' || !upgrade), 'nothing was sent');
	const [last] = auditEvents(world).filter((event) => event.user.username === 'bea').slice(-1);
	assert.equal(last.annotations['eksgate.io/recorded'], 'no');
	assert.match(last.annotations['eksgate.io/recording-problem'], /mode 0700/);
	assert.ok((await metric(kubeproxyd, 'open')) >= 4);
	chmodSync(world.path('recordings'), 0o700);
}

// seq writes more than is allowed, then the program would wait.
async function checkTooLong(world, kubeproxyd, sven, bea) {
	const words = (more) => `exec -it web-1 -- sh -c 'seq 20000${more}'`;
	for (const minor of BOTH) {
		const ended = await runOnTerminal(sven, name, words('; cat'), { minor });
		assert.match(ended.stdout, /\r\nthis session must be recorded .*max_session_bytes allows\r\n/, `1.${minor}`);
		assert.match(ended.stdout, /error: this session must be recorded/, `1.${minor}`);
		const whole = await runOnTerminal(bea, name, words(''), { minor });
		assert.match(whole.stdout, /^20000$/m, `1.${minor}`);
	}
	const kept = await recordings(world, 4);
	for (const { header, ending } of kept)
		assert.match(ending, /max_session_bytes allows$/, header.eksgate.user);
	assert.equal(await metric(kubeproxyd, 'size'), 4);
	const ends = auditEvents(world).filter(({ stage, annotations }) => stage === 'ResponseComplete' && /size|bytes/.test(annotations['eksgate.io/recording-problem']));
	assert.equal(ends.length, 4);
	for (const { annotations } of ends) assert.equal(annotations['eksgate.io/recorded'], 'in part');
}

// A crash, then limits: the oldest go, one at a time.
async function checkCrash(world, kubeproxyd, bea) {
	const session = await startOnTerminal(bea, name, 'exec -it web-1 -- cat');
	session.child.stdin.write('before the crash\n');
	await session.waitFor(/before the crash/, { stream: 'stdout' });
	const live = await until('it is in the file', () =>
		readdirSync(world.path('recordings')).find((file) => file.endsWith('.part')),
	);
	await until('its output too', async () => {
		const { stdout } = await run('cat', [world.path('recordings', live)]);
		return /before the crash/.test(stdout);
	});
	const sibling = await startKubeproxyd(world, 'sibling');
	await sibling.log('main', 'ready');
	assert.ok(readdirSync(world.path('recordings')).includes(live), 'a sibling leaves a live one alone');
	await kubeproxyd.murder();
	await session.ended;
	world.config.eksgate.proxy.recording.max_total_bytes = 1;
	const next = await startKubeproxyd(world, 'next');
	const kept = await recordings(world, 5);
	const ended = kept.find(({ file }) => file.endsWith(live.replace('.part', '')));
	assert.equal(ended.ending, 'ended: the proxy stopped');
	assert.equal(ended.output, 'before the crash\n');
	for (const { file } of kept) if (file !== ended.file) utimesSync(file, 1000, 1000);
	world.config.eksgate.proxy.recording.max_age = '24h';
	delete world.config.eksgate.proxy.recording.max_total_bytes;
	world.writeConfig();
	next.reload();
	assert.deepEqual((await recordings(world, 1)).map(({ file }) => file), [ended.file]);
	await next.log('recording', 'deleted', /reason=max_age/);
	world.config.eksgate.proxy.recording.max_total_bytes = 1;
	world.writeConfig();
	sibling.reload();
	await recordings(world, 0);
	await sibling.log('recording', 'deleted', /reason=max_total_bytes/);
	// What is finished later is looked at soon, too.
	await sibling.untilServed(MATCHED);
	const from = sibling.stderr.length;
	const there = new Person(world, sibling, { ...bea, name: 'bea-there' });
	assert.match((await runOnTerminal(there, name, 'exec -it web-1 -- echo said')).stdout, /^said/);
	await sibling.log('recording', 'kept', /./, { from });
	await sibling.log('recording', 'deleted', /reason=max_total_bytes/, { from });
	await recordings(world, 0);
}

scenario('sessions that cannot be recorded', async (world) => {
	world.config.eksgate.proxy.recording.max_session_bytes = '80KiB';
	world.writeConfig();
	writeRoles(world, ...ROLES);
	const { kubeproxyd } = await startBoth(world);
	const sven = await person(world, kubeproxyd, 'sven');
	const bea = await person(world, kubeproxyd, 'bea');
	await checkNowhere(world, kubeproxyd, sven, bea);
	await checkTooLong(world, kubeproxyd, sven, bea);
	await checkCrash(world, kubeproxyd, bea);
});

// A small disk of its own for one instance, in a mount namespace.
scenario('the disk of recordings is full', { skip: isRoot ? '' : 'only root can mount a file system' }, async (world) => {
	const directory = world.path('recordings');
	writeRoles(world, ...ROLES);
	mkdirSync(directory, { mode: 0o700 });
	await initialise(world);
	await startDiscoveryd(world);
	const mount = `mount -t tmpfs -o size=1m,mode=0700 eksgate '${directory}' && exec "$@"`;
	const wrap = ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', mount, 'sh'];
	const kubeproxyd = await new Kubeproxyd(world, 'main', { wrap }).ready();
	await kubeproxyd.untilServed(MATCHED);
	const inside = (script) => run('nsenter', ['--mount', '--target', String(kubeproxyd.pid), 'sh', '-c', script]);
	const sven = await person(world, kubeproxyd, 'sven');
	const bea = await person(world, kubeproxyd, 'bea');
	const open = async (who, minor) => {
		const session = await startOnTerminal(who, name, 'exec -it web-1 -- cat', { minor });
		session.child.stdin.on('error', () => {}); // it ended while something was typed
		session.child.stdin.write('before\n');
		await session.waitFor(/before/, { stream: 'stdout' });
		return session;
	};
	const strict = await Promise.all(BOTH.map((minor) => open(sven, minor)));
	const other = await open(bea, MINORS.at(-1));
	await until('all are in their files', async () => {
		const { stdout } = await inside(`grep -l before '${directory}'/*.part`);
		return stdout.trim().split('\n').length === 3;
	});
	assert.match((await inside(`cat /dev/zero >'${directory}/fill'`)).stderr, /No space left/);
	// More than was reserved when they began.
	const much = 'x'.repeat(1000);
	const typing = setInterval(() => {
		for (const session of [...strict, other]) if (!session.isEnded) session.child.stdin.write(`${much}\n`.repeat(20));
	}, 50);
	for (const session of strict) {
		assert.equal((await session.ended).code, 1);
		assert.match(session.stdout, /\r\nthis session must be recorded .*No space left on device \(eksgate\.proxy\.recording\)\r\n/);
	}
	await kubeproxyd.waitFor(/room=recording event=failed [^\n]*kind=write[^\n]*No space/);
	await until('the other was told of, too', async () => (await metric(kubeproxyd, 'write')) === 3);
	clearInterval(typing);
	assert.ok(!other.isEnded, 'it goes on');
	const refused = await runOnTerminal(sven, name, 'exec -it web-1 -- echo said');
	assert.match(refused.stdout, /this session must be recorded .*No space left/, 'nor does another begin');
	assert.equal((await inside(`rm '${directory}/fill'`)).code, 0);
	assert.match((await runOnTerminal(sven, name, 'exec -it web-1 -- echo said')).stdout, /^said/);
	other.child.stdin.end();
	await other.kill('SIGKILL');
});
