// A cluster that is not there, or that this user may not see, is a 404 that says where to look; nothing leaks.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { request } from 'node:https';
import { CLUSTERS, MATCHED, nameOf, person, scenario, startBoth, until } from './harness.mjs';

const SUFFIX = 'k.example.test';

scenario('an unknown cluster', async (world) => {
	const { kubeproxyd } = await startBoth(world);
	const alice = await person(world, kubeproxyd, 'alice', ['engineering']);
	const answer = await alice.request('/clusters/nowhere/api/v1/pods');
	assert.deepEqual([answer.status, answer.json.kind, answer.json.reason], [404, 'Status', 'NotFound']);
	assert.match(answer.json.message, /nowhere/);
	assert.match((await alice.kubectl('nowhere', ['get', '--raw', '/api/v1/pods'])).stderr, /nowhere/);
	for (const path of [
		'/clusters/',
		'/clusters',
		'/other',
		'/',
		`/clusters//${MATCHED[0]}/api`,
		`/cluster/${MATCHED[0]}/api`,
	]) {
		const other = await alice.request(path);
		assert.ok([400, 404].includes(other.status), `${path}: ${other.status}`);
		assert.equal(other.json.kind, 'Status', path);
	}
});

// Whatever is asked, by path or by server name: only the name, as it was sent, and the Audit-ID differ. The log has the truth.
scenario('a cluster that may not be seen', async (world) => {
	world.config.eksgate.proxy.sni_suffix = SUFFIX;
	world.writeConfig();
	const { kubeproxyd } = await startBoth(world);
	const [prod, , , , staging] = CLUSTERS;
	const hidden = nameOf(staging);
	const victor = await person(world, kubeproxyd, 'victor');
	const mallory = await person(world, kubeproxyd, 'mallory', ['nobodies']);
	const bySni = (who, alias, path, host = `${alias}.${SUFFIX}`) =>
		new Promise((resolve, reject) => {
			const { certificate: cert, key } = who;
			const to = { host: '127.0.0.1', port: kubeproxyd.port, servername: `${alias}.${SUFFIX}`, rejectUnauthorized: false };
			request({ ...to, cert, key, path, headers: { host } }, async (answer) => {
				let text = '';
				for await (const part of answer) text += part;
				resolve({ status: answer.statusCode, headers: answer.headers, text });
			})
				.on('error', reject)
				.end();
		});
	const plain = ({ status, headers, text }, name) => {
		const { date, 'audit-id': id, ...rest } = headers;
		return JSON.parse(JSON.stringify({ status, rest, text }).replaceAll(name, 'NAME'), (key, value) => (key === 'content-length' ? undefined : value));
	};
	const paths = ['/api', '/api/v1/namespaces/default/pods', '/api/v1/namespaces//pods', '/api/v1/%2e%2e/x', '/apis', '/', '/v1/clusters'];
	const fields = [{}, { 'impersonate-user': 'system:admin' }, { 'impersonate-uid': '1' }, { x_remote_user: 'x' }, { origin: 'https://evil' }];
	for (const who of [victor, mallory]) {
		for (const path of paths) {
			for (const headers of path === '/api' ? fields : [{}]) {
				const [seen, none] = [hidden, 'nowhere'].map((name) => who.request(`/clusters/${name}${path}`, { headers }));
				assert.deepEqual(plain(await seen, hidden), plain(await none, 'nowhere'), `${path} ${JSON.stringify(headers)}`);
				assert.equal((await seen).status, who === victor ? 404 : 403);
			}
			for (const host of [undefined, `other.${SUFFIX}`])
				assert.deepEqual(plain(await bySni(who, hidden, path, host), hidden), plain(await bySni(who, 'nowhere', path, host), 'nowhere'), path);
		}
	}
	const told = await victor.kubectl(hidden, ['get', 'pods']);
	assert.match(told.stderr, /Warning: no cluster is called "[^"]+" here, or none of the roles of user "victor" \(viewer\)/);
	assert.match((await mallory.kubectl(hidden, ['get', 'pods'])).stderr, /Warning: no role is bound to user "mallory" or to one of these groups: nobodies, so/);
	assert.equal((await victor.request(`/clusters/${nameOf(prod)}/api/v1/namespaces//pods`)).status, 400, 'of what may be seen all is told');
	const events = await until('the events', () => {
		const lines = readFileSync(world.path('audit', 'main.jsonl'), 'utf8').split('\n').filter(Boolean).map((line) => JSON.parse(line));
		const of = (name) => lines.filter((event) => event.user.username === 'victor' && event.requestURI === '/api' && JSON.stringify(event).includes(name));
		return of(hidden).length && of('nowhere').length ? [of(hidden)[0], of('nowhere')[0]] : null;
	});
	assert.match(JSON.stringify(events[0]), /none of the roles of this user \(viewer\) has kubernetes_labels that match/);
	assert.match(JSON.stringify(events[1]), /no cluster is called \\"nowhere\\" here;/);
	assert.equal((await world.received(staging)).length, 0);
});
