// The API server is killed in mid-watch and in mid-exec: every client sees a cut, never a clean end, nothing is left behind, and
// the next request is served as soon as it is back.
import assert from 'node:assert/strict';
import { request } from 'node:https';
import { CLUSTERS, ended, nameOf, person, scenario, startBoth, until } from './harness.mjs';

// {text, end: "cut" or "ended"} of a watch over HTTP/1.1; `text` grows.
function watchOverH1(alice, path) {
	const { ca, certificate: cert, key } = alice;
	const watch = { text: '' };
	watch.end = new Promise((resolve) => {
		const call = request({ host: '127.0.0.1', port: alice.proxy.port, path, ca, cert, key, agent: false }, (answer) => {
			answer.setEncoding('utf8').on('data', (part) => {
				watch.text += part;
			});
			answer.on('end', () => resolve('ended')).on('error', () => resolve('cut'));
		});
		call.on('error', () => resolve('cut')).end();
	});
	return watch;
}

scenario('the API server is killed', async (world) => {
	const { kubeproxyd } = await startBoth(world);
	const name = nameOf(CLUSTERS[0]);
	const alice = await person(world, kubeproxyd, 'alice', ['engineering']);
	const base = `/clusters/${name}/api/v1/namespaces/default`;
	const api = world.api(CLUSTERS[0]);
	const session = alice.h2();
	for (let round = 0; round < 2; round++) {
		const byH1 = watchOverH1(alice, `${base}/configmaps?watch=true`);
		const byH2 = await alice.open(session, `${base}/configmaps?watch=true`);
		let text = '';
		byH2.setEncoding('utf8').on('data', (part) => (text += part)).on('error', () => {});
		const exec = alice.startKubectl(name, ['exec', 'web-1', '--', 'sh', '-c', 'echo here; sleep 60']);
		await exec.waitFor(/here/, { stream: 'stdout' });
		await api('POST', '/objects', { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: `seen-${round}`, namespace: 'default' } });
		await until('both watch', async () => byH1.text.includes(`seen-${round}`) && text.includes(`seen-${round}`));

		const end = ended(byH2);
		await api('POST', '/stop');
		assert.notEqual(await end, 0, 'HTTP/2');
		assert.equal(await byH1.end, 'cut', 'HTTP/1.1');
		assert.notEqual((await exec.ended).code, 0, 'exec');
		await until('nothing is left', async () => (await kubeproxyd.status()).exchanges === 0);
		const down = await alice.ask(session, `${base}/pods`);
		assert.deepEqual([down.status, down.json.kind], [502, 'Status']);
		await api('POST', '/start');
		assert.equal((await alice.ask(session, `${base}/pods`)).status, 200, 'at once when it is back');
	}
	session.destroy();
});
