// Ten thousand idle watches on one instance, and among them one reader that takes nothing of what is poured into it: the events
// of the others must be as young as before, and memory must not grow with what the slow one leaves. Called by bench.mjs.
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from 'node:tls';
import { until } from '../clients/run.mjs';
import { WATCH } from './stage.mjs';
import { takeTurns, toTheClient, WARM_SECONDS } from './turns.mjs';

const STREAMS = 100;
const BEAT_MS = 1;
const SETTLE_MS = 3500;

// A watch whose events nobody reads.
async function openSlow(stage, { port, path }) {
	const [cert, key] = [stage.person.certificate, stage.person.key].map((file) => readFileSync(file));
	const socket = connect({ host: '127.0.0.1', port, cert, key, rejectUnauthorized: false, ALPNProtocols: ['http/1.1'] });
	socket.on('error', () => {});
	let isAnswered = false;
	socket.once('data', () => {
		isAnswered = true;
		socket.pause();
	});
	socket.on('secureConnect', () => socket.write(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n\r\n`));
	await until('the slow watch is answered', () => isAnswered);
	return socket;
}

async function agesOf(stage, load, seconds) {
	await load.run(WARM_SECONDS);
	const { p99_us: p99 } = await load.run(seconds);
	return { p99, rss: stage.process('kubeproxyd').rss() };
}

// {alone, besideSlow}: what the crowd's events and the process look like without and with the slow reader.
async function compare(stage, contender, shape, seconds) {
	await stage.restart(contender.name);
	return toTheClient(stage, contender, WATCH, { ...shape, isHold: true }, async (load) => {
		await sleep(SETTLE_MS);
		stage.tellWatches(`beat ${BEAT_MS}`);
		try {
			const alone = await agesOf(stage, load, seconds);
			const slow = await openSlow(stage, contender.target(`${WATCH}&flood=true`));
			const besideSlow = await agesOf(stage, load, seconds);
			slow.destroy();
			return { alone, besideSlow };
		} finally {
			stage.tellWatches('quiet');
		}
	});
}

export async function crowd(stage, { crowd: count, seconds }) {
	const [ours] = stage.contenders('h2', { isWatch: true });
	const shape = { connections: count / STREAMS, streams: STREAMS };
	const { kubeproxyd: results } = await takeTurns([ours], 1, () => compare(stage, ours, shape, seconds * 3));
	const of = (read) => results.map((result) => (result instanceof Error ? result : read(result)));
	const words = `${count} idle watches, ${STREAMS} on a connection`;
	return [
		{
			id: 'crowd-p99',
			title: `age of an event beside one slow reader, p99, ${words}`,
			unit: 'us',
			values: {
				kubeproxyd: of(({ besideSlow }) => besideSlow.p99),
				'all read': of(({ alone }) => alone.p99),
			},
		},
		{
			id: 'crowd-rss',
			title: `what a slow reader among them adds to resident memory, ${words}`,
			unit: 'KiB',
			values: { kubeproxyd: of(({ alone, besideSlow }) => besideSlow.rss - alone.rss) },
		},
		{
			id: 'crowd-rss-all',
			title: `resident memory with all of them, ${words}`,
			unit: 'MiB',
			values: { kubeproxyd: of(({ alone }) => alone.rss / 1024) },
		},
	];
}
