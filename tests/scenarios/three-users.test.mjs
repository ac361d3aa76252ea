// The daemons under users of their own, as the units run them: the bus lets each in for what it is, and nobody else. Needs
// root to change users.
import assert from 'node:assert/strict';
import { chmodSync, chownSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { run, Running, until } from '../clients/run.mjs';
import { admin, binary } from './daemons.mjs';
import { initialise } from './people.mjs';
import { MATCHED, World } from './world.mjs';

const UID = { discovery: 64001, proxy: 64002, tap: 64003, stranger: 64004 };
const BUS = 64100;

// As a unit with User=, Group= and SupplementaryGroups= would.
function as(uid, group, words) {
	const groups = group === BUS ? `--groups=${BUS}` : '--clear-groups';
	return ['setpriv', ['--reuid', String(uid), '--regid', String(uid === UID.discovery ? BUS : uid), groups, '--no-new-privs', '--inh-caps=-all', ...words]];
}

function give(path, uid, gid, mode) {
	chownSync(path, uid, gid);
	chmodSync(path, mode);
}

function setOwners(world) {
	chmodSync(world.directory, 0o755);
	chmodSync(world.path('eksgate.yaml'), 0o644);
	give(world.path('state'), UID.discovery, BUS, 0o700);
	give(world.path('bus'), UID.discovery, BUS, 0o750);
	give(world.path('admin'), UID.discovery, BUS, 0o700);
	for (const name of ['cache', 'run', 'tls', 'roles.d', 'audit']) {
		give(world.path(name), UID.proxy, UID.proxy, 0o700);
		for (const file of readdirSync(world.path(name))) chownSync(join(world.path(name), file), UID.proxy, UID.proxy);
	}
}

test('three users', { skip: process.getuid() !== 0 && 'only root can change users', timeout: 120000 }, async () => {
	const world = new World();
	const daemons = [];
	const start = (uid, group, words, user) => {
		const [program, args] = as(uid, group, [...words, '--config', world.path('eksgate.yaml')]);
		const running = new Running(program, args, { env: world.environment(user ?? world.discoveryUser), cwd: '/' });
		daemons.push(running);
		return running;
	};
	try {
		await world.open();
		world.config.eksgate.bus.proxy_users = [String(UID.proxy)];
		world.config.eksgate.bus.tap_users = [String(UID.tap)];
		world.writeConfig();
		await initialise(world);
		setOwners(world);
		const discoveryd = start(UID.discovery, BUS, [binary('discoveryd'), 'run']);
		await discoveryd.waitFor(/room=main event=ready/);
		const kubeproxyd = start(UID.proxy, BUS, [binary('kubeproxyd'), 'run'], world.proxyUser);
		await kubeproxyd.waitFor(/room=main event=ready/);
		await until('the proxy serves everything', async () => {
			const { clusters } = await admin(world.path('run', 'main.sock'), '/v1/clusters');
			return clusters.map(({ name }) => name).sort().join() === MATCHED.join();
		});
		const tap = start(UID.tap, BUS, [binary('bustap'), '--count', '4']);
		assert.equal((await tap.ended).code, 0, tap.stderr);

		// In the group, but not a proxy; not listed at all; not in the group.
		for (const [uid, group, words, reason] of [
			[UID.tap, BUS, ['--role', 'proxy'], /role/],
			[UID.stranger, BUS, [], /./],
			[UID.stranger, UID.stranger, [], /./],
		]) {
			const refused = start(uid, group, [binary('bustap'), '--timeout', '3', ...words]);
			const { code } = await refused.ended;
			assert.notEqual(code, 0, `uid ${uid} ${words}`);
			assert.doesNotMatch(refused.stdout, /SNAPSHOT/);
			assert.match(refused.stderr, reason);
		}
		// The admin sockets are their owners' alone.
		const [program, args] = as(UID.stranger, BUS, [binary('discoveryd'), 'status', '--config', world.path('eksgate.yaml')]);
		const asked = await run(program, args, { cwd: '/' });
		assert.equal(asked.code, 1);
		assert.match(asked.stderr, /admin\.sock/);
		for (const daemon of [kubeproxyd, discoveryd]) assert.deepEqual(await daemon.kill(), { code: 0, signal: null });
	} catch (error) {
		for (const daemon of daemons) process.stderr.write(`--- ${daemon.name}\n${daemon.stderr.split('\n').slice(-60).join('\n')}\n`);
		throw error;
	} finally {
		for (const daemon of daemons) await daemon.kill('SIGKILL');
		await world.close();
	}
});
