// `make bench`: kubeproxyd with everything on beside haproxy and nginx that only pass on, in one run over loopback. A table on
// the terminal, rows in build/bench.json. CPU time is that of the proxy's process; ratios mean something, single values on
// a shared machine little. Exit status 1 when a measure failed; a bar that is not met is told and no failure.
//
//   EKSGATE_BENCH_SECONDS  of each run (1); a whole bench takes about 600 of them
//   EKSGATE_BENCH_ROUNDS   (3); three times as many of small requests, four times of recording at full speed
//   EKSGATE_BENCH_WATCHES  for the measures of memory (4000)
//   EKSGATE_BENCH_TUNNEL_MB  through an exec tunnel (1024)
//   EKSGATE_BENCH_CROWD    idle watches beside the slow reader (10000)
//   EKSGATE_BENCH_ONLY     one of decisions, requests, saturated, filter, unrestricted, allocations, instances, handshakes, tunnel,
//                          recording, events, crowd, memory, discovery
import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { discovery } from './discovery/measures.mjs';
import { MEASURES } from './measures.mjs';
import { stepAside } from './process.mjs';
import { rowsOf, tableOf } from './report.mjs';
import { Stage } from './stage.mjs';

const output = fileURLToPath(new URL('../../build/bench.json', import.meta.url));
const setting = (name, fallback) => Number(process.env[`EKSGATE_BENCH_${name}`] ?? fallback);
const options = { seconds: setting('SECONDS', 1), rounds: setting('ROUNDS', 3), watches: setting('WATCHES', 4000), tunnelMb: setting('TUNNEL_MB', 1024), crowd: setting('CROWD', 10000) };
const only = process.env.EKSGATE_BENCH_ONLY;
const begun = Date.now();
const say = (text) => process.stdout.write(`${text}\n`);

// Adds to the rows, and prints.
function tell(results) {
	for (const result of results) {
		const added = rowsOf(result);
		rows.push(...added);
		say(tableOf(added));
	}
}

const DEADLINE_MS = 900000;
setTimeout(() => {
	say(`\nbench: not done after ${DEADLINE_MS / 1000} s`);
	process.exit(1);
}, DEADLINE_MS * Math.max(1, options.seconds)).unref();

stepAside();
const stage = new Stage();
const rows = [];
let status = 0;
try {
	say(`bench: rounds ${options.rounds}, ${options.seconds} s a run; upstream nginx; kubeproxyd with certificates, roles, impersonation, access lines`);
	if (only !== 'discovery') await stage.open();
	for (const [name, measure] of Object.entries(MEASURES)) if (!only || only === name) tell(await measure(stage, options));
	if (!only || only === 'discovery') {
		say('\ndiscovery: a simulated company, one signature in 50 verified; discoveryd and the simulator have a core each');
		tell(await discovery());
	}
	if (rows.some((row) => row.note?.startsWith('failed'))) status = 1;
} catch (error) {
	status = 1;
	say(`\nbench: ${error.stack}`);
} finally {
	await stage.close();
}
mkdirSync(fileURLToPath(new URL('../../build', import.meta.url)), { recursive: true });
writeFileSync(output, `${JSON.stringify({ ...options, rows }, null, 1)}\n`);
say(`\n${rows.length} rows in build/bench.json, ${Math.round((Date.now() - begun) / 1000)} s`);
process.exit(status);
