// `kubeproxyd lock` keeps somebody out of every instance within seconds: requests, watches and tunnels, whether the lock is on
// the user, a group, a role or a certificate; `unlock` lets in again, and a broken file changes nothing.
import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { binary, CLUSTERS, command, makeCertificate, nameOf, person, Person, run as runProgram, scenario, startBoth, startKubeproxyd, until } from './harness.mjs';
import { underWay } from './under_way.mjs';

const [prod] = CLUSTERS;
const pods = `/clusters/${nameOf(prod)}/api/v1/namespaces/default/pods`;

scenario('locks', async (world) => {
	const { kubeproxyd } = await startBoth(world);
	const second = await startKubeproxyd(world, 'second');
	await second.untilServed(await kubeproxyd.names());
	const run = async (args, code = 0) => {
		const result = await command(world, 'kubeproxyd', args, world.proxyUser);
		assert.equal(result.code, code, `${args.join(' ')}: ${result.stderr}`);
		return result;
	};
	const alice = await person(world, kubeproxyd, 'alice', ['engineering']);
	// Her certificate at the other instance, and another of hers; the names are those of the files.
	const there = new Person(world, second, { ...alice, name: 'alice-there' });
	const another = await makeCertificate(world, 'alice', ['engineering']);
	const other = new Person(world, second, { ...another, name: 'alice-other' });
	const victor = await person(world, second, 'victor');

	// {watch, closed (a promise), end()}
	const watching = async (who) => {
		const h2 = who.h2();
		const watch = await who.open(h2, `${pods}?watch=true`);
		watch.resume();
		const closed = new Promise((resolve) => {
			watch.on('close', resolve);
		});
		return { watch, closed, end: () => h2.close() };
	};
	const tunnel = async (who) => {
		const session = who.startKubectl(nameOf(prod), ['exec', '-i', 'web-1', '--', 'cat'], { stdin: 'pipe' });
		session.child.stdin.write('running\n');
		await session.waitFor(/running/, { stream: 'stdout' });
		return session;
	};
	// Locks while everyone has a tunnel, a watch and requests without an answer yet, and somebody else a watch and requests.
	const cutBy = async (everyone, args) => {
		const tunnels = await Promise.all(everyone.map(tunnel));
		const watches = await Promise.all(everyone.map(watching));
		const requests = await Promise.all(everyone.map((who) => underWay(world, prod, who)));
		const kept = await watching(victor);
		const waits = await underWay(world, prod, victor);
		await run(['lock', ...args]);
		const started = Date.now();
		await Promise.all([...tunnels.map(({ ended }) => ended), ...requests.map(({ ended }) => ended()), ...watches.map(({ closed }) => closed)]);
		assert.ok(Date.now() - started < 5000, `${args[0]}: everything ends within five seconds, in both instances`);
		assert.ok(!kept.watch.closed && waits.isOpen(), `${args[0]}: victor's goes on`);
		kept.watch.close();
		waits.end();
		for (const { end } of [...watches, kept]) end();
	};

	// What the file could not hold is refused: a lock that is said to be made is in force.
	const script = `exec "$0" lock user alice --config "$1" --message "$(printf 'g\\374te')"`;
	const latin = await runProgram('sh', ['-c', script, binary('kubeproxyd'), world.path('eksgate.yaml')], { env: world.environment(world.proxyUser) });
	assert.equal(latin.code, 2, latin.stdout + latin.stderr);
	assert.match(latin.stderr, /--message .*UTF-8/);

	await cutBy([alice, there], ['user', 'alice', '--message', 'lost laptop', '--ttl', '1h']);
	for (const who of [alice, there]) {
		const answer = await who.request(pods);
		assert.equal(answer.status, 403);
		assert.match(answer.json.message, /locked for the user "alice" until .*: lost laptop/);
	}
	assert.equal((await victor.request(pods)).status, 200, 'nobody else is locked');
	assert.match((await alice.kubectl(nameOf(prod), ['get', 'pods'])).stderr, /lost laptop/);
	const [listed] = JSON.parse((await run(['locks', '--format', 'json'])).stdout);
	assert.deepEqual([listed.kind, listed.name, listed.message], ['user', 'alice', 'lost laptop']);

	const admitted = (who, status, name) =>
		until(name, async () => (await who.request(pods)).status === status, { timeoutMs: 5000 });
	await run(['unlock', 'user', 'alice']);
	await run(['unlock', 'user', 'alice'], 1);
	await admitted(alice, 200, 'unlocked');
	await admitted(there, 200, 'unlocked there');
	const serial = new X509Certificate(alice.certificate).serialNumber;
	for (const [kind, name] of [
		['group', 'engineering'],
		['role', 'developer'],
		['certificate', serial.toLowerCase().replace(/(..)(?=.)/g, '$1:')],
	]) {
		await cutBy([alice, there], [kind, name]);
		for (const who of [alice, there]) assert.equal((await who.request(pods)).status, 403, `locked by ${kind}`);
		assert.equal((await victor.request(pods)).status, 200, `${kind}: victor is not locked`);
		if (kind === 'certificate') assert.equal((await other.request(pods)).status, 200, 'another certificate');
		await run(['unlock', kind, name]);
		await admitted(alice, 200, `unlocked by ${kind}`);
		await admitted(there, 200, `unlocked by ${kind} there`);
	}

	await run(['lock', 'user', 'alice']);
	await admitted(alice, 403, 'locked again');
	const good = readFileSync(world.path('locks.json'), 'utf8');
	writeFileSync(world.path('locks.json'), good.replace('"user"', '"usre"'));
	await kubeproxyd.waitFor(/room=locks event=not-read [^\n]*usre/);
	assert.equal((await alice.request(pods)).status, 403, 'a broken file keeps the locks');
	await until('the refusal is in the audit log', async () => /access is locked/.test((await run(['audit', '--denied', '--user', 'alice'])).stdout));
	await run(['check'], 1);
	await run(['lock', 'user', 'x'], 1);
	await run(['lock', 'cluster', 'x'], 2);
	writeFileSync(world.path('locks.json'), good);
});
