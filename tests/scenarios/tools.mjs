// kubectl and helm of every generation, as one person runs them at one cluster, by one of the three ways to name it: the
// path prefix, the server name, or a credential that is for that cluster alone.
import assert from 'node:assert/strict';
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { helmPath, kubectlPath, MINORS } from '../clients/kubectl.mjs';
import { run, Running } from '../clients/run.mjs';

export { MINORS } from '../clients/kubectl.mjs';
export const SUFFIX = 'k.example.test'; // eksgate.proxy.sni_suffix, where server names are used
export const isLong = process.env.EKSGATE_LONG !== undefined;
// The oldest and the newest, where all of them would take too long; all of them in `make test-long`.
export const FEW_MINORS = isLong ? MINORS : [MINORS[0], MINORS.at(-1)];

function serverOf(person, cluster, by) {
	const base = `https://127.0.0.1:${person.proxy.port}`;
	const ca = { 'certificate-authority': person.world.config.eksgate.proxy.tls.certificate };
	if (by === 'path') return { server: `${base}/clusters/${cluster}`, ...ca };
	if (by === 'sni') return { server: base, 'tls-server-name': `${cluster}.${SUFFIX}`, ...ca };
	return { server: base, ...ca };
}

// {by: "path" | "sni" | "credential"}; the last needs a person whose certificate is for the cluster.
export function writeKubeconfig(person, cluster, { by = 'path' } = {}) {
	const file = person.world.path(`${person.name.replace(/[^A-Za-z0-9]/g, '_')}-${cluster}-${by}.kubeconfig`);
	const user = { 'client-certificate': person.files.cert, 'client-key': person.files.key };
	// A kubectl that was started just now may read what was there before.
	writeFileSync(
		`${file}.new`,
		JSON.stringify({
			apiVersion: 'v1',
			kind: 'Config',
			'current-context': 'eksgate',
			clusters: [{ name: 'eksgate', cluster: serverOf(person, cluster, by) }],
			users: [{ name: 'me', user }],
			contexts: [{ name: 'eksgate', context: { cluster: 'eksgate', user: 'me' } }],
		}),
		{ mode: 0o600 },
	);
	renameSync(`${file}.new`, file);
	return file;
}

// {kubectl, ok, start, helm} of one generation.
export function toolsOf(person, cluster, { minor = MINORS.at(-1), by = 'path', env = {} } = {}) {
	const kubeconfig = writeKubeconfig(person, cluster, { by });
	const home = person.world.path(`home-${minor}`);
	mkdirSync(home, { recursive: true });
	const options = {
		env: { PATH: process.env.PATH, HOME: home, KUBECONFIG: kubeconfig, TZ: 'UTC', ...env },
		cwd: home,
	};
	const kubectl = (words, more) => run(kubectlPath(minor), words, { ...options, ...more });
	const helm = (words, more) => run(helmPath(minor), words, { ...options, ...more });
	const succeed = (program, name) => async (words, more) => {
		const result = await program(words, more);
		assert.equal(result.code, 0, `${name} 1.${minor} ${words.join(' ')}: ${result.stderr}${result.stdout}`);
		return result.stdout;
	};
	return {
		minor,
		home,
		kubectl,
		ok: succeed(kubectl, 'kubectl'),
		start: (words, more) => new Running(kubectlPath(minor), words, { ...options, ...more }),
		helm: succeed(helm, 'the helm beside kubectl'),
	};
}
