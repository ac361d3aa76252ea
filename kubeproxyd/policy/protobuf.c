/* The wire format of protobuf and Kubernetes' envelope. A field that stands twice, where one is
 * asked for, is refused: which of them counts is for the API server to know, not for us to guess.
 * Called by object_name.c and access_review.c. */
#include "kubeproxyd/policy/protobuf.h"

#include <string.h>

#define VARINT_MAX_BYTES 10
#define WIRE_VARINT	 0
#define WIRE_FIXED64	 1
#define WIRE_BYTES	 2
#define WIRE_FIXED32	 5

/* runtime.Unknown and runtime.TypeMeta */
enum { UNKNOWN_TYPE_META = 1, UNKNOWN_RAW, UNKNOWN_ENCODING, UNKNOWN_CONTENT_TYPE };
enum { TYPE_META_API_VERSION = 1, TYPE_META_KIND };

static const uint8_t magic[] = {'k', '8', 's', 0};

/* --- reading --------------------------------------------------------------------------------- */

static bool fail(struct protobuf *message)
{
	message->is_bad = true;
	message->len = 0;
	return false;
}

static enum protobuf_read take_varint(const uint8_t **at, const uint8_t *end, uint64_t *value)
{
	size_t len = (size_t)(end - *at);
	*value = 0;
	for (unsigned i = 0; i < VARINT_MAX_BYTES && i < len; i++) {
		uint8_t byte = (*at)[i];
		*value |= (uint64_t)(byte & 0x7f) << (7 * i);
		if ((byte & 0x80) != 0)
			continue;
		*at += i + 1;
		return PROTOBUF_READ;
	}
	return len < VARINT_MAX_BYTES ? PROTOBUF_SHORT : PROTOBUF_BAD;
}

/* What stands behind the tag. */
static enum protobuf_read read_rest(
    unsigned wire_type, const uint8_t **at, const uint8_t *end, struct protobuf_head *head)
{
	switch (wire_type) {
	case WIRE_VARINT:
		return take_varint(at, end, &head->value);
	case WIRE_BYTES:
		head->is_bytes = true;
		return take_varint(at, end, &head->content_len);
	case WIRE_FIXED64:
		head->content_len = 8;
		return PROTOBUF_READ;
	case WIRE_FIXED32:
		head->content_len = 4;
		return PROTOBUF_READ;
	default:
		return PROTOBUF_BAD;
	}
}

enum protobuf_read protobuf_read_head(const uint8_t *data, size_t len, struct protobuf_head *head)
{
	const uint8_t *at = data, *end = data + len;
	uint64_t tag;
	enum protobuf_read read = take_varint(&at, end, &tag);
	if (read != PROTOBUF_READ)
		return read;
	/* Go's decoders cut the number to 32 bits, signed: it would be another field there, or
	 * none.
	 */
	if (tag >> 3 == 0 || tag >> 3 > INT32_MAX)
		return PROTOBUF_BAD;
	*head = (struct protobuf_head){.number = (uint32_t)(tag >> 3)};
	read = read_rest((unsigned)(tag & 7), &at, end, head);
	head->head_len = (size_t)(at - data);
	return read;
}

bool protobuf_next(struct protobuf *message, struct protobuf_field *field)
{
	struct protobuf_head head;
	if (message->len == 0)
		return false;
	if (protobuf_read_head(message->at, message->len, &head) != PROTOBUF_READ ||
	    head.content_len > message->len - head.head_len)
		return fail(message);
	*field = (struct protobuf_field){
	    .number = head.number, .is_bytes = head.is_bytes, .value = head.value};
	message->at += head.head_len;
	message->len -= head.head_len;
	if (head.is_bytes)
		field->bytes =
		    (struct protobuf){.at = message->at, .len = (size_t)head.content_len};
	message->at += head.content_len;
	message->len -= (size_t)head.content_len;
	return true;
}

bool protobuf_get(struct protobuf message, uint32_t number, struct protobuf *bytes, bool *is_sound)
{
	struct protobuf_field field;
	unsigned count = 0;
	*bytes = (struct protobuf){0};
	*is_sound = true;
	while (protobuf_next(&message, &field)) {
		if (field.number != number)
			continue;
		*is_sound &= field.is_bytes;
		*bytes = field.bytes;
		count++;
	}
	*is_sound &= !message.is_bad && count <= 1;
	return *is_sound && count == 1;
}

bool protobuf_open(const void *data, size_t len, struct protobuf *kind, struct protobuf *raw)
{
	static const char own_type[] = "application/vnd.kubernetes.protobuf";
	struct protobuf meta, encoding, type;
	bool is_sound, is_raw_sound, is_kind_sound = true;
	if (len < sizeof magic || memcmp(data, magic, sizeof magic) != 0)
		return false;
	struct protobuf envelope = {
	    .at = (const uint8_t *)data + sizeof magic, .len = len - sizeof magic};
	if (protobuf_get(envelope, UNKNOWN_ENCODING, &encoding, &is_sound) && encoding.len > 0)
		return false;
	if (!is_sound)
		return false;
	if (protobuf_get(envelope, UNKNOWN_CONTENT_TYPE, &type, &is_sound) && type.len > 0 &&
	    (type.len != strlen(own_type) || memcmp(type.at, own_type, type.len) != 0))
		return false;
	if (!is_sound)
		return false;
	protobuf_get(envelope, UNKNOWN_RAW, raw, &is_raw_sound);
	*kind = (struct protobuf){0};
	if (protobuf_get(envelope, UNKNOWN_TYPE_META, &meta, &is_sound))
		protobuf_get(meta, TYPE_META_KIND, kind, &is_kind_sound);
	return is_sound && is_raw_sound && is_kind_sound;
}

/* --- writing --------------------------------------------------------------------------------- */

static void add_varint(struct buf *out, uint64_t value)
{
	for (; value >= 0x80; value >>= 7)
		buf_append_char(out, (char)((value & 0x7f) | 0x80));
	buf_append_char(out, (char)value);
}

void protobuf_add_head(struct buf *out, uint32_t number, uint64_t len)
{
	add_varint(out, (uint64_t)number << 3 | WIRE_BYTES);
	add_varint(out, len);
}

void protobuf_add_bytes(struct buf *out, uint32_t number, const void *data, size_t len)
{
	protobuf_add_head(out, number, len);
	buf_append(out, data, len);
}

void protobuf_add_text(struct buf *out, uint32_t number, const char *text)
{
	protobuf_add_bytes(out, number, text, strlen(text));
}

void protobuf_add_number(struct buf *out, uint32_t number, uint64_t value)
{
	add_varint(out, (uint64_t)number << 3 | WIRE_VARINT);
	add_varint(out, value);
}

void protobuf_wrap(
    struct buf *out, const char *api_version, const char *kind, const struct buf *raw)
{
	struct buf meta = {0};
	protobuf_add_text(&meta, TYPE_META_API_VERSION, api_version);
	protobuf_add_text(&meta, TYPE_META_KIND, kind);
	buf_append(out, magic, sizeof magic);
	protobuf_add_bytes(out, UNKNOWN_TYPE_META, buf_text(&meta), meta.len);
	protobuf_add_bytes(out, UNKNOWN_RAW, buf_text(raw), raw->len);
	protobuf_add_bytes(out, UNKNOWN_ENCODING, "", 0);
	protobuf_add_bytes(out, UNKNOWN_CONTENT_TYPE, "", 0);
	buf_free(&meta);
}
