// A certificate authority and a server certificate for one API server. Made here: three processes of openssl for each of a
// world's clusters were a tenth of what the scenarios cost.
import { makeKeyPair } from '../key_pair.mjs';
import { authority, certificate, server } from './der.mjs';

const CA_DAYS = 3650;
const makeKeys = () => makeKeyPair('ec', { namedCurve: 'P-256' });

// {ca (PEM), cert (PEM chain), key}. `names`: subjectAltName entries; `days` below 0 makes an expired one.
export function makePki(name, { names = ['IP:127.0.0.1', 'DNS:kubernetes'], days = 365 } = {}) {
	const own = makeKeys();
	const ca = { name: `kubernetes ${name}`, key: own.privateKey, publicKey: own.publicKey };
	const { privateKey, publicKey } = makeKeys();
	const caText = certificate(ca.name, ca.publicKey, CA_DAYS, authority(), ca);
	return {
		ca: caText,
		cert: certificate('kube-apiserver', publicKey, days, server(names), ca) + caText,
		key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
	};
}
