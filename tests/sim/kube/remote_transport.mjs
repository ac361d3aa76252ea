// The two transports of exec and attach: WebSocket channels (v4 and v5.channel.k8s.io) and SPDY/3.1 streams.
import { Channels } from './channels.mjs';
import { runCommand } from './remote_command.mjs';
import { SpdyConnection } from './spdy.mjs';

const [STDIN, STDOUT, STDERR, ERROR, RESIZE] = [0, 1, 2, 3, 4];

// JSON documents, one behind the other, as they come.
function readSizes(stream, fn) {
	let text = '';
	stream.on('data', (part) => {
		text += part.toString('utf8');
		for (let end = text.indexOf('}'); end >= 0; end = text.indexOf('}')) {
			fn(JSON.parse(text.slice(0, end + 1)));
			text = text.slice(end + 1);
		}
	});
}

export function serveOverWebSocket(ws, protocol, options, record) {
	const channels = new Channels(ws, { canClose: protocol.startsWith('v5.') });
	const sizes = channels.input(RESIZE);
	const listeners = [];
	readSizes(sizes, (size) => listeners.forEach((fn) => fn(size)));
	runCommand(
		options,
		{
			stdin: options.stdin ? channels.input(STDIN) : undefined,
			stdout: options.stdout || options.tty ? channels.output(STDOUT) : undefined,
			stderr: options.stderr && !options.tty ? channels.output(STDERR) : undefined,
			onResize: (fn) => listeners.push(fn),
			onGone: (fn) => ws.on('close', fn),
			finish: (status) => {
				channels.send(ERROR, Buffer.from(JSON.stringify(status)));
				ws.close(1000);
			},
		},
		record,
	);
}

// The client opens one stream for each of these and the last one may come late.
function wantedStreams({ stdin, stdout, stderr, tty }) {
	return [
		'error',
		...(stdin ? ['stdin'] : []),
		...(stdout ? ['stdout'] : []),
		...(stderr && !tty ? ['stderr'] : []),
		...(tty ? ['resize'] : []),
	];
}

export function serveOverSpdy(socket, options, record) {
	const streams = {};
	const wanted = wantedStreams(options);
	const connection = new SpdyConnection(socket, (stream) => {
		streams[stream.headers.streamtype] = stream;
		if (!wanted.every((name) => streams[name])) return;
		const listeners = [];
		if (streams.resize) readSizes(streams.resize, (size) => listeners.forEach((fn) => fn(size)));
		runCommand(
			options,
			{
				stdin: streams.stdin,
				stdout: streams.stdout,
				stderr: streams.stderr,
				onResize: (fn) => listeners.push(fn),
				onGone: (fn) => socket.on('close', fn),
				finish: (status) => {
					streams.error.end(JSON.stringify(status), () => connection.end());
				},
			},
			record,
		);
	});
}
