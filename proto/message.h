/* The messages of the bus (PROTOCOL.md is the authority): one struct for every type, encode and
 * decode in message.c. A message is exactly two frames: a fixed header in network order and a JSON
 * body. Resources are opaque bytes here. */
#ifndef EKSGATE_PROTO_MESSAGE_H
#define EKSGATE_PROTO_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MESSAGE_HEADER_SIZE   104
#define MESSAGE_BODY_MAX      ((size_t)1024 * 1024) /* of any message */
#define MESSAGE_HELLO_MAX     4096u /* of what a subscriber sends */
#define MESSAGE_HELLO_MAX_1_0 1024u /* the same, to a publisher of minor version 0 */
#define MESSAGE_ITEM_MAX      ((size_t)256 * 1024) /* of one resource */
#define MESSAGE_VERSION_MAJOR 1
#define MESSAGE_VERSION_MINOR 1
#define MESSAGE_DIGEST_SIZE   16
#define MESSAGE_ERROR_TEXT    160

enum message_type {
	MESSAGE_HELLO = 1,
	MESSAGE_WELCOME = 2,
	MESSAGE_SNAPSHOT_BEGIN = 3,
	MESSAGE_SNAPSHOT_CHUNK = 4,
	MESSAGE_SNAPSHOT_END = 5,
	MESSAGE_DELTA = 6,
	MESSAGE_HEARTBEAT = 7,
	MESSAGE_ACK = 8,
	MESSAGE_REJECT = 9,
	MESSAGE_BYE = 10,
	MESSAGE_REFRESH = 11,
	MESSAGE_TASK_RESULT = 12,
	MESSAGE_TASK = 13,
	MESSAGE_REPORT = 14, /* sent with MESSAGE_TYPE_OPTIONAL: new in 1.1 */
};
/* Receivers skip a message of unknown type that carries this bit. */
#define MESSAGE_TYPE_OPTIONAL 0x80u
/* "DELTA"; "type 77" is not produced: NULL when unknown. */
const char *message_type_name(unsigned type);

struct message_digest {
	uint8_t bytes[MESSAGE_DIGEST_SIZE];
};

/* Order-free digest of a set: XOR of the digests of its items; adding and removing are the same
 * operation. An item's digest is SHA-256(name NUL, revision in 8 bytes, resource) cut to 16 bytes.
 */
void message_digest_toggle(struct message_digest *set, const char *name, int64_t revision,
    const char *resource, size_t resource_len);
bool message_digest_equal(const struct message_digest *a, const struct message_digest *b)
    __attribute__((warn_unused_result));

struct message_header {
	uint8_t type; /* with MESSAGE_TYPE_OPTIONAL when set */
	uint8_t version_major, version_minor;
	uint64_t group; /* first 8 bytes of SHA-256(discovery group) */
	uint64_t epoch;
	uint64_t instance; /* random per publisher start */
	uint64_t base_sequence;
	uint64_t sequence;
	uint32_t count; /* items in the body */
	struct message_digest digest; /* of the whole table at `sequence` */
};

uint64_t message_group_id(const char *group);

/* Writes the header for `body` (length and SHA-256 included) to `frame`. */
void message_encode_header(const struct message_header *header, const void *body, size_t body_len,
    uint8_t frame[MESSAGE_HEADER_SIZE]);
/* Checks magic, major version, length and hash. False: `error` says which. */
bool message_decode_header(const void *frame, size_t frame_len, const void *body, size_t body_len,
    struct message_header *header, char error[MESSAGE_ERROR_TEXT])
    __attribute__((warn_unused_result));

/* The bodies are declared by the owner of this file below, each with encode (to a JSON text,
 * free()) and decode. */
#include "proto/message_bodies.h"

#endif
