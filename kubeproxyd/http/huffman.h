/* The Huffman code of HPACK (RFC 7541, 5.2 and appendix B). Pure. */
#ifndef EKSGATE_HUFFMAN_H
#define EKSGATE_HUFFMAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"

/* Where huffman_decode() writes has to have this much room for `len` bytes of code: the shortest
 * code has five bits, and two letters are written at a time. */
static inline size_t huffman_decode_room(size_t len)
{
	return len * 8 / 5 + 2;
}

/* False: more than seven bits of padding, padding that is not ones, or the code of the end of the
 * string in it; `out` then holds anything. */
bool huffman_decode(char *out, size_t *out_len, const uint8_t *code, size_t len) MUST_USE;

#endif
