// An API server that breaks the protocol it switched to: behind the 101 come bytes as they were ordered, and nothing that the
// client sends is read.
import { createHash } from 'node:crypto';

const WEBSOCKET_GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'; // RFC 6455, 1.3

function answerHead(request, { isSpdy, protocol }, extra) {
	const key = createHash('sha1').update(`${request.headers['sec-websocket-key']}${WEBSOCKET_GUID}`).digest('base64');
	const fields = isSpdy
		? ['Upgrade: SPDY/3.1', `X-Stream-Protocol-Version: ${protocol}`]
		: ['Upgrade: websocket', `Sec-WebSocket-Accept: ${key}`, `Sec-WebSocket-Protocol: ${protocol}`];
	return ['HTTP/1.1 101 Switching Protocols', 'Connection: Upgrade', ...fields, ...extra, '', ''].join('\r\n');
}

// {base64, behind: once so many bytes have come (at once), fields: more lines of the answer's head, isCut: ends behind them}
export function serveBytes(request, socket, chosen, { base64, behind = 0, fields = [], isCut }) {
	let left = behind;
	const say = () => {
		socket.write(Buffer.from(base64, 'base64'));
		if (isCut) socket.end();
	};
	socket.write(answerHead(request, chosen, fields));
	socket.on('data', (data) => {
		const hadAll = left <= 0;
		left -= data.length;
		if (!hadAll && left <= 0) say();
	});
	socket.on('end', () => socket.end());
	if (behind === 0) say();
}
