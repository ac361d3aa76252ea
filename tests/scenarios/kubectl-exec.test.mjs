// exec over WebSocket: output, standard input to its end, standard error, exit codes, much data, resizes, and what is refused.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { CLUSTERS, nameOf, person, scenario, startBoth, until } from './harness.mjs';

scenario('kubectl exec', async (world) => {
	const { kubeproxyd } = await startBoth(world);
	const [prod] = CLUSTERS;
	const name = nameOf(prod);
	const alice = await person(world, kubeproxyd, 'alice', ['engineering']);
	const exec = (words, options) => alice.kubectl(name, ['exec', ...words], options);

	const echo = await exec(['web-1', '--', 'echo', 'hello there']);
	assert.deepEqual([echo.code, echo.stdout], [0, 'hello there\n'], echo.stderr);
	const input = await exec(['-i', 'web-1', '--', 'cat'], { input: 'typed in\n' });
	assert.deepEqual([input.code, input.stdout], [0, 'typed in\n'], input.stderr);
	const both = await exec(['web-1', '--', 'sh', '-c', 'echo good; echo bad >&2; exit 7']);
	assert.deepEqual([both.code, both.stdout], [7, 'good\n']);
	assert.match(both.stderr, /^bad\n/);
	assert.match((await exec(['web-1', '--', 'nonsense'])).stderr, /executable file not found/);
	assert.match((await exec(['none', '--', 'true'])).stderr, /pods "none" not found/);

	const much = 'abcdefghij'.repeat(400000);
	const large = await exec(['-i', 'web-1', '--', 'cat'], { input: much });
	assert.equal(createHash('sha1').update(large.stdout).digest('hex'), createHash('sha1').update(much).digest('hex'));

	const victor = await person(world, kubeproxyd, 'victor');
	const denied = await victor.kubectl(name, ['exec', 'web-1', '--', 'true']);
	assert.match(denied.stderr, /pods "web-1" is forbidden: User "victor" cannot (get|create) resource "pods\/exec"/);

	const open = alice.startKubectl(name, ['exec', '-i', 'web-1', '--', 'cat'], { stdin: 'pipe' });
	open.child.stdin.write('still here\n');
	await open.waitFor(/still here/, { stream: 'stdout' });
	await open.kill('SIGKILL');
	await until('the tunnel is gone', async () => (await kubeproxyd.status()).exchanges === 0);
	const [upgrade] = (await world.received(prod)).filter((entry) => entry.upgrade);
	assert.deepEqual([upgrade.user, upgrade.groups[0], upgrade.version], ['alice', 'developers', '1.1']);
});
