// Recorded sessions as administrators see them: live, with what is written so far, then kept; `play` shows what the user saw, to
// the byte; one that is ended from here tells its user why, over SPDY and over WebSocket.
import assert from 'node:assert/strict';
import { CLUSTERS, command, nameOf, person, scenario, startBoth, until } from './harness.mjs';
import { recordingRole, runOnTerminal, startOnTerminal, writeRoles } from './recording.mjs';
import { MINORS } from './tools.mjs';

const [prod] = CLUSTERS;
const name = nameOf(prod);
const SAID = `zürich \x1b[1m€\x1b[0m\r\n${Array.from({ length: 500 }, (_, i) => `${i + 1}\n`).join('')}`;
const SCRIPT = `sh -c 'printf "z\\303\\274rich \\033[1m\\342\\202\\254\\033[0m\\r\\n"; seq 500; exit 3'`;

scenario('recorded sessions', async (world) => {
	writeRoles(world, recordingRole('alice', { k8s: 'best_effort' }));
	const { kubeproxyd } = await startBoth(world);
	const alice = await person(world, kubeproxyd, 'alice');
	const run = async (words, code = 0) => {
		const result = await command(world, 'kubeproxyd', words, world.proxyUser);
		assert.equal(result.code, code, `${words.join(' ')}: ${result.stderr}`);
		return result;
	};
	const listed = async (...words) => JSON.parse((await run(['sessions', ...words, '--format', 'json'])).stdout);

	for (const minor of [MINORS[0], MINORS.at(-1)]) {
		const shown = await runOnTerminal(alice, name, `exec -it web-1 -c main -- ${SCRIPT}`, { minor });
		assert.ok(shown.stdout.startsWith(SAID), `1.${minor}`);
		const [kept] = await until(`the recording of 1.${minor}`, async () => {
			const all = await listed('--kept', '--user', 'alice');
			return all.every(({ state }) => state === 'kept') && all.filter(({ ended }) => ended === 'exit 3').length > 0 && all;
		});
		assert.deepEqual([kept.kind, kept.exit_code, kept.container, kept.instance], ['exec', 3, 'main', 'main']);
		const played = await run(['play', kept.id, '--no-timing']);
		assert.equal(played.stdout, SAID, `1.${minor}: played is what was shown`);

		const session = await startOnTerminal(alice, name, 'exec -it web-1 -- cat', { minor });
		session.child.stdin.write('running\n');
		await session.waitFor(/running/, { stream: 'stdout' });
		const live = await until('it is recorded', async () => (await listed('--live')).find(({ recorded, size }) => recorded && size > 0));
		assert.deepEqual([live.state, live.user, live.command], ['live', 'alice', 'cat']);
		const soFar = await until('what was shown so far', async () => {
			const result = await run(['play', live.id.slice(0, 10), '--no-timing']);
			return /running/.test(result.stdout) && result;
		});
		assert.match(soFar.stderr, /so far/);

		await run(['sessions', 'terminate', live.id.slice(0, 10), '--reason', 'maintenance tonight']);
		const { code } = await session.ended;
		assert.match(session.stdout, /an administrator of eksgate ended this session: maintenance tonight/, `1.${minor}`);
		assert.equal(code, 1);
		const after = await until('it is kept', async () => (await listed('--kept')).find(({ id, state }) => id === live.id && state === 'kept'));
		assert.match(after.ended, /administrator of eksgate ended this session: maintenance tonight/);
		assert.equal(after.exit_code, null);
		assert.match((await run(['play', live.id, '--no-timing'])).stdout, /^running/);
	}
	assert.equal((await listed()).length, 4);
	await run(['play', 'ffffffff-0'], 1);
});
