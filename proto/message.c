/* The envelope of bus messages: the fixed header with its SHA-256, the names of the types, and the
 * digest of a set of items. Bodies are message_bodies.c's. Pure; both daemons and the tap call it.
 */
#include "proto/message.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/wire.h"

#define MAGIC	    "EKB1"
#define MAGIC_SIZE  4
#define HASH_SIZE   32
#define HASHED_SIZE (MESSAGE_HEADER_SIZE - HASH_SIZE)

struct span {
	const void *data;
	size_t len;
};

/* SHA-256 over up to three spans. libcrypto fails here only when it has no memory. */
static void hash_spans(const struct span *spans, size_t count, uint8_t hash[HASH_SIZE])
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	bool is_good = context != NULL && EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1;
	for (size_t i = 0; is_good && i < count; i++)
		is_good = EVP_DigestUpdate(context, spans[i].data, spans[i].len) == 1;
	if (!is_good || EVP_DigestFinal_ex(context, hash, NULL) != 1)
		abort();
	EVP_MD_CTX_free(context);
}

const char *message_type_name(unsigned type)
{
	static const char *const names[] = {NULL, "HELLO", "WELCOME", "SNAPSHOT_BEGIN",
	    "SNAPSHOT_CHUNK", "SNAPSHOT_END", "DELTA", "HEARTBEAT", "ACK", "REJECT", "BYE",
	    "REFRESH", "TASK_RESULT", "TASK", "REPORT"};
	type &= ~MESSAGE_TYPE_OPTIONAL;
	return type < sizeof names / sizeof names[0] ? names[type] : NULL;
}

void message_digest_toggle(struct message_digest *set, const char *name, int64_t revision,
    const char *resource, size_t resource_len)
{
	uint8_t number[8], hash[HASH_SIZE];
	struct wire_writer writer = {.data = number, .cap = sizeof number};
	wire_write_u64(&writer, (uint64_t)revision);
	struct span spans[] = {
	    {name, strlen(name) + 1}, {number, sizeof number}, {resource, resource_len}};
	hash_spans(spans, 3, hash);
	for (size_t i = 0; i < MESSAGE_DIGEST_SIZE; i++)
		set->bytes[i] ^= hash[i];
}

bool message_digest_equal(const struct message_digest *a, const struct message_digest *b)
{
	return memcmp(a->bytes, b->bytes, MESSAGE_DIGEST_SIZE) == 0;
}

uint64_t message_group_id(const char *group)
{
	uint8_t hash[HASH_SIZE];
	hash_spans(&(struct span){group, strlen(group)}, 1, hash);
	struct wire_reader reader = {.data = hash, .len = sizeof hash};
	return wire_read_u64(&reader);
}

void message_encode_header(const struct message_header *header, const void *body, size_t body_len,
    uint8_t frame[MESSAGE_HEADER_SIZE])
{
	struct wire_writer writer = {.data = frame, .cap = MESSAGE_HEADER_SIZE};
	wire_write_bytes(&writer, MAGIC, MAGIC_SIZE);
	wire_write_u8(&writer, header->version_major);
	wire_write_u8(&writer, header->version_minor);
	wire_write_u8(&writer, header->type);
	wire_write_u8(&writer, 0);
	wire_write_u64(&writer, header->group);
	wire_write_u64(&writer, header->epoch);
	wire_write_u64(&writer, header->instance);
	wire_write_u64(&writer, header->base_sequence);
	wire_write_u64(&writer, header->sequence);
	wire_write_u32(&writer, header->count);
	wire_write_u32(&writer, (uint32_t)body_len);
	wire_write_bytes(&writer, header->digest.bytes, MESSAGE_DIGEST_SIZE);
	uint8_t hash[HASH_SIZE];
	hash_spans((struct span[]){{frame, HASHED_SIZE}, {body, body_len}}, 2, hash);
	wire_write_bytes(&writer, hash, HASH_SIZE);
	if (!wire_write_end(&writer))
		abort();
}

static bool fail(char error[MESSAGE_ERROR_TEXT], const char *what)
{
	snprintf(error, MESSAGE_ERROR_TEXT, "%s", what);
	return false;
}

/* Reads the fields and returns the body length that the header claims. */
static uint32_t read_fields(struct wire_reader *reader, struct message_header *header)
{
	uint8_t magic[MAGIC_SIZE];
	wire_read_bytes(reader, magic, sizeof magic);
	if (memcmp(magic, MAGIC, MAGIC_SIZE) != 0)
		reader->is_bad = true;
	header->version_major = wire_read_u8(reader);
	header->version_minor = wire_read_u8(reader);
	header->type = wire_read_u8(reader);
	wire_read_u8(reader);
	header->group = wire_read_u64(reader);
	header->epoch = wire_read_u64(reader);
	header->instance = wire_read_u64(reader);
	header->base_sequence = wire_read_u64(reader);
	header->sequence = wire_read_u64(reader);
	header->count = wire_read_u32(reader);
	uint32_t body_len = wire_read_u32(reader);
	wire_read_bytes(reader, header->digest.bytes, MESSAGE_DIGEST_SIZE);
	return body_len;
}

bool message_decode_header(const void *frame, size_t frame_len, const void *body, size_t body_len,
    struct message_header *header, char error[MESSAGE_ERROR_TEXT])
{
	if (frame_len != MESSAGE_HEADER_SIZE) {
		snprintf(error, MESSAGE_ERROR_TEXT, "a header of %zu bytes instead of %d",
		    frame_len, MESSAGE_HEADER_SIZE);
		return false;
	}
	struct wire_reader reader = {.data = frame, .len = frame_len};
	uint32_t claimed = read_fields(&reader, header);
	uint8_t claimed_hash[HASH_SIZE], hash[HASH_SIZE];
	wire_read_bytes(&reader, claimed_hash, HASH_SIZE);
	if (!wire_read_end(&reader))
		return fail(error, "no bus message: the magic is not EKB1");
	if (header->version_major != MESSAGE_VERSION_MAJOR) {
		snprintf(error, MESSAGE_ERROR_TEXT,
		    "protocol version %u.%u is not spoken here, only %d.x", header->version_major,
		    header->version_minor, MESSAGE_VERSION_MAJOR);
		return false;
	}
	if (claimed != body_len || body_len > MESSAGE_BODY_MAX) {
		snprintf(error, MESSAGE_ERROR_TEXT,
		    "a body of %zu bytes, the header says %u, at most %zu", body_len, claimed,
		    MESSAGE_BODY_MAX);
		return false;
	}
	hash_spans((struct span[]){{frame, HASHED_SIZE}, {body, body_len}}, 2, hash);
	if (memcmp(hash, claimed_hash, HASH_SIZE) != 0)
		return fail(error, "the SHA-256 of the message does not match");
	return true;
}
