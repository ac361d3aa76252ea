// Keys of an issuer, one of each kind, and JSON Web Tokens signed with them. Node's crypto: code that is not ours.
import { constants, createHmac, randomUUID, sign } from 'node:crypto';
import { makeKeyPair } from '../key_pair.mjs';

const KINDS = {
	RS256: ['rsa', { modulusLength: 2048 }, 'sha256'],
	RS512: ['rsa', { modulusLength: 2048 }, 'sha512'],
	PS256: ['rsa', { modulusLength: 2048 }, 'sha256'],
	ES256: ['ec', { namedCurve: 'P-256' }, 'sha256'],
	ES384: ['ec', { namedCurve: 'P-384' }, 'sha384'],
	ES512: ['ec', { namedCurve: 'P-521' }, 'sha512'],
	EdDSA: ['ed25519', {}, null],
};

// {kid, algorithm, privateKey, publicKey, jwk}
export function makeKey(algorithm, kid = randomUUID()) {
	const [type, options] = KINDS[algorithm];
	const { privateKey, publicKey } = makeKeyPair(type, options);
	const jwk = { ...publicKey.export({ format: 'jwk' }), kid, use: 'sig', alg: algorithm };
	return { kid, algorithm, privateKey, publicKey, jwk };
}

const encode = (value) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

function signature(key, algorithm, text) {
	const options = { key: key.privateKey };
	if (algorithm.startsWith('PS'))
		Object.assign(options, {
			padding: constants.RSA_PKCS1_PSS_PADDING,
			saltLength: constants.RSA_PSS_SALTLEN_DIGEST,
		});
	if (algorithm.startsWith('ES')) options.dsaEncoding = 'ieee-p1363';
	return sign(KINDS[algorithm][2], Buffer.from(text), options).toString('base64url');
}

// `claims`: an object, or JSON text as it stands. `header` replaces members of the header; `mac` signs by HMAC with that
// secret instead of the key.
export function makeToken(key, claims, { header = {}, mac } = {}) {
	const head = { alg: key.algorithm, typ: 'JWT', kid: key.kid, ...header };
	const text = `${encode(head)}.${encode(claims)}`;
	if (head.alg === 'none') return `${text}.`;
	if (mac !== undefined) return `${text}.${createHmac('sha256', mac).update(text).digest('base64url')}`;
	return `${text}.${signature(key, key.algorithm, text)}`;
}
