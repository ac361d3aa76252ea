// The bus's messages (proto/PROTOCOL.md) for tests that are a peer of another version: encode, decode, digest.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';

export const TYPES = {
	HELLO: 1, WELCOME: 2, SNAPSHOT_BEGIN: 3, SNAPSHOT_CHUNK: 4, SNAPSHOT_END: 5, DELTA: 6, HEARTBEAT: 7, ACK: 8,
	REJECT: 9, BYE: 10, REFRESH: 11, TASK_RESULT: 12, TASK: 13,
};
export const OPTIONAL = 0x80;
const HEADER = 104;
const sha256 = (...parts) => {
	const hash = createHash('sha256');
	for (const part of parts) hash.update(part);
	return hash.digest();
};

// {type, minor, major, group, epoch, instance, base, sequence, count, digest, body}: two frames.
export function encode({ major = 1, minor = 0, type, group, epoch = 0n, instance = 0n, base = 0n, sequence = 0n, count = 0, digest, body = {} }) {
	const text = Buffer.from(JSON.stringify(body));
	const header = Buffer.alloc(HEADER);
	header.write('EKB1', 0, 'latin1');
	header[4] = major;
	header[5] = minor;
	header[6] = type;
	sha256(group).copy(header, 8, 0, 8);
	header.writeBigUInt64BE(BigInt(epoch), 16);
	header.writeBigUInt64BE(BigInt(instance), 24);
	header.writeBigUInt64BE(BigInt(base), 32);
	header.writeBigUInt64BE(BigInt(sequence), 40);
	header.writeUInt32BE(count, 48);
	header.writeUInt32BE(text.length, 52);
	digest?.copy(header, 56);
	sha256(header.subarray(0, 72), text).copy(header, 72);
	return [header, text];
}

export function decode([header, text]) {
	assert.equal(header.length, HEADER);
	assert.equal(header.toString('latin1', 0, 4), 'EKB1');
	assert.equal(header.readUInt32BE(52), text.length);
	assert.ok(sha256(header.subarray(0, 72), text).equals(header.subarray(72)), 'the hash fits');
	return {
		major: header[4],
		minor: header[5],
		type: header[6],
		epoch: header.readBigUInt64BE(16),
		instance: header.readBigUInt64BE(24),
		base: header.readBigUInt64BE(32),
		sequence: header.readBigUInt64BE(40),
		count: header.readUInt32BE(48),
		digest: Buffer.from(header.subarray(56, 72)),
		bodyLength: text.length,
		body: JSON.parse(text.toString()),
	};
}

// Of a table: [{name, revision, resource}].
export function digestOf(items) {
	const digest = Buffer.alloc(16);
	for (const { name, revision, resource } of items) {
		const number = Buffer.alloc(8);
		number.writeBigUInt64BE(BigInt(revision));
		const one = sha256(name, Buffer.from([0]), number, resource);
		for (let i = 0; i < 16; i++) digest[i] ^= one[i];
	}
	return digest;
}
