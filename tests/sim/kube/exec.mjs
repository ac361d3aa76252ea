// Exec and attach over WebSocket, v4 and v5.channel.k8s.io. A few real programs run, so that standard input, both outputs
// and exit codes are real; everything else is "not found", as in a small image.
import { spawn } from 'node:child_process';
import { WebSocketServer } from 'ws';
import { isTrue } from './request_info.mjs';
import { containerOf } from './logs.mjs';
import { StatusError } from './status.mjs';

const STDIN = 0;
const STDOUT = 1;
const STDERR = 2;
const ERROR = 3;
const RESIZE = 4;
const CLOSE = 255;
const PROTOCOLS = ['v5.channel.k8s.io', 'v4.channel.k8s.io'];
const PROGRAMS = ['sh', 'echo', 'cat', 'true', 'false', 'sleep', 'wc', 'head', 'tar', 'printf', 'seq'];

const sockets = new WebSocketServer({
	noServer: true,
	perMessageDeflate: false,
	handleProtocols: (offered) => PROTOCOLS.find((p) => offered.has(p)) ?? false,
});

export function readOptions(info) {
	const options = {
		command: info.query.get('command') ?? [],
		container: info.query.get('container')?.[0],
		stdin: isTrue(info.query, 'stdin'),
		stdout: isTrue(info.query, 'stdout'),
		stderr: isTrue(info.query, 'stderr'),
		tty: isTrue(info.query, 'tty'),
	};
	if (info.subresource === 'exec' && options.command.length === 0)
		throw new StatusError(400, 'you must specify at least 1 command');
	if (!options.stdin && !options.stdout && !options.stderr)
		throw new StatusError(400, 'you must specify at least one of stdin, stdout, stderr');
	if (options.tty && options.stderr) throw new StatusError(400, 'tty and stderr cannot both be true');
	return options;
}

// Checks everything that is answered with a Status before the upgrade; returns what runs afterwards.
export function prepareExec({ store, type, info, request }) {
	const options = readOptions(info);
	const pod = store.get(type, info.namespace, info.name);
	containerOf(pod, options.container);
	const offered = (request.headers['sec-websocket-protocol'] ?? '').split(',').map((word) => word.trim());
	if (!PROTOCOLS.some((protocol) => offered.includes(protocol))) {
		throw new StatusError(400, `unable to upgrade: no supported protocol in ${offered.join(', ')}`);
	}
	return options;
}

function exitStatus(code) {
	if (code === 0) return { metadata: {}, status: 'Success' };
	return {
		metadata: {},
		status: 'Failure',
		reason: 'NonZeroExitCode',
		message: `command terminated with non-zero exit code: exit status ${code}`,
		details: { causes: [{ reason: 'ExitCode', message: String(code) }] },
	};
}

function notStarted(program) {
	return {
		metadata: {},
		status: 'Failure',
		reason: 'InternalError',
		code: 500,
		message: `Internal error occurred: error executing command in container: exec: "${program}": executable file not found in $PATH`,
	};
}

class Session {
	constructor(ws, options, record) {
		Object.assign(this, { ws, options, record });
		ws.on('message', (data) => this.onMessage(data));
		ws.on('close', () => this.child?.kill());
		ws.on('error', () => this.child?.kill());
	}

	send(channel, data) {
		if (this.ws.readyState === this.ws.OPEN) this.ws.send(Buffer.concat([Buffer.from([channel]), data]));
	}

	// The last output and the status leave before the connection ends.
	finish(status) {
		this.send(ERROR, Buffer.from(JSON.stringify(status)));
		this.record.exit = status;
		this.ws.close(1000);
	}

	run() {
		const [program, ...args] = this.options.command;
		if (program === 'resizes') return;
		if (!PROGRAMS.includes(program)) {
			this.finish(notStarted(program));
			return;
		}
		const child = spawn(program, args, {
			stdio: [this.options.stdin ? 'pipe' : 'ignore', 'pipe', 'pipe'],
			env: { PATH: process.env.PATH },
		});
		this.child = child;
		const { stdout, stderr, tty } = this.options;
		if (stdout || tty) child.stdout.on('data', (data) => this.send(STDOUT, data));
		if (stderr || tty) child.stderr.on('data', (data) => this.send(tty ? STDOUT : STDERR, data));
		child.stdin?.on('error', () => {});
		child.on('close', (code, signal) => this.finish(exitStatus(code ?? 128 + (signal === 'SIGKILL' ? 9 : 15))));
	}

	onMessage(data) {
		if (data.length === 0) return;
		const payload = data.subarray(1);
		if (data[0] === STDIN && payload.length > 0) this.child?.stdin?.write(payload);
		else if (data[0] === RESIZE) this.onResize(JSON.parse(payload.toString('utf8')));
		else if (data[0] === CLOSE && payload[0] === STDIN && this.ws.protocol === PROTOCOLS[0]) this.onStdinClosed();
	}

	// The program "resizes" prints the sizes that it is told.
	onResize(size) {
		this.record.sizes.push([size.Width, size.Height]);
		if (this.options.command[0] === 'resizes') this.send(STDOUT, Buffer.from(`${size.Width}x${size.Height}\n`));
	}

	onStdinClosed() {
		if (this.options.command[0] === 'resizes') this.finish(exitStatus(0));
		this.child?.stdin?.end();
	}
}

export function startExec(request, socket, head, options, record) {
	Object.assign(record, { sizes: [] });
	sockets.handleUpgrade(request, socket, head, (ws) => {
		new Session(ws, options, record).run();
	});
}
