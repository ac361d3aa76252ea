// An upgrade that the API server does not answer with the right 101 never becomes a tunnel: another answer is relayed as such,
// a redirect and nonsense are not.
import assert from 'node:assert/strict';
import { CLUSTERS, nameOf, person, scenario, startBoth } from './harness.mjs';

const path = `/clusters/${nameOf(CLUSTERS[0])}/api/v1/namespaces/default/pods/web-1/exec?command=true&stdout=true`;
const upgrade = (extra = '') =>
	`GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n` +
	`Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: v5.channel.k8s.io\r\n${extra}\r\n`;
// What an attacker would send behind a failed upgrade: a request of its own on the API server's connection.
const smuggled = 'GET /api/v1/secrets HTTP/1.1\r\nHost: x\r\n\r\n';

scenario('a failed upgrade', async (world) => {
	const { kubeproxyd } = await startBoth(world);
	const alice = await person(world, kubeproxyd, 'alice', ['engineering']);
	const api = world.api(CLUSTERS[0]);
	assert.equal((await alice.raw(upgrade())).status, 101);

	await api('POST', '/faults', { kind: 'unauthorized', path: '/exec' });
	assert.notEqual((await alice.raw(upgrade() + smuggled)).status, 101);
	await api('DELETE', '/faults');
	await api('POST', '/faults', { kind: 'no-upgrade', path: '/exec', times: 1 });
	const plain = await alice.raw(upgrade() + smuggled);
	assert.deepEqual([plain.status, plain.isClosed], [200, true], 'an answer is an answer');
	assert.match(plain.text, /\r\n\r\nnope$/);
	for (const text of [
		'HTTP/1.1 302 Found\r\nLocation: https://evil.example/\r\nContent-Length: 0\r\n\r\n',
		'HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno',
		'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: other\r\n\r\n',
		'nonsense\r\n\r\n',
	]) {
		await api('POST', '/faults', { kind: 'no-upgrade', path: '/exec', text, times: 1 });
		const answer = await alice.raw(upgrade() + smuggled);
		assert.ok(answer.status >= 400 && answer.status < 600, `${text}: ${answer.text}`);
	}
	const targets = (await world.received(CLUSTERS[0])).map((entry) => entry.target);
	assert.ok(!targets.includes('/api/v1/secrets'), 'nothing was smuggled behind an upgrade');
});
