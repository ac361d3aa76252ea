// What a request costs besides time: allocations in the steady state, by who asks; and whether a second instance beside makes it
// dearer. Called by bench.mjs.
import { admin } from '../scenarios/daemons.mjs';
import { LARGE, SMALL } from './stage.mjs';
import { cpuRun, takeTurns, toTheClient } from './turns.mjs';

const H2 = { connections: 16, streams: 8 };
const H1 = { connections: 32 };
const OWNERS = ['kubeproxyd', 'openssl', 'libevent'];

// {owner: how often it asked for memory so far}
async function countsOf(stage) {
	const text = await admin(stage.path('run', 'main.sock'), '/metrics');
	const of = (owner) => Number(new RegExp(`^eksgate_proxy_allocations_total\\{by="${owner}"\\} (\\d+)`, 'm').exec(text)[1]);
	return Object.fromEntries(OWNERS.map((owner) => [owner, of(owner)]));
}

// The first run fills pools and lists; what the second asks for is what every further request costs.
async function allocationsOf(stage, contender, path, shape, seconds) {
	return toTheClient(stage, contender, path, shape, async (load) => {
		await load.run(seconds);
		const before = await countsOf(stage);
		const { done } = await load.run(seconds);
		const after = await countsOf(stage);
		return Object.fromEntries(OWNERS.map((owner) => [owner, (after[owner] - before[owner]) / done]));
	});
}

export async function allocations(stage, options) {
	const results = [];
	for (const [id, protocol, path, shape, words] of [
		['h1-4k', 'h1', SMALL, H1, 'HTTP/1, 4 KiB'],
		['h2-4k', 'h2', SMALL, H2, 'HTTP/2, 4 KiB'],
		['h2-131k', 'h2', LARGE, H2, 'HTTP/2, 131 KiB'],
	]) {
		const [ours] = stage.contenders(protocol);
		const counts = await allocationsOf(stage, ours, path, shape, options.seconds);
		results.push({
			id: `allocations-${id}`,
			title: `allocations a request in the steady state, ${words}`,
			unit: '',
			areParts: true,
			values: Object.fromEntries(OWNERS.map((owner) => [owner, [counts[owner]]])),
		});
	}
	return results;
}

// One instance, then two on one port, in turns: the CPU time of both together.
export async function instances(stage, options) {
	const [ours] = stage.contenders('h1');
	const values = await takeTurns(
		[
			{ ...ours, label: 'one instance', count: 1 },
			{ ...ours, count: 2 },
		],
		options.rounds,
		async (contender) => {
			await stage.runInstances(contender.count);
			return (await cpuRun(stage, contender, SMALL, H1, options.seconds)).us;
		},
	);
	await stage.runInstances(1);
	return [{ id: 'instances', title: 'CPU a request, h1, 4 KiB, of two instances on one port together', unit: 'us', values }];
}
