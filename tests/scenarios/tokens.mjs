// People who come with a bearer token, and the issuer that made it.
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { kubectlPath } from '../clients/kubectl.mjs';
import { run, Running } from '../clients/run.mjs';
import { startIssuer } from '../sim/oidc/issuer.mjs';

// An issuer that the configuration trusts from now on; before the daemons start. `settings` go into its entry.
export async function addIssuer(world, { settings = {}, ...options } = {}) {
	const issuer = await startIssuer(options);
	const login = (world.config.eksgate.proxy.login ??= {});
	const list = (login.oidc ??= []);
	const ca = world.path(`issuer-${list.length}.pem`);
	writeFileSync(ca, issuer.ca);
	list.push({ issuer: issuer.url, audiences: ['eksgate'], ca_file: ca, ...settings });
	world.writeConfig();
	return issuer;
}

// `identity`: {cert, key} PEM of a client certificate besides, or nothing.
export class Bearer {
	constructor(world, proxy, token, identity = {}) {
		Object.assign(this, { world, proxy, token, identity });
		this.ca = readFileSync(world.config.eksgate.proxy.tls.certificate, 'utf8');
	}

	// {status, headers, text, json}
	request(path, { method = 'GET', headers = {}, agent, localAddress } = {}) {
		return new Promise((resolve, reject) => {
			const call = request(
				{
					host: '127.0.0.1',
					port: this.proxy.port,
					localAddress,
					path,
					method,
					headers: { authorization: `Bearer ${this.token}`, ...headers },
					ca: this.ca,
					...this.identity,
					agent: agent ?? false,
					ALPNProtocols: ['http/1.1'],
				},
				(response) => {
					let text = '';
					response.setEncoding('utf8').on('data', (part) => {
						text += part;
					});
					response.on('error', reject);
					response.on('end', () => {
						let json = null;
						try {
							json = JSON.parse(text);
						} catch {}
						resolve({ status: response.statusCode, headers: response.headers, text, json });
					});
				},
			);
			call.on('error', reject);
			call.setTimeout(30000, () => call.destroy(new Error(`${method} ${path}: no answer in 30 s`)));
			call.end();
		});
	}

	arguments(cluster, words) {
		const path = this.world.path('bearer.kubeconfig');
		const server = `https://127.0.0.1:${this.proxy.port}/clusters/${cluster}`;
		const authority = this.world.config.eksgate.proxy.tls.certificate;
		writeFileSync(
			path,
			JSON.stringify({
				apiVersion: 'v1',
				kind: 'Config',
				'current-context': 'eksgate',
				clusters: [{ name: 'eksgate', cluster: { server, 'certificate-authority': authority } }],
				users: [{ name: 'me', user: { token: this.token } }],
				contexts: [{ name: 'eksgate', context: { cluster: 'eksgate', user: 'me' } }],
			}),
		);
		return ['--kubeconfig', path, '--cache-dir', this.world.path('kubectl-cache'), ...words];
	}

	kubectl(cluster, words, options) {
		return run(kubectlPath(), this.arguments(cluster, words), options);
	}

	async kubectlOk(cluster, words, options) {
		const result = await this.kubectl(cluster, words, options);
		assert.equal(result.code, 0, `kubectl ${words.join(' ')}: ${result.stderr}`);
		return result.stdout;
	}

	startKubectl(cluster, words, options) {
		return new Running(kubectlPath(), this.arguments(cluster, words), options);
	}
}
