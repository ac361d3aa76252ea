// Peers of other versions on the bus: a subscriber and a publisher of minor version 0, the one before this, and of one that
// nobody has written yet, each against the daemon as it is. What they send and get fits their version; nothing is lost.
import assert from 'node:assert/strict';
import { MATCHED, OWN, scenario, startDiscoveryd, startKubeproxyd, until } from './harness.mjs';
import { decode, digestOf, encode, OPTIONAL, TYPES } from '../clients/bus.mjs';
import { connectDealer, listenRouter } from '../clients/zmtp.mjs';

const GROUP = 'test';
const HELLO_MAX_1_0 = 1024;
const known = new Set(Object.values(TYPES));

// A subscriber by the book: keeps the table and checks every digest.
class Subscriber {
	constructor(connection, { minor, major = 1, extra = {} }) {
		Object.assign(this, { connection, minor, major, extra, table: new Map(), received: 0, types: [], rejects: [] });
		this.sequence = this.epoch = 0n;
		connection.on('message', (parts) => this.take(decode(parts)));
	}

	send(type, body) {
		const { major, minor, epoch, sequence, instance } = this;
		this.connection.send(encode({ major, minor, type, group: GROUP, epoch, instance, sequence, body }));
	}

	hello() {
		const body = { session: 1, role: 'proxy', instance: 'other', pid: 1, credit: 8, ...this.extra };
		this.send(TYPES.HELLO, body);
	}

	take(message) {
		const { type, body } = message;
		this.types.push(type);
		if (type === TYPES.REJECT) this.rejects.push(body.code);
		if (type === TYPES.WELCOME) Object.assign(this, { epoch: message.epoch, instance: message.instance });
		if (type === TYPES.SNAPSHOT_BEGIN) this.table.clear();
		if (type >= TYPES.SNAPSHOT_BEGIN && type <= TYPES.DELTA) this.received++;
		if (type === TYPES.DELTA) assert.equal(message.base, this.sequence);
		for (const item of body.items ?? []) {
			if (item.resource === undefined) this.table.delete(item.name);
			else this.table.set(item.name, item);
		}
		if (type === TYPES.SNAPSHOT_END || type === TYPES.DELTA) {
			this.sequence = message.sequence;
			assert.deepEqual(digestOf(this.table.values()), message.digest);
			this.send(TYPES.ACK, { session: 1, received: this.received, ...this.extra });
		}
	}

	untilNames(names) {
		const wanted = JSON.stringify([...names].sort());
		return until(`a subscriber of version ${this.major}.${this.minor} has ${wanted}`, async () =>
			JSON.stringify([...this.table.keys()].sort()) === wanted);
	}
}

// A publisher by the book, of one table that does not change until delta().
function publisher(path, { minor, extra = {} }, items) {
	const state = { epoch: BigInt(Date.now()) + 1000n, items, types: [], sent: 0n, hellos: [], peers: new Set() };
	const sequence = () => BigInt(Math.max(...state.items.map(({ revision }) => revision)));
	const send = (peer, type, fields = {}, body = {}) =>
		peer.send(
			encode({
				minor,
				type,
				group: GROUP,
				epoch: state.epoch,
				instance: 7n,
				sequence: sequence(),
				count: state.items.length,
				digest: digestOf(state.items),
				...fields,
				body: { ...body, ...extra },
			}),
		);
	const snapshot = (peer) => {
		send(peer, TYPES.SNAPSHOT_BEGIN);
		send(peer, TYPES.SNAPSHOT_CHUNK, {}, { items: state.items });
		send(peer, TYPES.SNAPSHOT_END);
		state.sent = sequence();
	};
	const onMessage = (peer, parts) => {
		const message = decode(parts);
		state.types.push(message.type);
		if (message.type !== TYPES.HELLO) return;
		state.hellos.push(message);
		if (minor > 1) send(peer, OPTIONAL | 40, {}, { news: 'from the future' });
		send(peer, TYPES.WELCOME, {}, { session: message.body.session, heartbeat_ms: 250 });
		snapshot(peer);
	};
	const delta = (item) => {
		const base = sequence();
		state.items = [...state.items.filter(({ name }) => name !== item.name), item].sort((a, b) => (a.name < b.name ? -1 : 1));
		for (const peer of state.peers) send(peer, TYPES.DELTA, { base, count: 1 }, { items: [item] });
		state.sent = sequence();
	};
	const timer = setInterval(() => {
		for (const peer of state.peers) send(peer, TYPES.HEARTBEAT, { base: state.sent }, { clock_offset_ms: 0 });
	}, 100);
	return listenRouter(path, (peer) => {
		state.peers.add(peer);
		peer.on('message', (parts) => onMessage(peer, parts));
		peer.on('close', () => state.peers.delete(peer));
	}).then((stop) => ({
		...state,
		state,
		delta,
		stop() {
			clearInterval(timer);
			stop();
		},
	}));
}

