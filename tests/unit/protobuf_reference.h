/* Kubernetes' protobuf, slow and obvious: written for tests against the rules of Go's generated
 * decoders (gogo), and apart from what it tests. What stands twice is merged or the last counts,
 * what is unknown is skipped, groups too. */
#ifndef EKSGATE_PROTOBUF_REFERENCE_H
#define EKSGATE_PROTOBUF_REFERENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"

#define SEEN_NAME 64

/* What somebody who decodes it sees of one object. Longer names are cut. */
struct seen_object {
	char namespace[SEEN_NAME], name[SEEN_NAME];
	char type[16]; /* of a watch */
	char kind[32]; /* of what is alone or in an event */
	const uint8_t *bytes; /* borrowed: the object */
	size_t len;
};

struct seen {
	struct seen_object *objects;
	size_t count;
	bool is_list;
	bool tells_remaining; /* how many objects are on further pages */
	bool has_token; /* of the next page */
	bool is_whole; /* everything could be decoded; else `objects` is what came before */
};

/* A list, or one object. A length that is longer than what is there means all that is there, so
 * that the objects of a cut list are seen, too. */
void reference_list(const uint8_t *data, size_t len, struct seen *seen);
void reference_watch(const uint8_t *data, size_t len, struct seen *seen);
void seen_free(struct seen *seen);
/* The list of which those objects are left, byte for byte: what it and its envelope have besides is
 * as it was, but for the number of objects on further pages and what is unknown, which are gone.
 * Anything that is no list: as it is, without what is unknown in the envelope. */
void reference_build(const uint8_t *data, size_t len, const struct seen *left, struct buf *out);

/* Writing: a varint, a field of bytes, one of text. */
void put_varint(struct buf *out, uint64_t value);
void put_bytes(struct buf *out, uint64_t number, const struct buf *bytes);
void put_text(struct buf *out, uint64_t number, const char *text);
/* An object with `padding` bytes of another field behind its metadata. */
void put_object(struct buf *out, const char *namespace, const char *name, size_t padding);
/* The envelope around it. */
void put_envelope(struct buf *out, const char *version, const char *kind, const struct buf *raw);
/* A frame with an event about an object of kind Pod, or of another. */
void put_event(struct buf *out, const char *type, const char *kind, const struct buf *object);

#endif
