// What scenarios of recordings share: roles that ask for them, programs on a terminal, and the files as anybody reads them.
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { kubectlPath } from '../clients/kubectl.mjs';
import { run, Running } from '../clients/run.mjs';
import { Faults } from './faults.mjs';
import { MATCHED, person, startDiscoveryd, startKubeproxyd, until } from './harness.mjs';
import { writeKubeconfig } from './tools.mjs';

// A role of that name, for the user of that name, whose record_session is `record`; `options` are others.
export function recordingRole(name, record, options = {}) {
	return `kind: role
version: v8
metadata: {name: ${name}}
spec:
  options: ${JSON.stringify({ ...(record && { record_session: record }), ...options })}
  allow:
    kubernetes_labels: {'*': '*'}
    kubernetes_groups: [developers]
---
kind: role_binding
version: v1
metadata: {name: ${name}}
spec: {roles: [${name}], users: [${name}]}
`;
}

export function writeRoles(world, ...roles) {
	writeFileSync(world.path('roles.d', 'roles.yaml'), roles.join('---\n'));
}

// A proxy whose files can be made to fail, sven who must be recorded, and bea who is as far as it can be.
export async function startAboveFaults(world) {
	writeRoles(world, recordingRole('sven', { k8s: 'strict' }), recordingRole('bea', { k8s: 'best_effort' }));
	const faults = new Faults(world);
	await startDiscoveryd(world);
	const kubeproxyd = await startKubeproxyd(world, 'main', faults.below);
	await kubeproxyd.untilServed(MATCHED);
	const [sven, bea] = await Promise.all(['sven', 'bea'].map((who) => person(world, kubeproxyd, who)));
	return { faults, kubeproxyd, sven, bea };
}

// kubectl on a terminal of its own, which script(1) makes: its output is what the terminal shows.
const onTerminal = (who, cluster, words, minor, first = '') => ({
	args: [
		'-qec',
		`stty cols 101 rows 33 -echo; ${first}${kubectlPath(minor)} --kubeconfig ${writeKubeconfig(who, cluster)} ${words}`,
		'/dev/null',
	],
	options: { env: { PATH: process.env.PATH, HOME: who.world.directory, TERM: 'dumb' } },
});

export function runOnTerminal(who, cluster, words, { minor, input = '' } = {}) {
	const { args, options } = onTerminal(who, cluster, words, minor);
	return run('script', args, { ...options, input });
}

// What the caller types into child.stdin is shown only when the other end sends it back. The terminal becomes 77x11 as soon
// as there is a file `resize`.
export async function startOnTerminal(who, cluster, words, { minor, resize } = {}) {
	const later = resize ? `(until [ -e '${resize}' ]; do sleep 0.1; done; stty -F /dev/tty cols 77 rows 11) & ` : '';
	const { args, options } = onTerminal(who, cluster, words, minor, `${later}echo silent; `);
	const session = new Running('script', args, { ...options, stdin: 'pipe' });
	await session.waitFor(/silent/, { stream: 'stdout' });
	return session;
}

// {file, header, events, output, input, ending} of a file's text.
export function readCast(file, text = readFileSync(file, 'utf8')) {
	const [header, ...events] = text.trimEnd().split('\n').map((line) => JSON.parse(line));
	const joined = (code) =>
		events
			.filter((event) => event[1] === code)
			.map((event) => event[2])
			.join('');
	return { file, header, events, output: joined('o'), input: joined('i'), ending: joined('m') };
}

// The kept recordings, oldest first, once there are that many and none is live.
export async function recordings(world, count) {
	const directory = world.path('recordings');
	const names = await until(`${count} recordings`, async () => {
		const all = readdirSync(directory);
		if (all.length !== count || all.some((name) => !name.endsWith('.cast'))) throw new Error(all.join(' '));
		return all;
	});
	return names
		.map((name) => readCast(`${directory}/${name}`))
		.sort((a, b) => a.header.timestamp - b.header.timestamp);
}

// The audit events of an instance.
export function allEvents(world, instance = 'main') {
	return readFileSync(world.path('audit', `${instance}.jsonl`), 'utf8')
		.trimEnd()
		.split('\n')
		.map((line) => JSON.parse(line));
}

// Those of execs and attaches.
export function auditEvents(world, instance) {
	return allEvents(world, instance).filter(({ objectRef }) => ['exec', 'attach'].includes(objectRef?.subresource));
}

// What a counter stands at, `series` as /metrics writes it; one that never counted is not there.
export async function counter(kubeproxyd, series) {
	const lines = (await kubeproxyd.call('/metrics')).split('\n');
	return Number(lines.find((line) => line.startsWith(`${series} `))?.slice(series.length) ?? 0);
}
