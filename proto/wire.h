/* Bytes of a fixed header: a bounded reader and a bounded writer in network order. Both keep a
 * sticky error, so a caller reads or writes everything and asks once at the end. */
#ifndef EKSGATE_PROTO_WIRE_H
#define EKSGATE_PROTO_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Plain values; {.data = d, .len = n} begins. */
struct wire_reader {
	const uint8_t *data;
	size_t len;
	size_t at;
	bool is_bad;
};

struct wire_writer {
	uint8_t *data;
	size_t cap;
	size_t len;
	bool is_bad;
};

/* What lies beyond the end reads as zeros and makes the reader bad. */
uint8_t wire_read_u8(struct wire_reader *reader);
uint32_t wire_read_u32(struct wire_reader *reader);
uint64_t wire_read_u64(struct wire_reader *reader);
void wire_read_bytes(struct wire_reader *reader, void *to, size_t len);
/* Everything was there and nothing is left. */
bool wire_read_end(const struct wire_reader *reader) __attribute__((warn_unused_result));

/* What does not fit is not written and makes the writer bad. */
void wire_write_u8(struct wire_writer *writer, uint8_t value);
void wire_write_u32(struct wire_writer *writer, uint32_t value);
void wire_write_u64(struct wire_writer *writer, uint64_t value);
void wire_write_bytes(struct wire_writer *writer, const void *data, size_t len);
/* Everything fitted and the buffer is full. */
bool wire_write_end(const struct wire_writer *writer) __attribute__((warn_unused_result));

#endif
