// Discovery at the size of a company: how long the first look takes and what it costs, what a cycle costs in which nothing
// changed, how soon a change is on the bus, how soon a kubeproxyd that starts knows all; beside it Teleport's way of looking.
// The simulator's own CPU is told apart. Called by bench.mjs.
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { until } from '../../clients/run.mjs';
import { Process } from '../process.mjs';
import { Company } from './company.mjs';

const SIZE = { clusters: 10000, accounts: 200, regions: 17, delay: 20 };
const CHANGES = 5;
const OURS = 'discoveryd';
const THEIRS = "Teleport's way";
const QUIET_MS = 400;

const callsOf = ({ calls }) => Object.values(calls).reduce((sum, count) => sum + count, 0);
const peakMiB = ({ pid }) => Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]) / 1024;
const now = () => performance.now() / 1000;

// Until every scope was listed since the counts were forgotten, and AWS has been asked nothing for a while; the moment of the
// last question.
async function untilLooked(company) {
	let asked = -1;
	let at = now();
	let isWhole = false;
	while (!isWhole || now() - at < QUIET_MS / 1000) {
		const { requests, calls } = await company.aws.ask('stats');
		if (requests !== asked) at = now();
		asked = requests;
		isWhole = Math.min(calls.ListClusters ?? 0, calls.GetResources ?? 0) >= company.scopes;
		await sleep(20);
	}
	return at;
}

async function firstLook(company) {
	const { clusters } = company.size;
	const begun = now();
	company.discoveryd = company.start('discoveryd', ['run'], { isSubject: true });
	await until(
		'the first look',
		async () => {
			const inventory = await company.call('/v1/inventory');
			return inventory.complete && inventory.clusters.ready === clusters;
		},
		{ timeoutMs: 300000, everyMs: 100 },
	);
	const seconds = now() - begun;
	const stats = await company.aws.ask('stats');
	return { seconds, calls: callsOf(stats), cpu: company.discoveryd.cpu(), peak: peakMiB(company.discoveryd), simulator: stats.cpu };
}

async function quietCycle(company) {
	await untilLooked(company);
	await company.aws.ask('reset');
	const before = await company.aws.ask('stats');
	const cpu = company.discoveryd.cpu();
	const begun = now();
	company.discoveryd.child.kill('SIGHUP');
	const end = await untilLooked(company);
	const stats = await company.aws.ask('stats');
	const looks = ['ListClusters', 'GetResources', 'DescribeCluster'].map((name) => stats.calls[name] ?? 0);
	return {
		seconds: end - begun,
		perScope: looks.reduce((a, b) => a + b) / company.scopes,
		describes: looks[2],
		cpu: company.discoveryd.cpu() - cpu,
		simulator: stats.cpu - before.cpu,
	};
}

// From the answer of DescribeCluster that shows a new tag to the DELTA in the hands of a subscriber, a whole cycle being under
// way.
async function changes(company) {
	const tap = company.start('bustap', ['--role', 'tap'], { isAsked: true });
	const wanted = {};
	const arrival = (...words) =>
		new Promise((resolve) => {
			Object.assign(wanted, { words, resolve });
		});
	const placed = arrival('"SNAPSHOT_END"');
	createInterface({ input: tap.child.stdout }).on('line', (line) => {
		if (wanted.words.every((word) => line.includes(word))) wanted.resolve(Date.now());
	});
	await placed;
	const values = [];
	for (let i = 0; i < CHANGES; i++) {
		const account = company.aws.accounts[(i * 37) % company.size.accounts];
		const [region] = company.aws.regions;
		const name = `cluster-${String((i * 37) % company.size.accounts).padStart(5, '0')}`;
		const mark = `mark-${i}-${process.pid}`;
		const arrived = arrival('"DELTA"', mark);
		await company.aws.ask('reset');
		await company.aws.ask('tag', account, region, name, 'mark', mark);
		company.discoveryd.child.kill('SIGHUP');
		const at = await arrived;
		const { answered } = await company.aws.ask('answered', account, region, name);
		values.push(at - answered);
		await untilLooked(company);
	}
	await tap.stop();
	return values;
}

