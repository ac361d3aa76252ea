// exec and attach, whatever the transport: the options in the query, what runs, and the Status at the end.
import { finished } from 'node:stream/promises';
import { containerOf } from './logs.mjs';
import { attachMain, startProgram } from './programs.mjs';
import { isTrue } from './request_info.mjs';
import { StatusError } from './status.mjs';

const SIZES_PROGRAM = 'resizes'; // prints each terminal size that it is told, the first one and until its input ends
const END_OF_INPUT = 4; // as typed into a terminal

function readOptions(info) {
	const options = {
		isAttach: info.subresource === 'attach',
		command: info.query.get('command') ?? [],
		container: info.query.get('container')?.[0],
		stdin: isTrue(info.query, 'stdin'),
		stdout: isTrue(info.query, 'stdout'),
		stderr: isTrue(info.query, 'stderr'),
		tty: isTrue(info.query, 'tty'),
	};
	if (!options.isAttach && options.command.length === 0)
		throw new StatusError(400, 'you must specify at least 1 command');
	if (!options.stdin && !options.stdout && !options.stderr)
		throw new StatusError(400, 'you must specify at least one of stdin, stdout, stderr');
	if (options.tty && options.stderr) throw new StatusError(400, 'tty and stderr cannot both be true');
	return options;
}

// What the request asks for; throws what is answered with a Status before the upgrade.
export function prepareCommand({ store, type, info, logs, files }) {
	const options = readOptions(info);
	containerOf(store.get(type, info.namespace, info.name), options.container);
	const key = `${info.namespace}/${info.name}`;
	return { ...options, key, logs, root: files.rootOf(info.namespace, info.name) };
}

const SUCCESS = { metadata: {}, status: 'Success' };

function exitStatus(code) {
	if (code === 0) return SUCCESS;
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

function showSizes(ends, end) {
	let isShown = false;
	let isOver = false;
	const look = () => isShown && isOver && end(SUCCESS);
	ends.onResize((size) => {
		ends.stdout.write(`${size.Width}x${size.Height}\n`);
		isShown = true;
		look();
	});
	const onEnd = () => {
		isOver = true;
		look();
	};
	ends.stdin.on('end', onEnd);
	ends.stdin.on('data', (data) => data.includes(END_OF_INPUT) && onEnd());
}

// Nothing of the output may be lost when the end is told: both writers have delivered everything first.
async function finish(ends, status) {
	const outputs = [ends.stdout, ends.stderr].filter(Boolean);
	for (const output of outputs) output.end();
	await Promise.allSettled(outputs.map((output) => finished(output, { readable: false })));
	ends.finish(status);
}

// `ends`, made by the transport: streams stdin, stdout, stderr (those that were asked for), onResize(fn), onGone(fn) for a
// client that leaves, and finish(status), which sends the Status and closes. `record` is the request's.
export function runCommand(options, ends, record) {
	record.sizes = [];
	const end = (status) => {
		if (record.exit) return;
		record.exit = status;
		void finish(ends, status);
	};
	const [name] = options.command;
	ends.onResize((size) => record.sizes.push([size.Width, size.Height]));
	if (name === SIZES_PROGRAM) {
		showSizes(ends, end);
		return;
	}
	const program = options.isAttach
		? attachMain(options.logs, options.key)
		: startProgram(options.command, { root: options.root, wantsStdin: options.stdin });
	if (!program) {
		end(notStarted(name));
		return;
	}
	ends.onGone(() => program.kill());
	if (ends.stdin && program.stdin) ends.stdin.pipe(program.stdin);
	const errors = options.tty ? ends.stdout : ends.stderr;
	if (ends.stdout) program.stdout.pipe(ends.stdout, { end: false });
	else program.stdout.resume();
	if (errors) program.stderr.pipe(errors, { end: false });
	else program.stderr.resume();
	program.onEnd((code) => end(exitStatus(code)));
}
