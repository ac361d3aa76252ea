// exec over SPDY (kubectl up to 1.29) and over WebSocket (from 1.30 on): output, standard input to its end, standard error,
// exit codes, much data, terminal sizes, and what is refused.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { kubectlPath } from '../clients/kubectl.mjs';
import { CLUSTERS, nameOf, person, run, scenario, startBoth, until } from './harness.mjs';
import { MINORS, toolsOf, writeKubeconfig } from './tools.mjs';

const [prod] = CLUSTERS;
const PROTOCOLS = {
	25: ['POST', 'SPDY/3.1', 'v4.channel.k8s.io'],
	29: ['POST', 'SPDY/3.1', 'v5.channel.k8s.io'],
	31: ['GET', 'websocket', 'v5.channel.k8s.io'],
	35: ['GET', 'websocket', 'v5.channel.k8s.io'],
};
const digest = (text) => createHash('sha1').update(text).digest('hex');

async function upgrades(world) {
	const records = await world.received(prod);
	await world.api(prod)('DELETE', '/requests');
	return records.filter((entry) => entry.upgrade);
}

async function checkGeneration(world, alice, minor) {
	const { kubectl } = toolsOf(alice, nameOf(prod), { minor });
	const exec = (words, options) => kubectl(['exec', ...words], options);
	const both = await exec(['web-1', '--', 'sh', '-c', 'echo good; echo bad >&2; exit 7']);
	assert.deepEqual([both.code, both.stdout], [7, 'good\n'], `1.${minor}: ${both.stderr}`);
	assert.match(both.stderr, /^bad\n/);
	const input = await exec(['-i', 'web-1', '--', 'cat'], { input: 'typed in\n' });
	assert.deepEqual([input.code, input.stdout], [0, 'typed in\n'], `1.${minor}: ${input.stderr}`);
	assert.match((await exec(['web-1', '--', 'nonsense'])).stderr, /executable file not found/);
	const large = await exec(['web-1', '--', 'seq', '200000']);
	assert.equal(large.stdout.length, 1288895, `1.${minor}: all of the output, to the last line`);
	for (const entry of await upgrades(world)) {
		assert.deepEqual([entry.method, entry.upgrade, entry.protocol], PROTOCOLS[minor], `1.${minor} ${entry.target}`);
		assert.deepEqual([entry.user, entry.groups[0], entry.version], ['alice', 'developers', '1.1']);
	}
}

// A terminal is needed for that: script(1) makes one.
async function checkTerminal(world, alice, minor) {
	const kubeconfig = writeKubeconfig(alice, nameOf(prod));
	const command = `stty cols 101 rows 33; ${kubectlPath(minor)} --kubeconfig ${kubeconfig} exec -it web-1 -- resizes`;
	const result = await run('script', ['-qec', command, '/dev/null'], {
		env: { PATH: process.env.PATH, HOME: world.directory, TERM: 'dumb' },
		input: '\x04',
	});
	assert.match(result.stdout, /101x33/, `1.${minor}: ${JSON.stringify(result)}`);
	assert.deepEqual((await upgrades(world))[0].sizes[0], [101, 33]);
}

scenario('kubectl exec', async (world) => {
	const { kubeproxyd } = await startBoth(world);
	const name = nameOf(prod);
	const alice = await person(world, kubeproxyd, 'alice', ['engineering']);
	for (const minor of MINORS) await checkGeneration(world, alice, minor);
	for (const minor of [MINORS[0], MINORS.at(-1)]) await checkTerminal(world, alice, minor);

	const old = toolsOf(alice, name, { env: { KUBECTL_REMOTE_COMMAND_WEBSOCKETS: 'false' } });
	assert.equal((await old.kubectl(['exec', 'web-1', '--', 'false'])).code, 1);
	assert.equal((await upgrades(world))[0].upgrade, 'SPDY/3.1');

	const much = 'abcdefghij'.repeat(400000);
	for (const minor of [MINORS[0], MINORS.at(-1)]) {
		const { kubectl } = toolsOf(alice, name, { minor });
		const echoed = await kubectl(['exec', '-i', 'web-1', '--', 'cat'], { input: much });
		assert.equal(digest(echoed.stdout), digest(much), `1.${minor}: ${echoed.stderr}`);
		assert.match((await kubectl(['exec', 'none', '--', 'true'])).stderr, /pods "none" not found/);
	}

	const victor = await person(world, kubeproxyd, 'victor');
	for (const minor of MINORS) {
		const denied = await toolsOf(victor, name, { minor }).kubectl(['exec', 'web-1', '--', 'true']);
		assert.match(
			denied.stderr,
			/pods "web-1" is forbidden: User "victor" cannot (get|create) resource "pods\/exec"/,
		);
	}

	const open = alice.startKubectl(name, ['exec', '-i', 'web-1', '--', 'cat'], { stdin: 'pipe' });
	open.child.stdin.write('still here\n');
	await open.waitFor(/still here/, { stream: 'stdout' });
	await open.kill('SIGKILL');
	await until('the tunnel is gone', async () => (await kubeproxyd.status()).exchanges === 0);
});
