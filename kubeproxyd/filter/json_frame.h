/* Finds where a JSON value ends, looking at nothing but quotes and brackets: fast, and in whatever
 * pieces it comes. What lies between may be anything; json_cursor.h reads it. Pure. */
#ifndef EKSGATE_JSON_FRAME_H
#define EKSGATE_JSON_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"

enum json_frame_state { FRAME_BEGIN, FRAME_BETWEEN, FRAME_STRING, FRAME_ESCAPE, FRAME_SCALAR };

/* A plain value; {0} begins another value. */
struct json_frame {
	enum json_frame_state state;
	size_t depth;
};

/* Reads on; the value begins with the first byte. True: it ends behind *used bytes. False: it goes
 * on behind all of them. Numbers and words end before the byte that ends them. */
bool json_frame_feed(
    struct json_frame *frame, const uint8_t *data, size_t len, size_t *used) MUST_USE;

static inline bool json_is_space(uint8_t c)
{
	return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the lowest byte is the first in memory");

/* A bit in every byte of the word that is `byte` (exact in the lowest one that is set). */
static inline uint64_t json_bytes_equal(uint64_t word, uint8_t byte)
{
	const uint64_t ones = 0x0101010101010101u;
	uint64_t x = word ^ (ones * byte);
	return (x - ones) & ~x & (ones << 7);
}

#endif
