// Many clients that read nothing of what they asked for: all they leave takes a bounded amount of memory, the ones that have
// waited longest are cut with a reason, and who reads is served whole.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { CLUSTERS, nameOf, person, scenario, startBoth, until } from './harness.mjs';

const MIB = 1024 * 1024;
const LIMIT = 4 * MIB;
const CONNECTION = 32 * 1024; // that one may hold whatever the limit says
const residentKiB = (pid) => Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))[1]);

scenario('slow readers', async (world) => {
	// The sanitizer keeps what was freed; here memory is what is measured.
	world.asanOptions = 'quarantine_size_mb=1:thread_local_quarantine_size_kb=64';
	world.config.eksgate.proxy.limits = { answers_in_hand: `${LIMIT / MIB}MiB` };
	world.writeConfig();
	const { kubeproxyd } = await startBoth(world);
	const [prod] = CLUSTERS;
	const alice = await person(world, kubeproxyd, 'alice', ['engineering']);
	await world.api(prod)('POST', '/fill', { count: 5000, namespace: 'team-a' });
	const path = `/clusters/${nameOf(prod)}/api/v1/namespaces/team-a/pods`;
	const whole = (await alice.request(path)).text.length;
	const count = process.env.EKSGATE_LONG ? 80 : 40;
	assert.ok(whole * count > 16 * LIMIT, `together they are much more than the limit: ${count} times ${whole}`);
	const number = async (pattern) => Number(pattern.exec(await kubeproxyd.call('/metrics'))?.[1] ?? 0);
	const before = residentKiB(kubeproxyd.pid);

	const slow = Array.from({ length: count }, () => {
		const socket = alice.connect();
		socket.on('error', () => {});
		socket.on('secureConnect', () => socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`));
		socket.pause();
		return socket;
	});
	// And as many on one HTTP/2 connection, whose streams take nothing.
	const h2 = alice.h2({ settings: { initialWindowSize: 0 } });
	const closed = [];
	for (let i = 0; i < count; i++) {
		const stream = h2.request({ ':path': path });
		stream.on('error', () => {});
		stream.on('close', () => closed.push(i));
	}

	let highest = 0;
	// The simulator writes hundreds of megabytes for that. Nobody is cut once the rest fits the limit: of 40 streams 37 or, on a
	// busy machine, 17 are, of 80 77 or 37, by whether both connections to the API server bring answers when it becomes tight.
	const least = count / 3;
	await until(`more than ${least} were cut, the slowest`, async () => {
		highest = Math.max(highest, await number(/^eksgate_proxy_answer_bytes_held (\d+)/m));
		const seen = await number(/^eksgate_proxy_refused_total\{reason="answers_in_hand"\} (\d+)/m);
		return (await number(/^eksgate_proxy_requests_total\{[^}]*code="200"\} (\d+)/m)) > count && seen > least;
	}, { timeoutMs: 60000 });
	const bound = LIMIT + (count + 1) * CONNECTION;
	assert.ok(highest > 0 && highest <= bound, `${highest} bytes were held, ${bound} may be`);
	await until('what is left fits', async () => (await number(/^eksgate_proxy_answer_bytes_held (\d+)/m)) <= LIMIT);
	await kubeproxyd.log('access', 'request', /reason="[^"]*read too slowly[^"]*answers_in_hand/);
	const grown = residentKiB(kubeproxyd.pid) - before;
	assert.ok(grown * 1024 < 4 * LIMIT + (count + 1) * 2 * CONNECTION, `${grown} KiB more`);
	assert.equal((await alice.request(path)).text.length, whole, 'who reads gets all of it');

	slow.forEach((socket) => socket.destroy());
	h2.destroy();
	await until('nothing is held any more', async () => (await number(/^eksgate_proxy_answer_bytes_held (\d+)/m)) === 0);
});
