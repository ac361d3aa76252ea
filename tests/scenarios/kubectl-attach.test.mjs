// attach, over SPDY and over WebSocket: what the container says, what is typed into it, and its end.
import assert from 'node:assert/strict';
import { CLUSTERS, nameOf, person, scenario, startBoth, until } from './harness.mjs';
import { MINORS, toolsOf } from './tools.mjs';

scenario('kubectl attach', async (world) => {
	const { kubeproxyd } = await startBoth(world);
	const [prod] = CLUSTERS;
	const api = world.api(prod);
	const alice = await person(world, kubeproxyd, 'alice', ['engineering']);
	for (const minor of MINORS) {
		await api('DELETE', '/requests');
		const { start } = toolsOf(alice, nameOf(prod), { minor });
		const attached = start(['attach', '-i', 'web-1'], { stdin: 'pipe' });
		attached.child.stdin.write(`typed by 1.${minor}\n`);
		await attached.waitFor(new RegExp(`typed by 1.${minor}`), { stream: 'stdout' });
		await api('POST', '/logs', { pod: 'web-1', line: `said to 1.${minor}` });
		await attached.waitFor(new RegExp(`said to 1.${minor}`), { stream: 'stdout' });
		await api('POST', '/logs/end', { pod: 'web-1' });
		assert.equal((await attached.ended).code, 0, `1.${minor}: ${attached.stderr}`);
		const [upgrade] = (await world.received(prod)).filter((entry) => entry.upgrade);
		assert.match(upgrade.target, /\/pods\/web-1\/attach\?/);
		assert.equal(upgrade.upgrade, minor < 30 ? 'SPDY/3.1' : 'websocket');
	}
	await until('no tunnel is left', async () => (await kubeproxyd.status()).exchanges === 0);
});
