// Both daemons reload, several times, while execs are open: none of them notices. With EKSGATE_LONG 200 of them.
import assert from 'node:assert/strict';
import WebSocket from 'ws';
import { CLUSTERS, nameOf, person, scenario, startBoth, until } from './harness.mjs';

const EXECS = process.env.EKSGATE_LONG ? 200 : 20;
const RELOADS = 3;
const STDIN = 0;
const STDOUT = 1;

class Exec {
	constructor(alice, path) {
		const { ca, certificate: cert, key } = alice;
		this.text = '';
		this.socket = new WebSocket(`wss://127.0.0.1:${alice.proxy.port}${path}`, ['v5.channel.k8s.io'], { ca, cert, key });
		this.socket.on('message', (data) => {
			if (data[0] === STDOUT) this.text += data.subarray(1).toString();
		});
		this.socket.on('close', () => {
			this.isClosed = true;
		});
		this.opened = new Promise((resolve, reject) => this.socket.once('open', resolve).once('error', reject));
	}

	async echo(line) {
		this.socket.send(Buffer.from([STDIN, ...Buffer.from(`${line}\n`)]));
		await until(`the echo of ${line}`, async () => {
			if (this.isClosed) throw new Error('the exec was cut');
			return this.text.includes(`${line}\n`);
		});
	}
}

scenario('reloads while execs are open', async (world) => {
	const { discoveryd, kubeproxyd } = await startBoth(world);
	const alice = await person(world, kubeproxyd, 'alice', ['engineering']);
	const path = `/clusters/${nameOf(CLUSTERS[0])}/api/v1/namespaces/default/pods/web-1/exec?command=cat&stdin=true&stdout=true`;
	const execs = [];
	while (execs.length < EXECS) {
		const some = Array.from({ length: 10 }, () => new Exec(alice, path));
		await Promise.all(some.map((exec) => exec.opened));
		execs.push(...some);
	}
	await Promise.all(execs.map((exec, i) => exec.echo(`first ${i}`)));
	for (let round = 0; round < RELOADS; round++) {
		const before = [discoveryd.reload(), kubeproxyd.reload()];
		await discoveryd.log('settings', 'reloaded', /.*/, { from: before[0] });
		await kubeproxyd.log('main', 'reloaded', /.*/, { from: before[1] });
		await discoveryd.untilSwept();
		await Promise.all(execs.map((exec, i) => exec.echo(`round ${round} ${i}`)));
	}
	assert.ok(execs.every((exec) => !exec.isClosed));
	assert.equal((await kubeproxyd.status()).exchanges, EXECS);
	execs.forEach((exec) => exec.socket.terminate());
	await until('nothing is left', async () => (await kubeproxyd.status()).exchanges === 0);
});
