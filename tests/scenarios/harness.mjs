// What scenarios import: scenario() runs one in a world of its own and shows every log when it fails; helpers start the
// daemons and act as the people who use the proxy.
import { test } from 'node:test';
import { Bustap, Discoveryd, Kubeproxyd } from './daemons.mjs';
import { initialise } from './people.mjs';
import { MATCHED, World } from './world.mjs';

export { command, binary } from './daemons.mjs';
export { CLUSTERS, idOf, MATCHED, nameOf, OTHER, OWN, REGIONS } from './world.mjs';
export { until, run } from '../clients/run.mjs';
export * from './people.mjs';

const LOG_LINES = 400;
export const SCENARIO_MAX_MS = process.env.EKSGATE_LONG ? 1500000 : 180000;

// So that the exit handlers run, which end the daemons.
for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => process.exit(1));

// Bounded counts by default; EKSGATE_ROUNDS raises them.
export function rounds(few) {
	return Number(process.env.EKSGATE_ROUNDS ?? few);
}

function showLogs(daemons) {
	for (const daemon of daemons) {
		const lines = daemon.stderr.trimEnd().split('\n');
		process.stderr.write(
			`--- ${daemon.name} pid ${daemon.pid}, the last lines of its log\n${lines.slice(-LOG_LINES).join('\n')}\n`,
		);
	}
}

// `fn` gets the world; options: {clusters, maxMs, skip: why it cannot run here}. Daemons still running at the end are stopped
// and checked.
export function scenario(name, options, fn = options) {
	test(name, { timeout: options.maxMs ?? SCENARIO_MAX_MS, skip: options.skip || false }, async () => {
		const world = new World();
		try {
			await world.open(options === fn ? undefined : options.clusters);
			await fn(world);
			for (const daemon of [...world.daemons].reverse()) if (!daemon.isDone) await daemon.stop();
		} catch (error) {
			showLogs(world.daemons);
			throw error;
		} finally {
			for (const daemon of world.daemons) await daemon.kill('SIGKILL');
			await world.close();
		}
	});
}

export function startDiscoveryd(world, options) {
	return new Discoveryd(world, options).ready();
}

export async function startKubeproxyd(world, instance, options) {
	await initialise(world);
	return new Kubeproxyd(world, instance, options).ready();
}

export function startBustap(world, args) {
	return new Bustap(world, args);
}

// Both daemons, up to the point where the proxy serves everything that matches.
export async function startBoth(world, names = MATCHED) {
	const discoveryd = await startDiscoveryd(world);
	const kubeproxyd = await startKubeproxyd(world);
	await kubeproxyd.untilServed(names);
	return { discoveryd, kubeproxyd };
}
