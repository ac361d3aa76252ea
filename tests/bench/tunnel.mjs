// An exec whose output is a gigabyte: a WebSocket upgrade, then bytes one way, as fast as they go. The API server is
// tunnel-upstream.mjs; CPU time of the proxy for the whole of it. Called by bench.mjs, and recording.mjs, whose tunnels they are.
import { readFileSync } from 'node:fs';
import { connect } from 'node:tls';
import { takeTurns } from './turns.mjs';
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

// An exec that was switched to: a connection, and how many bytes of the tunnel came with the answer.
export function openTunnel(stage, { port, path }) {
	return new Promise((resolve, reject) => {
		const [cert, key] = [stage.person.certificate, stage.person.key].map((file) => readFileSync(file));
		const socket = connect({ host: '127.0.0.1', port, cert, key, rejectUnauthorized: false, ALPNProtocols: ['http/1.1'] });
		socket.setNoDelay(true);
		socket.setTimeout(SILENCE_MAX_MS, () => socket.destroy(new Error('the tunnel is silent')));
		socket.on('secureConnect', () => socket.write(request(path, port)));
		socket.on('error', reject);
		socket.once('data', (data) => {
			const head = data.toString('latin1');
			const end = head.indexOf('\r\n\r\n');
			if (!head.startsWith('HTTP/1.1 101') || end < 0) socket.destroy(new Error(`no tunnel: ${head.slice(0, 200)}`));
			else resolve({ socket, bytes: data.length - end - 4 });
		});
	});
}

// How many bytes came through a tunnel until the other side ended it; fewer than `wanted` are an error.
export async function drain(stage, target, wanted) {
	let { socket, bytes } = await openTunnel(stage, target);
	await new Promise((resolve, reject) => {
		socket.on('data', (data) => {
			bytes += data.length;
		});
		socket.on('end', () => socket.end()).on('error', reject).on('close', resolve);
	});
	if (bytes !== wanted) throw new Error(`${bytes} of ${wanted} bytes came`);
}

export async function tunnel(stage, { tunnelMb }) {
	const wanted = tunnelMb * 1024 * 1024;
	const values = await takeTurns(stage.tunnelContenders(), 1, async (contender) => {
		const before = stage.cpu(contender.name);
		await drain(stage, contender.target(`${EXEC}&bytes=${wanted}`), wanted);
		return stage.cpu(contender.name) - before;
	});
	return [{ id: 'tunnel', title: `CPU for ${tunnelMb} MiB through an exec tunnel (WebSocket)`, unit: 's', values }];
}