async function subscribers(world, discoveryd) {
	const path = world.config.eksgate.bus.socket;
	const connect = async (options) => new Subscriber(await connectDealer(path), options);
	const older = await connect({ minor: 0 });
	const newer = await connect({ minor: 9, extra: { tomorrow: { a: [1] } } });
	const major = await connect({ minor: 0, major: 2 });
	for (const one of [older, newer, major]) one.hello();
	await older.untilNames(MATCHED);
	await newer.untilNames(MATCHED);
	await until('the other major version is refused', async () => major.rejects[0] === 'message');

	// What it does not know is skipped when it may be, and refused when not.
	newer.send(OPTIONAL | 55, { news: 1 });
	const added = await world.addCluster({ account: OWN, region: 'eu-west-1', name: 'added', tags: { env: 'prod' } });
	for (const one of [older, newer]) await one.untilNames([...MATCHED, added]);
	assert.deepEqual([older.rejects, newer.rejects], [[], []]);
	assert.ok(older.types.every((type) => known.has(type) || type & OPTIONAL), 'nothing that 1.0 cannot read');
	newer.send(55, { news: 1 });
	await until('an unknown message', async () => newer.rejects[0] === 'message');
	const { subscribers: all } = await discoveryd.inventory();
	assert.ok(all.some(({ instance, applied }) => instance === 'other' && applied > 0));
	for (const one of [older, newer, major]) one.connection.close();
	return [...older.table.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

async function publishers(world, kubeproxyd, items) {
	const path = world.config.eksgate.bus.socket;
	const names = items.map(({ name }) => name);
	for (const options of [{ minor: 0 }, { minor: 9, extra: { tomorrow: { a: [1] } } }]) {
		const kept = items.slice(1);
		const other = await publisher(path, options, kept);
		await kubeproxyd.untilServed(names.slice(1));
		const revision = Math.max(...items.map((item) => item.revision)) + 1;
		const resource = JSON.parse(items[0].resource);
		resource.metadata.revision = revision;
		other.delta({ ...items[0], revision, resource: JSON.stringify(resource) });
		await kubeproxyd.untilServed(names);
		await kubeproxyd.untilState('fresh');
		assert.equal(other.state.hellos.length, 1, 'one HELLO was enough');
		if (options.minor === 0) {
			assert.ok(other.state.hellos[0].bodyLength <= HELLO_MAX_1_0);
			assert.ok(other.state.types.every((type) => known.has(type) || type & OPTIONAL));
		}
		other.stop();
	}
}

scenario('peers of other versions', async (world) => {
	const discoveryd = await startDiscoveryd(world);
	await discoveryd.untilNames(MATCHED);
	const items = await subscribers(world, discoveryd);
	const kubeproxyd = await startKubeproxyd(world);
	await kubeproxyd.untilServed(items.map(({ name }) => name));
	await discoveryd.stop();
	await publishers(world, kubeproxyd, items);
});
