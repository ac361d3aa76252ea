// Pod logs: the lines that were appended over the control endpoint, and with follow=true each line as it comes.
import { isTrue } from './request_info.mjs';
import { StatusError } from './status.mjs';

export class Logs {
	constructor() {
		this.lines = new Map(); // "namespace/pod" -> lines
		this.followers = new Map(); // "namespace/pod" -> Set of (line, or null at the end)
	}

	append(key, line) {
		if (!this.lines.has(key)) this.lines.set(key, []);
		this.lines.get(key).push(line);
		for (const follower of this.followers.get(key) ?? []) follower(line);
	}

	// The container ended: followers get a clean end.
	end(key) {
		for (const follower of this.followers.get(key) ?? []) follower(null);
		this.followers.delete(key);
	}

	follow(key, follower) {
		if (!this.followers.has(key)) this.followers.set(key, new Set());
		this.followers.get(key).add(follower);
		return () => this.followers.get(key)?.delete(follower);
	}
}

export function containerOf(pod, name) {
	const names = (pod.spec?.containers ?? []).map((container) => container.name);
	const chosen = name ?? (names.length === 1 ? names[0] : undefined);
	if (chosen === undefined) {
		throw new StatusError(
			400,
			`a container name must be specified for pod ${pod.metadata.name}, choose one of: [${names.join(' ')}]`,
		);
	}
	if (!names.includes(chosen))
		throw new StatusError(400, `container ${chosen} is not valid for pod ${pod.metadata.name}`);
	return chosen;
}

export function answerLogs({ store, type, info, logs, response, cutters }) {
	const pod = store.get(type, info.namespace, info.name);
	containerOf(pod, info.query.get('container')?.[0]);
	const key = `${info.namespace}/${info.name}`;
	const tail = Number(info.query.get('tailLines')?.[0] ?? Infinity);
	const lines = logs.lines.get(key) ?? [];
	response.writeHead(200, { 'content-type': 'text/plain', 'cache-control': 'no-cache, private' });
	response.flushHeaders?.();
	for (const line of tail === Infinity ? lines : lines.slice(lines.length - Math.min(tail, lines.length)))
		response.write(`${line}\n`);
	if (!isTrue(info.query, 'follow')) return response.end();
	const leave = logs.follow(key, (line) => (line === null ? end() : response.write(`${line}\n`)));
	const end = () => {
		leave();
		cutters.delete(end);
		response.end();
	};
	cutters.add(end);
	response.on('close', () => {
		leave();
		cutters.delete(end);
	});
	return undefined;
}
