/* Kubernetes' protobuf, as far as decisions need it: the envelope (k8s.io/apimachinery
 * runtime.Unknown behind four magic bytes) and messages read field by field. Pure, bounded by the
 * message; nothing is copied. */
#ifndef EKSGATE_PROTOBUF_H
#define EKSGATE_PROTOBUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/buf.h"

/* Bytes that are not read yet. */
struct protobuf {
	const uint8_t *at;
	size_t len;
	bool is_bad; /* sticks */
};

struct protobuf_field {
	uint32_t number;
	bool is_bytes; /* else `value` */
	uint64_t value;
	struct protobuf bytes;
};

/* A field without its content, which bytes and numbers of fixed size have. */
struct protobuf_head {
	uint32_t number;
	bool is_bytes;
	uint64_t value; /* of a varint, which belongs to the head */
	size_t head_len; /* at most PROTOBUF_HEAD_MAX */
	uint64_t content_len; /* as announced: it may not be there */
};
#define PROTOBUF_HEAD_MAX 20

enum protobuf_read { PROTOBUF_READ, PROTOBUF_SHORT, PROTOBUF_BAD };
/* The head at the beginning of `data`, of which more may come. Groups are bad: nothing here has
 * any. */
enum protobuf_read protobuf_read_head(
    const uint8_t *data, size_t len, struct protobuf_head *head) MUST_USE;
/* The next field. False at the end, and when the message is malformed (is_bad). */
bool protobuf_next(struct protobuf *message, struct protobuf_field *field) MUST_USE;
/* The one field of that number that holds bytes: false when it is absent, stands there twice, or
 * the message is malformed, all of which *is_sound tells apart from absent. */
bool protobuf_get(struct protobuf message, uint32_t number, struct protobuf *bytes, bool *is_sound);
/* Opens the envelope: `raw` is the object, `kind` its kind. False when it is none, or encoded once
 * more. */
bool protobuf_open(
    const void *data, size_t len, struct protobuf *kind, struct protobuf *raw) MUST_USE;

/* Writing: a field of bytes, and of a small number. */
void protobuf_add_bytes(struct buf *out, uint32_t number, const void *data, size_t len);
void protobuf_add_text(struct buf *out, uint32_t number, const char *text);
/* The head of a field whose `len` bytes follow. */
void protobuf_add_head(struct buf *out, uint32_t number, uint64_t len);
void protobuf_add_number(struct buf *out, uint32_t number, uint64_t value);
/* The envelope around an object. */
void protobuf_wrap(
    struct buf *out, const char *api_version, const char *kind, const struct buf *raw);

#endif
