// What the measures share: contenders that take turns, fields picked out of their values, CPU time of a proxy around a run
// of the load.
import { withLoad } from './load.mjs';

export const WARM_SECONDS = 0.2;

// {label: [a value a round, or an Error]}: A B C A B C, so that what disturbs the machine disturbs all of them.
export async function takeTurns(contenders, rounds, measure) {
	const values = Object.fromEntries(contenders.map(({ label, isMissing }) => [label, isMissing ? 'not here' : []]));
	for (let round = 0; round < rounds; round++)
		for (const contender of contenders.filter(({ isMissing }) => !isMissing))
			values[contender.label].push(await measure(contender).catch((error) => error));
	return values;
}

// values of objects -> values of one of their fields
export function pick(values, field) {
	const of = (value) => (value instanceof Error ? value : value[field]);
	return Object.fromEntries(
		Object.entries(values).map(([label, list]) => [label, Array.isArray(list) ? list.map(of) : list]),
	);
}

export function toTheClient(stage, contender, path, shape, use) {
	return withLoad(contender.target(path), contender.person ?? stage.person, shape, stage.log, use);
}

// What a run tells, with CPU time of the proxy for each request, connections standing; how many requests a second it was.
// `paced`: so many a second; 0: as many as go.
export function cpuRun(stage, contender, path, shape, seconds, paced = 0) {
	stage.emptyLogs();
	return toTheClient(stage, contender, path, shape, async (load) => {
		if (!shape.isHandshake) await load.run(WARM_SECONDS);
		const before = stage.cpu(contender.name);
		const result = await load.run(seconds, paced);
		const us = ((stage.cpu(contender.name) - before) * 1e6) / result.done;
		return { ...result, us, rate: result.done / result.seconds };
	});
}
