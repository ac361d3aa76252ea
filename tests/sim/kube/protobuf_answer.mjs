// Answers in protobuf for the kinds that clients read in that form: reviews (kubectl auth from 1.33 on), events, and secrets (helm's
// releases). Whoever takes nothing but protobuf gets any kind: its metadata, and the rest as text in a field that no kind
// has. Field numbers are those of Kubernetes' generated.proto files.
import { fields, text } from './protobuf_writer.mjs';

export const MAGIC = Buffer.from([0x6b, 0x38, 0x73, 0x00]);
export const PROTOBUF = 'application/vnd.kubernetes.protobuf';

const optional = (number, value) => (value ? [[number, text(value)]] : []);

function mapOf(number, map, toBytes) {
	return Object.entries(map ?? {}).map(([key, value]) => [
		number,
		fields([
			[1, text(key)],
			[2, toBytes(value)],
		]),
	]);
}

function metadata(meta = {}) {
	const seconds = Math.floor(Date.parse(meta.creationTimestamp ?? 0) / 1000);
	return fields([
		...optional(1, meta.name),
		...optional(3, meta.namespace),
		...optional(5, meta.uid),
		...optional(6, meta.resourceVersion),
		[8, meta.creationTimestamp ? fields([[1, seconds]]) : fields([])],
		...mapOf(11, meta.labels, text),
		...mapOf(12, meta.annotations, text),
	]);
}

const secret = (object) =>
	fields([
		[1, metadata(object.metadata)],
		...mapOf(2, object.data, (value) => Buffer.from(value, 'base64')),
		...optional(3, object.type),
	]);

export function listMeta({ resourceVersion, continue: rest, remainingItemCount }) {
	return fields([
		...optional(2, resourceVersion),
		...optional(3, rest),
		...(remainingItemCount ? [[4, remainingItemCount]] : []),
	]);
}

const time = (value) => fields([[1, Math.floor(Date.parse(value ?? 0) / 1000)]]);

// kubectl describe and kubectl events.
function event({ metadata: meta, involvedObject: of = {}, reason, message, type, count, firstTimestamp, lastTimestamp }) {
	return fields([
		[1, metadata(meta)],
		[2, fields([...optional(1, of.kind), ...optional(2, of.namespace), ...optional(3, of.name), ...optional(4, of.uid)])],
		...optional(3, reason),
		...optional(4, message),
		[6, time(firstTimestamp)],
		[7, time(lastTimestamp)],
		...(count ? [[8, count]] : []),
		...optional(9, type),
	]);
}

// A number that no kind has.
const REST = 500;

function any({ kind, apiVersion, metadata: meta, ...rest }) {
	return fields([
		[1, metadata(meta)],
		[REST, text(JSON.stringify(rest))],
	]);
}

function anyList({ metadata: meta, items }, encode) {
	return fields([[1, listMeta(meta)], ...items.map((item) => [2, encode(item)])]);
}

// Of metav1.Status: what there is to read for people.
function statusOf({ status, message, reason, code }) {
	return fields([[1, listMeta({})], ...optional(2, status), ...optional(3, message), ...optional(4, reason), [6, code]]);
}

function userInfo({ username, uid, groups, extra }) {
	return fields([
		[1, text(username)],
		...optional(2, uid),
		...groups.map((group) => [3, text(group)]),
		...mapOf(4, extra, (values) => fields(values.map((value) => [1, text(value)]))),
	]);
}

const ENCODERS = {
	Secret: secret,
	SecretList: (list) => anyList(list, secret),
	EventList: (list) => anyList(list, event),
	PartialObjectMetadataList: (list) => anyList(list, (item) => fields([[1, metadata(item.metadata)]])),
	SelfSubjectAccessReview: (review) =>
		fields([
			[1, metadata()],
			[2, fields([])],
			[3, fields([[1, Number(review.status.allowed)]])],
		]),
	SelfSubjectReview: (review) =>
		fields([
			[1, metadata()],
			[2, fields([[1, userInfo(review.status.userInfo)]])],
		]),
};

// Whether the client takes protobuf, and whether nothing else.
const wantsProtobuf = (accept) => (accept ?? '').startsWith(PROTOBUF);
export const wantsOnlyProtobuf = (accept) => wantsProtobuf(accept) && !accept.includes(',');

function encoderOf(kind) {
	if (kind === 'Status') return statusOf;
	return kind.endsWith('List') ? (list) => anyList(list, any) : any;
}

// runtime.Unknown around it.
export function encodeObject(document) {
	const encode = ENCODERS[document.kind] ?? encoderOf(document.kind);
	const typeMeta = fields([
		[1, text(document.apiVersion)],
		[2, text(document.kind)],
	]);
	return Buffer.concat([
		MAGIC,
		fields([
			[1, typeMeta],
			[2, encode(document)],
			[3, text('')],
			[4, text('')],
		]),
	]);
}

// null when the client prefers another form, or takes another and the kind has none here.
export function encodeAnswer(accept, document) {
	if (!wantsProtobuf(accept)) return null;
	return ENCODERS[document.kind] || wantsOnlyProtobuf(accept) ? encodeObject(document) : null;
}

// One frame of a watch.
export function encodeEvent({ type, object }) {
	const event = fields([
		[1, text(type)],
		[2, fields([[1, encodeObject(object)]])],
	]);
	const length = Buffer.alloc(4);
	length.writeUInt32BE(event.length);
	return Buffer.concat([length, event]);
}
