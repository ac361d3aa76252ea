// Applications behind pods/proxy and services/proxy: pages, posted bodies, cookies, redirects, trailers, streams and
// WebSockets cross, and what one application says cannot speak for the whole host.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { request } from 'node:https';
import WebSocket from 'ws';
import { CLUSTERS, ended, nameOf, person, scenario, startBoth, until } from './harness.mjs';

const [prod] = CLUSTERS;
const SERVICE = `/clusters/${nameOf(prod)}/api/v1/namespaces/default/services/http:web:80/proxy`;
const POD = `/clusters/${nameOf(prod)}/api/v1/namespaces/default/pods/web-1:8080/proxy`;

async function checkPages(alice, base) {
	const page = await alice.request(`${base}/`);
	assert.deepEqual([page.status, page.text], [200, 'hello from the application\n']);
	assert.deepEqual(page.headers['set-cookie'], [
		`session=secret; HttpOnly; Path=${base}`,
		`theme=dark; Path=${base}`,
	]);
	assert.equal(page.headers['content-security-policy'], 'sandbox');
	assert.equal(page.headers['x-content-type-options'], 'nosniff');
	const sent = await alice.request(`${base}/headers`, { headers: { cookie: 'session=secret', 'x-own': 'kept' } });
	assert.equal(sent.json['x-own'], 'kept');
	assert.equal(sent.json.cookie, 'session=secret');
	assert.equal(sent.json.authorization, undefined, 'no credential reaches an application');
	const opaque = await alice.request(`${base}/a//b%2Fc?x=%00`);
	assert.deepEqual(
		[opaque.status, opaque.text],
		[404, 'no page /a//b%2Fc\n'],
		'the path behind proxy/ is not ours to judge',
	);
	const echoed = await alice.request(`${base}/echo`, { method: 'POST', body: 'posted '.repeat(50000) });
	assert.equal(echoed.text, 'posted '.repeat(50000));
}

async function checkRedirects(alice, base) {
	const to = async (target) => alice.request(`${base}/redirect?to=${encodeURIComponent(target)}`);
	const near = await to('/there?x=1');
	assert.deepEqual([near.status, near.headers.location], [302, `${base}/there?x=1`]);
	const far = await to('https://elsewhere.example/');
	assert.equal(far.headers.location, undefined);
	assert.ok(far.status >= 500, `a redirect to another host is refused: ${far.status}`);
	assert.equal(far.json.kind, 'Status');
}

function trailersOverH1(alice, path) {
	return new Promise((resolve, reject) => {
		const { ca, certificate: cert, key } = alice;
		const options = { host: '127.0.0.1', port: alice.proxy.port, path, ca, cert, key, agent: false };
		const call = request({ ...options, ALPNProtocols: ['http/1.1'] }, (response) => {
			let text = '';
			response.setEncoding('utf8').on('data', (part) => {
				text += part;
			});
			response.on('end', () => resolve({ text, trailers: response.trailers }));
		});
		call.on('error', reject);
		call.end();
	});
}

async function trailersOverH2(alice, path) {
	const session = alice.h2();
	const stream = await alice.open(session, path);
	let trailers = {};
	let text = '';
	stream.on('trailers', (fields) => {
		trailers = fields;
	});
	stream.setEncoding('utf8').on('data', (part) => {
		text += part;
	});
	assert.equal(await ended(stream), 0);
	session.close();
	return { text, trailers };
}

async function checkTrailers(alice, base) {
	for (const ask of [trailersOverH1, trailersOverH2]) {
		const { text, trailers } = await ask(alice, `${base}/trailers`);
		assert.equal(trailers['x-checksum'], createHash('sha256').update(text).digest('hex'), ask.name);
	}
}

async function checkEvents(alice, base) {
	const session = alice.h2();
	const stream = await alice.open(session, `${base}/events`);
	let text = '';
	stream.setEncoding('utf8').on('data', (part) => {
		text += part;
	});
	await until('events come one by one', () => text.includes('data: 3\n'));
	session.destroy();
}

async function checkWebSocket(alice, base) {
	const { ca, certificate: cert, key } = alice;
	const socket = new WebSocket(`wss://127.0.0.1:${alice.proxy.port}${base}/live`, { ca, cert, key });
	const messages = [];
	socket.on('message', (data) => messages.push(data.toString()));
	await new Promise((resolve, reject) => {
		socket.once('open', resolve);
		socket.once('error', reject);
	});
	socket.send('are you there?');
	await until('an answer', () => messages.length === 2);
	assert.deepEqual(messages, ['welcome', 'are you there?']);
	socket.close();
}

scenario('proxied applications', async (world) => {
	const { kubeproxyd } = await startBoth(world);
	const alice = await person(world, kubeproxyd, 'alice', ['engineering']);
	for (const base of [SERVICE, POD]) {
		await checkPages(alice, base);
		await checkRedirects(alice, base);
		await checkTrailers(alice, base);
		await checkEvents(alice, base);
		await checkWebSocket(alice, base);
	}
	const foreign = await alice.request(`${SERVICE}/`, { headers: { origin: 'https://evil.example' } });
	assert.equal(foreign.status, 403, 'a page of another origin may not ask');
	const victor = await person(world, kubeproxyd, 'victor');
	assert.equal((await victor.request(`${SERVICE}/`)).status, 403);
	await until('no tunnel is left', async () => (await kubeproxyd.status()).exchanges === 0);
});
