// The control endpoints of both simulators: a table of routes served as JSON over HTTP on 127.0.0.1.
import { createServer } from 'node:http';

async function readJson(request) {
	const parts = [];
	for await (const part of request) parts.push(part);
	const text = Buffer.concat(parts).toString('utf8');
	return text === '' ? {} : JSON.parse(text);
}

// Words in capitals are labels; they may hold anything but '/'.
function match(pattern, path) {
	const wanted = pattern.split('/');
	const got = path.split('/');
	if (wanted.length !== got.length) return null;
	const labels = [];
	for (let i = 0; i < wanted.length; i++) {
		if (/^[A-Z]+$/.test(wanted[i])) labels.push(decodeURIComponent(got[i]));
		else if (wanted[i] !== got[i]) return null;
	}
	return labels;
}

function reply(response, status, document) {
	response.writeHead(status, { 'content-type': 'application/json' });
	response.end(JSON.stringify(document));
}

async function handle(routes, simulator, request, response) {
	for (const [method, pattern, , run] of routes) {
		const labels = request.method === method ? match(pattern, request.url) : null;
		if (!labels) continue;
		reply(response, 200, (await run(simulator, labels, await readJson(request))) ?? {});
		return;
	}
	reply(response, 404, { error: `no route ${request.method} ${request.url}` });
}

// `routes`: [method, pattern, help, (simulator, labels, body) -> document or promise].
export function startControl(routes, simulator, port) {
	const server = createServer((request, response) => {
		handle(routes, simulator, request, response).catch((error) =>
			reply(response, error.status ?? 400, { error: error.message }),
		);
	});
	return new Promise((resolve, reject) => {
		server.once('error', reject);
		server.listen(port, '127.0.0.1', () => resolve(server));
	});
}

export function describeRoutes(routes) {
	return routes.map(([method, pattern, help]) => `  ${method.padEnd(6)} ${pattern.padEnd(46)} ${help}`).join('\n');
}

// The client half: control("http://127.0.0.1:PORT")("PUT", "/settings", {...}) -> document; throws what the endpoint says.
export function controlClient(base) {
	return async function call(method, path, body) {
		const response = await fetch(base + path, {
			method,
			body: body === undefined ? undefined : JSON.stringify(body),
		});
		const document = await response.json();
		if (!response.ok) throw new Error(`${method} ${path}: ${document.error}`);
		return document;
	};
}

// The options of a simulator's command line: {port, controlPort} and whatever `known` names. Exits on --help and misuse.
export function readOptions(known, help) {
	const options = {};
	const args = process.argv.slice(2);
	for (let i = 0; i < args.length; i++) {
		if (args[i] === '--help') {
			process.stdout.write(help);
			process.exit(0);
		}
		const name = args[i].replace(/^--/, '');
		if (!args[i].startsWith('--') || !known.includes(name) || args[i + 1] === undefined) {
			process.stderr.write(`${args[i]}: unknown or incomplete option; try --help\n`);
			process.exit(2);
		}
		options[name] = args[++i];
	}
	return options;
}

// Ends the process on SIGTERM and SIGINT and, when `until` is "stdin", with its standard input, so that it never outlives
// the one that started it.
export function endOnSignal(until, close) {
	const end = () => Promise.resolve(close()).then(() => process.exit(0));
	process.on('SIGTERM', end);
	process.on('SIGINT', end);
	if (until !== 'stdin') return;
	process.stdin.on('end', end);
	process.stdin.on('error', end);
	process.stdin.resume();
}
