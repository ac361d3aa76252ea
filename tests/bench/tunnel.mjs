// An exec whose output is a gigabyte: a WebSocket upgrade, then bytes one way, as fast as they go. The API server is
// tunnel-upstream.mjs; CPU time of the proxy for the whole of it. And what it costs, in CPU and in time, when a part of that is
// recorded. Called by bench.mjs.
import { readFileSync } from 'node:fs';
import { connect } from 'node:tls';
import { pick, takeTurns } from './turns.mjs';
import { EXEC } from './stage.mjs';

const SILENCE_MAX_MS = 20000;

function request(path, port) {
	return [
		`GET ${path} HTTP/1.1`,
		`Host: 127.0.0.1:${port}`,
		'Connection: Upgrade',
		'Upgrade: websocket',
		'Sec-WebSocket-Version: 13',
		'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
		'Sec-WebSocket-Protocol: v5.channel.k8s.io',
		'',
		'',
	].join('\r\n');
}

// Resolves with how many bytes came through the tunnel until the other side ended it.
function drain(stage, { port, path }) {
	return new Promise((resolve, reject) => {
		const [cert, key] = [stage.person.certificate, stage.person.key].map((file) => readFileSync(file));
		const socket = connect({ host: '127.0.0.1', port, cert, key, rejectUnauthorized: false, ALPNProtocols: ['http/1.1'] });
		let bytes = -1;
		socket.setTimeout(SILENCE_MAX_MS, () => socket.destroy(new Error('the tunnel is silent')));
		socket.on('secureConnect', () => socket.write(request(path, port)));
		socket.on('data', (data) => {
			if (bytes >= 0) {
				bytes += data.length;
				return;
			}
			const head = data.toString('latin1');
			const end = head.indexOf('\r\n\r\n');
			if (!head.startsWith('HTTP/1.1 101') || end < 0) socket.destroy(new Error(`no tunnel: ${head.slice(0, 200)}`));
			bytes = data.length - end - 4;
		});
		socket.on('end', () => socket.end());
		socket.on('error', reject);
		socket.on('close', () => resolve(bytes));
	});
}

// One that has a terminal is recorded, one without is not.
async function recorded(stage, wanted, rounds, kind) {
	const [ours] = stage.tunnelContenders();
	const contenders = [
		{ ...ours, label: 'not recorded', query: kind },
		{ ...ours, label: 'recorded', query: `${kind}&tty=true` },
	];
	return takeTurns(contenders, rounds, async ({ name, target, query }) => {
		const [before, begun] = [stage.cpu(name), performance.now()];
		const bytes = await drain(stage, target(`${EXEC}${query}&bytes=${wanted}`));
		if (bytes !== wanted) throw new Error(`${bytes} of ${wanted} bytes came`);
		return { cpu: stage.cpu(name) - before, took: (performance.now() - begun) / 1000 };
	});
}

export async function recording(stage, { tunnelMb, rounds }) {
	const wanted = Math.ceil(tunnelMb / 8) * 1024 * 1024;
	const plain = await recorded(stage, wanted, rounds, '');
	const listing = await recorded(stage, wanted, rounds, '&listing');
	const title = `an exec of ${wanted / 1024 / 1024} MiB of output`;
	return [
		{ id: 'recording-cpu', title: `CPU of ${title}`, unit: 's', values: pick(plain, 'cpu') },
		{ id: 'recording-time', title: `Time of ${title}`, unit: 's', values: pick(plain, 'took') },
		{ id: 'recording-listing-cpu', title: `CPU of ${title}, coloured listings`, unit: 's', values: pick(listing, 'cpu') },
		{ id: 'recording-listing-time', title: `Time of ${title}, coloured listings`, unit: 's', values: pick(listing, 'took') },
	];
}

export async function tunnel(stage, { tunnelMb }) {
	const wanted = tunnelMb * 1024 * 1024;
	const values = await takeTurns(stage.tunnelContenders(), 1, async (contender) => {
		const before = stage.cpu(contender.name);
		const bytes = await drain(stage, contender.target(`${EXEC}&bytes=${wanted}`));
		if (bytes !== wanted) throw new Error(`${bytes} of ${wanted} bytes came`);
		return stage.cpu(contender.name) - before;
	});
	return [{ id: 'tunnel', title: `CPU for ${tunnelMb} MiB through an exec tunnel (WebSocket)`, unit: 's', values }];
}
