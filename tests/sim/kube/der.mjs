// As much of DER (X.690) and of certificates (RFC 5280) as the simulators' own need: P-256 keys, SHA-256.
import { createHash, randomBytes, sign } from 'node:crypto';

const ECDSA_SHA256 = '1.2.840.10045.4.3.2';
const COMMON_NAME = '2.5.4.3';

function item(tag, ...parts) {
	const body = Buffer.concat(parts);
	if (body.length < 0x80) return Buffer.concat([Buffer.from([tag, body.length]), body]);
	const length = Buffer.from(body.length.toString(16).padStart(4, '0'), 'hex');
	return Buffer.concat([Buffer.from([tag, 0x82]), length, body]);
}

const sequence = (...parts) => item(0x30, ...parts);
const octets = (...parts) => item(0x04, ...parts);
const bits = (unused, bytes) => item(0x03, Buffer.from([unused]), bytes);

function oid(text) {
	const [first, second, ...rest] = text.split('.').map(Number);
	const bytes = [40 * first + second];
	for (const arc of rest) {
		const digits = [arc & 0x7f];
		for (let more = arc >>> 7; more > 0; more >>>= 7) digits.unshift((more & 0x7f) | 0x80);
		bytes.push(...digits);
	}
	return item(0x06, Buffer.from(bytes));
}

function name(commonName) {
	return sequence(item(0x31, sequence(oid(COMMON_NAME), item(0x0c, Buffer.from(commonName)))));
}

// UTCTime: until 2049.
function time(ms) {
	return item(0x17, Buffer.from(`${new Date(ms).toISOString().slice(2, 19).replace(/[-:T]/g, '')}Z`));
}

function keyId(publicKey) {
	const { x, y } = publicKey.export({ format: 'jwk' });
	const point = [Buffer.from([4]), Buffer.from(x, 'base64url'), Buffer.from(y, 'base64url')];
	return createHash('sha1').update(Buffer.concat(point)).digest();
}

function extension(id, value, isCritical = false) {
	return sequence(oid(id), ...(isCritical ? [item(0x01, Buffer.from([0xff]))] : []), octets(value));
}

// The extensions that certificates are given.
export const authority = () => [
	extension('2.5.29.19', sequence(item(0x01, Buffer.from([0xff]))), true), // basicConstraints: CA
	extension('2.5.29.15', bits(1, Buffer.from([0x06])), true), // keyUsage: keyCertSign, cRLSign
];

// `names`: "DNS:name" or "IP:address" (of version 4).
export const server = (names) => [
	extension('2.5.29.17', sequence(...names.map(alternativeName))), // subjectAltName
	extension('2.5.29.37', sequence(oid('1.3.6.1.5.5.7.3.1'))), // extendedKeyUsage: serverAuth
];

function alternativeName(text) {
	const [kind, value] = text.split(':');
	return kind === 'IP' ? item(0x87, Buffer.from(value.split('.').map(Number))) : item(0x82, Buffer.from(value));
}

// PEM of one that is good from now on, for `days` (below 0: it has expired). `issuer`: {name, key, publicKey}, whose key signs.
export function certificate(subject, publicKey, days, extensions, issuer) {
	const algorithm = sequence(oid(ECDSA_SHA256));
	const now = Date.now();
	const body = sequence(
		item(0xa0, item(0x02, Buffer.from([2]))), // version 3
		item(0x02, Buffer.concat([Buffer.from([1]), randomBytes(15)])), // the serial number, positive
		algorithm,
		name(issuer.name),
		sequence(time(now), time(now + days * 86400000)),
		name(subject),
		publicKey.export({ type: 'spki', format: 'der' }),
		item(
			0xa3,
			sequence(
				...extensions,
				extension('2.5.29.14', octets(keyId(publicKey))), // subjectKeyIdentifier
				extension('2.5.29.35', sequence(item(0x80, keyId(issuer.publicKey)))), // authorityKeyIdentifier
			),
		),
	);
	const text = sequence(body, algorithm, bits(0, sign('sha256', body, issuer.key))).toString('base64');
	return `-----BEGIN CERTIFICATE-----\n${text.replace(/.{1,64}/g, '$&\n')}-----END CERTIFICATE-----\n`;
}
