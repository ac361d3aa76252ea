// Lists in protobuf that are longer than what is held in memory: they come when the API server has said all, however slowly it does, to
// a client however slow, and with the length of what they hold; what lies on disk meanwhile has no name and is gone when it is
// not needed any more. An API server that breaks, a list that is too long and a disk that is full are told, and
// nothing is cut; a disk that hangs holds up nobody else.
import assert from 'node:assert/strict';
import { readdirSync, readlinkSync, writeFileSync } from 'node:fs';
import { Agent } from 'node:https';
import { readList } from '../clients/protobuf.mjs';
import { ended, person, scenario, startDiscoveryd, startKubeproxyd, until } from './harness.mjs';
import { Faults } from './faults.mjs';
import { EVEN, NAME, PROD } from './filtered.mjs';

const PROTOBUF = 'application/vnd.kubernetes.protobuf';
const PATH = `/clusters/${NAME}/api/v1/namespaces/bulk/configmaps`;
const BYTES = 10000;
const COUNT = 400; // 4 MB, of which 2 are shown
const SHOWN = (COUNT / 2) * BYTES;
const SHORT = '1s';
const PAUSE_MS = 20; // before each of 58 pieces: together longer than any time-out

// The files that the proxy has open and that have no name.
function spools({ pid }) {
	const links = readdirSync(`/proc/${pid}/fd`).map((fd) => {
		try {
			return readlinkSync(`/proc/${pid}/fd/${fd}`);
		} catch {
			return ''; // closed meanwhile
		}
	});
	return links.filter((link) => /\/cache\/.*\(deleted\)$/.test(link));
}

async function count(kubeproxyd, reason) {
	const metrics = await kubeproxyd.call('/metrics');
	return Number(new RegExp(`^eksgate_proxy_refused_total\\{reason="${reason}"\\} (\\d+)`, 'm').exec(metrics)?.[1] ?? 0);
}

async function start(world) {
	writeFileSync(world.path('roles.d', 'even.yaml'), EVEN);
	world.config.eksgate.proxy.limits = {
		filtered_list: `${Math.ceil(SHOWN / 1024 / 1024)}MiB`,
		filtered_lists: '3MiB',
		response_timeout: SHORT,
		idle_timeout: SHORT,
		header_timeout: SHORT,
	};
	world.writeConfig();
	const faults = new Faults(world);
	await startDiscoveryd(world);
	const kubeproxyd = await startKubeproxyd(world, 'main', faults.below);
	await kubeproxyd.untilServed([NAME], { timeoutMs: 20000 });
	const eve = await person(world, kubeproxyd, 'eve');
	const bulk = (list = {}) => world.api(PROD)('POST', '/bulk', { namespace: 'bulk', count: COUNT, bytes: BYTES, ...list });
	const headers = { accept: PROTOBUF };
	return {
		kubeproxyd,
		faults,
		bulk,
		eve,
		open: (session) => eve.open(session, PATH, { headers }),
		ask: (session) => eve.ask(session, PATH, { headers }),
	};
}

async function read(stream) {
	const parts = [];
	stream.on('data', (part) => parts.push(part));
	assert.equal(await ended(stream), 0, 'it was cut');
	return Buffer.concat(parts);
}

function check(data) {
	const list = readList(data);
	assert.equal(list.items.length, COUNT / 2);
	assert.equal(list.others, 0);
	assert.ok(data.length > SHOWN && data.length < SHOWN + COUNT * 100, `${data.length} bytes`);
}

// Over HTTP/1, twice on a connection.
async function checkH1({ bulk, eve }) {
	const agent = new Agent({ keepAlive: true, maxSockets: 1 });
	for (const pauseMs of [4 * PAUSE_MS, 0]) {
		await bulk({ count: COUNT / 4, pauseMs });
		const answer = await eve.request(PATH, { headers: { accept: PROTOBUF }, agent });
		assert.equal(answer.status, 200);
		assert.equal(answer.headers['transfer-encoding'], 'chunked');
		const names = answer.text.match(/bulk-\d+/g);
		assert.equal(names.length, COUNT / 8);
		assert.ok(names.every((name) => /[02468]$/.test(name)));
	}
	agent.destroy();
}

