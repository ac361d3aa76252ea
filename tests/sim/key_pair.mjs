// Keys for made-up certificates and tokens. Not as generateKeyPairSync() hands them out: such a key shares a lock with the job
// that made it, and an export as JWK during which that job is garbage stops Node 20 for good, since the collector ends the job
// on the thread that holds the lock.
import { createPrivateKey, createPublicKey, generateKeyPairSync } from 'node:crypto';

// {privateKey, publicKey}: KeyObjects.
export function makeKeyPair(type, options) {
	const { privateKey, publicKey } = generateKeyPairSync(type, {
		...options,
		privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
		publicKeyEncoding: { type: 'spki', format: 'pem' },
	});
	return { privateKey: createPrivateKey(privateKey), publicKey: createPublicKey(publicKey) };
}
