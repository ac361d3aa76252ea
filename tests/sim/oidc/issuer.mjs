// An issuer of OpenID Connect on 127.0.0.1, over TLS with an authority of its own: discovery, keys, tokens, and the ways in
// which an issuer can be slow, huge or lying.
import { createServer } from 'node:https';
import { makePki } from '../kube/pki.mjs';
import { makeKey, makeToken } from './keys.mjs';

export class Issuer {
	constructor(keys) {
		this.keys = keys;
		this.requests = { discovery: 0, keys: 0 };
		this.faults = {}; // discovery and keys: a function (response) that answers instead
		this.held = [];
	}

	get key() {
		return this.keys[0];
	}

	// The claims of a good token, and `more`.
	claims(more = {}) {
		const now = Math.floor(Date.now() / 1000);
		return { iss: this.url, aud: 'eksgate', sub: 'alice', iat: now, exp: now + 3600, ...more };
	}

	token(more = {}, { key = this.key, ...options } = {}) {
		return makeToken(key, this.claims(more), options);
	}

	answer(request, response) {
		const what = { '/.well-known/openid-configuration': 'discovery', '/keys': 'keys' }[request.url];
		if (what === undefined) return response.writeHead(404).end();
		this.requests[what]++;
		if (this.faults[what]) return this.faults[what](response);
		const document =
			what === 'discovery'
				? { issuer: this.url, jwks_uri: `${this.url}/keys`, id_token_signing_alg_values_supported: ['RS256'] }
				: { keys: this.keys.map((key) => key.jwk) };
		response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(document));
	}

	close() {
		this.server.closeAllConnections();
		return new Promise((resolve) => {
			this.server.close(resolve);
		});
	}
}

// {url, ca (PEM), key, token(), …}. `algorithms`: one key each.
export async function startIssuer({ algorithms = ['RS256'] } = {}) {
	const issuer = new Issuer(algorithms.map((algorithm) => makeKey(algorithm)));
	const pki = makePki('issuer');
	issuer.ca = pki.ca;
	issuer.server = createServer({ cert: pki.cert, key: pki.key }, (request, response) =>
		issuer.answer(request, response),
	);
	await new Promise((resolve) => {
		issuer.server.listen(0, '127.0.0.1', resolve);
	});
	issuer.server.unref();
	issuer.url = `https://127.0.0.1:${issuer.server.address().port}`;
	return issuer;
}
