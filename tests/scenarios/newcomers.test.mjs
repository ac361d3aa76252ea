// What README and manual tell a newcomer is true, word for word: their settings, roles and commands let in people with a
// certificate, an ID token or an AWS identity, each with the kubeconfig of `kubeproxyd kubeconfig` and real kubectl.
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { parseAllDocuments } from 'yaml';
import { kubectlPath } from '../clients/kubectl.mjs';
import { makeAwsToken } from '../sim/aws/token.mjs';
import { CLUSTERS, command, nameOf, OWN, run, scenario, startBoth } from './harness.mjs';
import { addIssuer } from './tokens.mjs';

const file = (name) => readFileSync(new URL(`../../${name}`, import.meta.url), 'utf8');
const readme = file('README.md');
const manual = file('packaging/man/kubeproxyd.8');
const staging = CLUSTERS.at(-1); // the README's role is about clusters with env: staging
const cluster = nameOf(staging);

// The blocks of the README that are set off by four spaces, and those of the manual.
const blocks = [
	...[...readme.matchAll(/(?:^(?: {4}.*)?\n)+/gm)].map(([text]) => text.replace(/^ {4}/gm, '')),
	...[...manual.matchAll(/^\.Bd -literal[^\n]*\n([^]*?)^\.Ed$/gm)].map(([, text]) => text.replaceAll('\\e', '\\')),
];
const beginningWith = (words) => blocks.filter((text) => text.trimStart().startsWith(words));
const documents = (text) => parseAllDocuments(text).map((document) => document.toJS());

// Stand-ins for what people have: `kubectl oidc-login` gives an e-mail address only when it is asked for one, `aws` signs for
// the name that it is told.
function putPlugins(world, { withEmail, without, aws, id }) {
	const bin = world.path('bin');
	mkdirSync(bin);
	symlinkSync(kubectlPath(), `${bin}/kubectl`);
	const credential = (token) => JSON.stringify({ kind: 'ExecCredential', apiVersion: 'client.authentication.k8s.io/v1', status: { token } });
	const put = (name, lines) => {
		writeFileSync(`${bin}/${name}`, `#!/bin/sh\n${lines.join('\n')}\n`);
		chmodSync(`${bin}/${name}`, 0o755);
	};
	put('kubectl-oidc_login', [
		'[ "$1" = get-token ] || exit 1',
		`case "$*" in *--oidc-client-id=eksgate*--oidc-extra-scope=email*) echo '${credential(withEmail)}' ;; *) echo '${credential(without)}' ;; esac`,
	]);
	put('aws', [`[ "$1 $2 $3 $4" = "eks get-token --cluster-name ${id}" ] || exit 1`, `echo '${credential(aws)}'`]);
	return { ...process.env, PATH: `${bin}:${process.env.PATH}`, HOME: world.directory };
}

scenario('newcomers', async (world) => {
	const issuer = await addIssuer(world);
	const [{ ca_file }] = world.config.eksgate.proxy.login.oidc;
	const { arn, userId } = await world.aws('PUT', `/roles/${OWN}/AWSReservedSSO_Dev_0123456789abcdef`, { trust: [], permissions: [] });
	const ours = { 'https://accounts.example.com': issuer.url, 123456789012: OWN, AROAEXAMPLEEXAMPLEEXA: userId };
	const at = (text) => Object.entries(ours).reduce((result, [theirs, our]) => result.replaceAll(theirs, our), text);
	writeFileSync(world.path('roles.d', 'roles.yaml'), readme.match(/(?:^ {4}.*\n)*^ {4}kind: role_binding\n(?:^ {4}.*\n)*/m)[0].replace(/^ {4}/gm, ''));
	world.config.eksgate.test.verifier_sts_host = world.awsSimulator.ready.sts_host;
	const logins = beginningWith('eksgate:').map((text) => documents(at(text))[0].eksgate.proxy.login);
	assert.equal(logins.length, 3, 'one in the README, two in the manual');
	for (const login of [...logins].reverse()) {
		world.config.eksgate.proxy.login = login;
		if (login.oidc) login.oidc[0].ca_file = ca_file;
		world.writeConfig();
		await command(world, 'kubeproxyd', ['init'], world.proxyUser);
		const checked = await command(world, 'kubeproxyd', ['check'], world.proxyUser);
		assert.equal(checked.code, 0, checked.stderr);
	}
	for (const text of beginningWith('version: v3')) {
		const [config] = documents(text);
		writeFileSync(world.path('whole.yaml'), JSON.stringify({ ...config, eksgate: { ...world.config.eksgate, ...config.eksgate } }));
		const { code, stderr } = await run('sh', ['-c', `exec "$0" check --config ${world.path('whole.yaml')}`, `${process.env.EKSGATE_BUILD ?? 'build/release'}/discoveryd`]);
		assert.equal(code, 0, stderr);
	}

	const { kubeproxyd } = await startBoth(world);
	world.config.kubernetes_service.public_addr = `127.0.0.1:${kubeproxyd.port}`;
	world.writeConfig();
	const { id } = world.config.eksgate.proxy.login.iam;
	const session = await world.aws('POST', '/sessions', { roleArn: arn, sessionName: 'anna@example.com' });
	const groups = ['engineering'];
	const env = putPlugins(world, {
		withEmail: issuer.token({ sub: '00u1', groups, email: 'olga@example.com', email_verified: true }),
		without: issuer.token({ sub: '00u1', groups }),
		aws: makeAwsToken(session, id),
		id,
	});

	const [, words] = /^ {4}sudo kubeproxyd (kubeconfig --cert-for alice .*) > alice\.kubeconfig$/m.exec(readme);
	for (const [user, args] of [
		['alice', words.split(' ')],
		['olga@example.com', ['kubeconfig', '--oidc', issuer.url]],
		['anna@example.com', ['kubeconfig', '--aws']],
	]) {
		const made = await command(world, 'kubeproxyd', args, world.proxyUser);
		assert.equal(made.code, 0, made.stderr);
		const kubeconfig = world.path(`${user}.kubeconfig`);
		writeFileSync(kubeconfig, made.stdout);
		const shown = await run(kubectlPath(), ['--kubeconfig', kubeconfig, '--context', cluster, 'get', 'pods'], { env });
		assert.equal(shown.code, 0, `${user}: ${shown.stderr}`);
		assert.match(shown.stdout, /web-1/);
		const { user: seen, groups: as } = (await world.received(staging)).at(-1);
		assert.deepEqual([seen, as[0]], [user, 'developers']);
	}
	await issuer.close();
});
