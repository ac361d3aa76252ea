// What the proxy itself answers: who it is, to whoever asks; which clusters somebody may use; and a kubeconfig with which real
// kubectl works, for people with a certificate, an ID token or an AWS identity.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:tls';
import { kubectlPath } from '../clients/kubectl.mjs';
import { FRAME, frame, headers, RawH2 } from '../clients/raw_h2.mjs';
import { makeAwsToken } from '../sim/aws/token.mjs';
import { CLUSTERS, command, MATCHED, nameOf, OWN, person, run, scenario, startBoth } from './harness.mjs';
import { addIssuer, Bearer } from './tokens.mjs';

const ID = 'https://kube.example.com';
const [prod] = CLUSTERS;

scenario("the proxy's own answers", async (world) => {
	const issuer = await addIssuer(world, { settings: { scopes: ['email'] } });
	const dev = await world.aws('PUT', `/users/${OWN}/dev`, { permissions: [] });
	const mapping = { arn: dev.arn, user: 'dev', groups: ['engineering'] };
	world.config.eksgate.proxy.login.iam = { id: ID, accounts: [OWN], mappings: [mapping] };
	world.config.eksgate.test.verifier_sts_host = world.awsSimulator.ready.sts_host;
	world.writeConfig();
	const { kubeproxyd } = await startBoth(world);
	const alice = await person(world, kubeproxyd, 'alice', ['engineering']);
	const victor = await person(world, kubeproxyd, 'victor');
	const nobody = await person(world, kubeproxyd, 'nobody');
	const stranger = new Bearer(world, kubeproxyd, 'x');
	const names = async (who) => (await who.request('/v1/clusters')).json.clusters.map(({ name }) => name);

	// The fields that clients of Teleport read, of the types they read them as (its webclient.PingResponse).
	const address = `127.0.0.1:${kubeproxyd.port}`;
	for (const path of ['/webapi/find', '/webapi/ping', '/v1/webapi/find', '/v1/webapi/ping?x=1']) {
		const { status, headers, json } = await stranger.request(path, { headers: { authorization: '' } });
		assert.deepEqual([status, headers['content-type']], [200, 'application/json'], path);
		assert.deepEqual(json.proxy.kube, { enabled: true, public_addr: address, listen_addr: '127.0.0.1:0' });
		assert.deepEqual([json.proxy.tls_routing_enabled, json.proxy.ssh.enabled, json.cluster_name], [false, false, '127.0.0.1']);
		for (const version of [json.server_version, json.min_client_version]) assert.match(version, /^\d+\.\d+\.\d+$/);
	}
	assert.equal((await stranger.request('/webapi/else')).status, 401);
	assert.equal((await alice.request('/webapi/else')).status, 404);
	assert.equal((await stranger.request('/v1/clusters')).status, 401);
	assert.equal((await stranger.request('/v1/kubeconfig')).status, 401);
	assert.equal((await alice.request('/v1/else')).status, 404);
	assert.equal((await alice.request('/v1/clusters', { method: 'POST' })).status, 405);

	assert.deepEqual(await names(alice), MATCHED);
	const seen = await names(victor);
	assert.ok(seen.length > 0 && seen.length < MATCHED.length && seen.includes(nameOf(prod)), `${seen}`);
	assert.deepEqual(await names(nobody), []);
	assert.match((await nobody.request('/v1/kubeconfig')).json.message, /no role lets user "nobody"/);
	const scoped = new Bearer(world, kubeproxyd, issuer.token({ groups: ['engineering'], aud: `eksgate/clusters/${MATCHED[1]}` }));
	assert.deepEqual(await names(scoped), [MATCHED[1]]);
	const { labels } = (await alice.request('/v1/clusters')).json.clusters.find(({ name }) => name === nameOf(prod));
	assert.deepEqual([labels.env, labels.team], ['prod', 'web']);

	// Who takes it back in the very packet that asks for it is not answered; strangers were, by then. The record says which.
	const opening = [[':method', 'GET'], [':scheme', 'https'], [':authority', address], [':path', '/v1/clusters']];
	const find = [...opening.slice(0, 3), [':path', '/v1/webapi/find']];
	const token = [...opening, ['authorization', `Bearer ${issuer.token({ groups: ['engineering'] })}`]];
	for (const [who, asked, user] of [[{ cert: alice.certificate, key: alice.key }, opening, 'alice'], [{}, find, '-'], [{}, token, 'alice']]) {
		const hasty = await new RawH2({ port: kubeproxyd.port, rejectUnauthorized: false, ...who }).open();
		const from = kubeproxyd.stderr.length;
		hasty.send(headers(1, asked), frame(FRAME.RST_STREAM, 0, 1, Buffer.from([0, 0, 0, 8])), frame(FRAME.PING, 0, 0, Buffer.alloc(8)));
		const taken = new RegExp(`user=${user} .*status=(\\d+) .*bytes_out=(\\d+) .*reason="the client cancelled"`);
		const [, status, bytes] = await kubeproxyd.log('access', 'request', taken, { from });
		await hasty.until('the answer to PING or the end', () => hasty.isClosed || hasty.find(FRAME.PING, 0));
		const got = hasty.frames.filter((f) => f.type === FRAME.DATA && f.stream === 1).reduce((sum, f) => sum + f.payload.length, 0);
		assert.deepEqual([status, Number(bytes)], [got > 0 ? '200' : '0', got]);
		hasty.destroy();
	}

	// HTTP/1.1 knows no such thing: who ends their side may read on.
	const half = connect({ port: kubeproxyd.port, host: '127.0.0.1', rejectUnauthorized: false, ALPNProtocols: ['http/1.1'] });
	await once(half, 'secureConnect');
	const before = kubeproxyd.stderr.length;
	half.end(`GET /v1/webapi/find HTTP/1.1\r\nHost: ${address}\r\n\r\n`);
	assert.match(Buffer.concat(await half.toArray()).toString(), /^HTTP\/1.1 200 OK[^]*eksgate/);
	await kubeproxyd.log('access', 'request', /user=- .*status=200 .*bytes_out=[1-9]/, { from: before });

	// Stand-ins for the credential plugins: what the kubeconfig calls is what they were asked.
	const bin = world.path('bin');
	mkdirSync(bin);
	const plugin = (name, token) => {
		const status = { kind: 'ExecCredential', apiVersion: 'client.authentication.k8s.io/v1', status: { token } };
		writeFileSync(
			`${bin}/${name}`,
			`#!/bin/sh\necho "$*" >>${world.path(`${name}.calls`)}\ncat <<'E'\n${JSON.stringify(status)}\nE\n`,
		);
		chmodSync(`${bin}/${name}`, 0o755);
	};
	const idToken = issuer.token({ groups: ['engineering'] });
	const awsToken = makeAwsToken(dev, ID);
	plugin('kubectl', idToken);
	plugin('aws', awsToken);
	// As kubectl reads them.
	const contexts = async (text) => {
		writeFileSync(world.path('any.kubeconfig'), text);
		const { stdout } = await run(kubectlPath(), ['--kubeconfig', world.path('any.kubeconfig'), 'config', 'get-contexts', '-o', 'name']);
		return stdout.trim().split('\n').sort();
	};
	const called = (plugin) => readFileSync(world.path(`${plugin}.calls`), 'utf8').trimEnd().split('\n');
	const people = [
		['alice', alice, 'certificate', /client-certificate: "?alice\.pem/],
		['alice', new Bearer(world, kubeproxyd, idToken), 'oidc', /--oidc-extra-scope=email/],
		['dev', new Bearer(world, kubeproxyd, awsToken), 'iam', new RegExp(`"?${ID}`)],
	];
	for (const [user, who, kind, part] of people) {
		const answer = await who.request('/v1/kubeconfig');
		assert.equal(answer.status, 200, answer.text);
		assert.match(answer.text, part);
		assert.ok(!answer.text.includes(idToken) && !answer.text.includes('PRIVATE'));
		assert.deepEqual(await contexts(answer.text), MATCHED, `${kind}: every cluster`);
		const file = world.path(`${kind}.kubeconfig`);
		writeFileSync(file, answer.text);
		for (const name of MATCHED.slice(0, 2)) {
			const args = ['--kubeconfig', file, '--context', name, 'get', 'pods'];
			const env = { ...process.env, PATH: `${bin}:${process.env.PATH}`, HOME: world.directory };
			const shown = await run(kubectlPath(), args, { env });
			assert.equal(shown.code, 0, `${kind}: ${shown.stderr}`);
		}
		assert.equal((await world.received(prod)).at(-1).user, user, kind);
	}
	for (const line of called('kubectl'))
		assert.match(line, new RegExp(`^oidc-login get-token --oidc-issuer-url=${issuer.url} --oidc-client-id=\\S+ --oidc-extra-scope=email$`));
	for (const line of called('aws')) assert.match(line, new RegExp(`^eks get-token --cluster-name ${ID} --region \\S+ --output json$`));
	assert.deepEqual(await contexts((await victor.request('/v1/kubeconfig')).text), seen, 'the clusters that victor may use');

	const cli = async (...args) => {
		const result = await command(world, 'kubeproxyd', ['kubeconfig', '--server', `https://127.0.0.1:${kubeproxyd.port}`, ...args], world.proxyUser);
		return result.code === 0 ? result.stdout : result.stderr;
	};
	assert.deepEqual(await contexts(await cli('--cert-for', 'victor')), seen, 'only what the user may see');
	assert.deepEqual(await contexts(await cli('--cert-for', 'alice', '--group', 'engineering')), MATCHED);
	assert.match(await cli('--cert-for', 'nobody'), /no role lets "nobody" see any cluster/);
	const byToken = await cli('--oidc', issuer.url);
	assert.match(byToken, new RegExp(`--oidc-issuer-url=${issuer.url}`));
	assert.deepEqual(await contexts(byToken), MATCHED);
	assert.match(await cli('--oidc', 'https://other'), /no issuer https:\/\/other/);
	const byAws = await cli('--aws');
	assert.match(byAws, /get-token/);
	assert.deepEqual(await contexts(byAws), MATCHED);
	await issuer.close();
});