async function checkSlowServer({ kubeproxyd, bulk, open }, session) {
	await bulk({ pauseMs: PAUSE_MS });
	const asked = open(session);
	await until('it lies on disk', () => spools(kubeproxyd).length === 1);
	assert.deepEqual(readdirSync(kubeproxyd.world.path('cache')).filter((name) => !name.endsWith('.cache')), []);
	const stream = await asked;
	assert.equal(stream.status, 200);
	check(await read(stream));
	await until('the file is gone', () => spools(kubeproxyd).length === 0);
}

async function checkSlowClient({ kubeproxyd, bulk, open }, session) {
	await bulk();
	const stream = await open(session);
	await until('its file alone is there', () => spools(kubeproxyd).length === 1);
	// Who reads gets the room of who does not.
	check(await read(await open(session)));
	assert.equal(await count(kubeproxyd, 'filtered_lists'), 1);
	await assert.rejects(read(stream), /cut/);
	// Whoever leaves takes the file along.
	const other = await open(session);
	await until('its file alone is there', () => spools(kubeproxyd).length === 1);
	other.on('error', () => {});
	other.close();
	await until('the file is gone', () => spools(kubeproxyd).length === 0);
}

async function checkRefusals({ kubeproxyd, faults, bulk, ask, eve }, session) {
	await bulk({ piecesMax: 20 });
	const cut = await ask(session);
	assert.equal(cut.status, 502);
	assert.match(cut.json.message, /in the middle of the answer/);
	await bulk({ count: 2 * COUNT });
	const long = await ask(session);
	assert.equal(long.status, 507);
	assert.match(long.json.message, /eksgate\.proxy\.limits\.filtered_list\)/);
	await bulk();
	faults.order('fail pwrite ENOSPC (deleted)');
	const full = await ask(session);
	assert.equal(full.status, 507);
	assert.match(full.json.message, /eksgate\.proxy\.cache_dir.*No space left on device/);
	await kubeproxyd.log('exchange', 'list-not-held', /No space left/);
	const json = await eve.ask(session, PATH, { headers: { accept: 'application/json' } });
	assert.equal(json.json.items.length, COUNT / 2, 'which needs no disk');
	faults.order();
	assert.equal((await ask(session)).status, 200);
	await until('no file is left', () => spools(kubeproxyd).length === 0);
	for (const reason of ['filtered_list', 'cache_dir']) assert.equal(await count(kubeproxyd, reason), 1, reason);
}

// A disk that hangs holds up the list that needs it, and nothing else.
async function checkHang({ kubeproxyd, faults, bulk, open, eve }, session) {
	await bulk();
	for (const call of ['pwrite', 'pread']) {
		faults.order(`stall ${call} (deleted)`);
		const asked = open(session);
		await faults.untilStruck(new RegExp(`stall ${call} .*deleted`));
		const json = await eve.ask(session, PATH, { headers: { accept: 'application/json' } });
		assert.equal(json.json.items.length, COUNT / 2, call);
		assert.equal((await kubeproxyd.call('/metrics')).length > 0, true);
		faults.order();
		const stream = await asked;
		assert.equal(stream.status, 200);
		check(await read(stream));
	}
}

// It stops when what is under way is done.
async function checkStop({ kubeproxyd, bulk, open }, session) {
	await bulk({ pauseMs: PAUSE_MS / 2 });
	const asked = open(session);
	await until('it lies on disk', () => spools(kubeproxyd).length === 1);
	const stopped = kubeproxyd.stop();
	check(await read(await asked));
	await stopped;
}

scenario('long protobuf lists', { clusters: [PROD] }, async (world) => {
	const stage = await start(world);
	for (const step of [checkSlowServer, checkH1, checkSlowClient, checkRefusals, checkHang, checkStop]) {
		const session = stage.eve.h2();
		await step(stage, session);
		session.destroy();
	}
});
