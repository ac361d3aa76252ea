// An installation as README describes it, for scenarios about it: on a machine of its own, all paths the defaults.
import { fileURLToPath } from 'node:url';
import { MATCHED, until } from './harness.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
export const CONFIG = '/etc/eksgate/eksgate.yaml';

export function configOf(world, port) {
	const { discovery_service, kubernetes_service, eksgate } = world.config;
	return {
		version: 'v3',
		discovery_service,
		kubernetes_service: { ...kubernetes_service, listen_addr: `127.0.0.1:${port}` },
		eksgate: { test: eksgate.test, discovery: { describe_age: '1s' }, proxy: { audit: { destination: 'file' } } },
	};
}

function environmentOf(world, user) {
	const lines = Object.entries(world.environment(user)).filter(([key]) => key.startsWith('AWS_'));
	return lines.map(([key, value]) => `${key}=${value}\n`).join('');
}

export const make = (machine, target) => machine.must('make', ['-s', '-C', root, target]);

// README, "1. Install" to "4."; the kernel's settings are this machine's.
export async function install(machine, world, config) {
	await make(machine, 'install');
	await machine.must('systemd-sysusers', []);
	await machine.must('systemd-tmpfiles', ['--create', '/usr/lib/tmpfiles.d/eksgate.conf']);
	await machine.write(CONFIG, JSON.stringify(config));
	await machine.must('cp', [world.path('roles.d', 'roles.yaml'), '/etc/eksgate/roles.d/']);
	await machine.write('/etc/eksgate/discoveryd.env', environmentOf(world, world.discoveryUser), '0600');
	await machine.write('/etc/eksgate/kubeproxyd.env', environmentOf(world, world.proxyUser), '0600');
}

// {property: value} of a unit.
export async function show(machine, unit, ...properties) {
	const text = await machine.must('systemctl', ['show', unit, ...properties.map((name) => `--property=${name}`)]);
	return Object.fromEntries(text.trim().split('\n').map((line) => line.split(/=(.*)/s).slice(0, 2)));
}

export const untilServed = (machine) =>
	until('all clusters are served', async () => {
		const text = await machine.must('kubeproxyd', ['ls']);
		return MATCHED.every((name) => text.includes(name));
	});