// Not on discoveryd's core: the simulator has nothing to do now.
async function startProxy(company) {
	const begun = now();
	const proxy = company.start('kubeproxyd', ['run']);
	await company.untilLog(proxy, new RegExp(`event=ready [^\\n]*clusters=${company.size.clusters}\\b`));
	const seconds = now() - begun;
	const peak = peakMiB(proxy);
	await proxy.stop();
	return { seconds, peak };
}

async function initialise(company) {
	const init = company.start('kubeproxyd', ['init']);
	await init.ended;
}

async function theirLook(company) {
	await company.aws.ask('reset');
	const before = await company.aws.ask('stats');
	const { endpoint, key, secret, accounts } = company.aws;
	const script = fileURLToPath(new URL('teleport.mjs', import.meta.url));
	const words = [process.execPath, script, JSON.stringify({ endpoint, key, secret, accounts })];
	const running = new Process(words, { log: company.path('teleport.log'), isSubject: true });
	company.processes.push(running);
	await running.ended;
	const line = running.logText().trim().split('\n').at(-1);
	if (!line.startsWith('{')) throw new Error(`the SDK for JavaScript: ${running.logText().slice(-400)}`);
	const stats = await company.aws.ask('stats');
	return { ...JSON.parse(line), calls: callsOf(stats), simulator: stats.cpu - before.cpu };
}

const result = (id, title, unit, values) => ({
	id: `discovery-${id}`,
	title,
	unit,
	values: Object.fromEntries(Object.entries(values).map(([label, value]) => [label, Array.isArray(value) ? value : [value]])),
});

export async function discovery() {
	const company = new Company(SIZE);
	const { clusters, accounts, regions, delay } = SIZE;
	const size = `${clusters} clusters, ${accounts} accounts x ${regions} regions, ${delay} ms an answer`;
	try {
		await company.open();
		await initialise(company);
		const first = await firstLook(company);
		const quiet = await quietCycle(company);
		const delays = await changes(company);
		const proxy = await startProxy(company);
		await company.discoveryd.stop();
		const theirs = await theirLook(company).catch((error) => error);
		const their = (field) => (theirs instanceof Error ? theirs : theirs[field]);
		return [
			result('first-seconds', `first complete discovery: ${size}`, 's', { [OURS]: first.seconds, [THEIRS]: their('seconds') }),
			result('first-calls', 'first complete discovery: calls of AWS', '', { [OURS]: first.calls, [THEIRS]: their('calls') }),
			result('first-cpu', 'first complete discovery: CPU', 's', {
				[OURS]: first.cpu,
				[THEIRS]: their('cpu'),
				'simulator, ours': first.simulator,
				'simulator, theirs': their('simulator'),
			}),
			result('first-peak', 'first complete discovery: most memory ever resident', 'MiB', { [OURS]: first.peak }),
			result('quiet-calls', 'a quiet cycle: calls a scope', '', {
				[OURS]: quiet.perScope,
				[THEIRS]: theirs instanceof Error ? theirs : (theirs.calls - 2 * accounts) / company.scopes, // each cycle is alike
			}),
			result('quiet-describes', 'a quiet cycle: describes (none is stale)', '', { [OURS]: quiet.describes }),
			result('quiet-cpu', `a quiet cycle: CPU (it took ${quiet.seconds.toFixed(1)} s)`, 's', {
				[OURS]: quiet.cpu,
				simulator: quiet.simulator,
			}),
			result('change', `from an answer that shows a change to a subscriber, in a full cycle, worst of ${CHANGES}`, 'ms', {
				[OURS]: Math.max(...delays),
			}),
			result('proxy-seconds', 'kubeproxyd without a cache: from its start until every cluster is routable', 's', {
				kubeproxyd: proxy.seconds,
			}),
			result('proxy-peak', 'kubeproxyd then: most memory ever resident', 'MiB', { kubeproxyd: proxy.peak }),
		];
	} finally {
		await company.close();
	}
}
