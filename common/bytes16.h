/* Looks at text, or copies it, sixteen bytes at a time (GCC: Vector Extensions). What is looked for
 * is written once, as an expression on all sixteen; it yields 0xff for each byte that was found,
 * else 0. They are signed: those above 0x7f are less than 0. */
#ifndef EKSGATE_BYTES16_H
#define EKSGATE_BYTES16_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef signed char bytes16 __attribute__((vector_size(16)));
typedef bytes16 bytes16_find(bytes16 bytes);

static inline bytes16 bytes16_load(const char *text)
{
	bytes16 bytes;
	memcpy(&bytes, text, sizeof bytes);
	return bytes;
}

/* The same eight bytes, or fewer, twice. */
static inline bytes16 bytes16_twice(uint64_t eight)
{
	const uint64_t halves[2] = {eight, eight};
	bytes16 bytes;
	memcpy(&bytes, halves, sizeof bytes);
	return bytes;
}

/* For a text of 1 to 7 bytes: eight bytes of which each is one of the text's, some more than once
 * and none left out. */
static inline uint64_t bytes8_cover(const char *text, size_t len)
{
	if (len >= 4) {
		uint32_t begin, end;
		memcpy(&begin, text, sizeof begin);
		memcpy(&end, text + len - sizeof end, sizeof end);
		return (uint64_t)end << 32 | begin;
	}
	const uint64_t first = (uint8_t)text[0], middle = (uint8_t)text[len / 2];
	const uint64_t four = first << 24 | first << 16 | middle << 8 | (uint8_t)text[len - 1];
	return four << 32 | four;
}

/* The same for 1 to 15 bytes. */
static inline bytes16 bytes16_cover(const char *text, size_t len)
{
	if (len < 8)
		return bytes16_twice(bytes8_cover(text, len));
	uint64_t halves[2];
	bytes16 bytes;
	memcpy(&halves[0], text, 8);
	memcpy(&halves[1], text + len - 8, 8);
	memcpy(&bytes, halves, sizeof bytes);
	return bytes;
}

/* mempcpy() without a call, for texts of which most are short. Some bytes may be copied twice. */
static inline __attribute__((always_inline)) char *bytes16_copy(
    char *to, const char *from, size_t len)
{
	if (len >= sizeof(bytes16)) {
		const size_t last = len - sizeof(bytes16);
		for (size_t at = 0; at < last; at += sizeof(bytes16))
			memcpy(to + at, from + at, sizeof(bytes16));
		memcpy(to + last, from + last, sizeof(bytes16));
	} else if (len >= 8) {
		memcpy(to, from, 8);
		memcpy(to + len - 8, from + len - 8, 8);
	} else if (len >= 4) {
		memcpy(to, from, 4);
		memcpy(to + len - 4, from + len - 4, 4);
	} else if (len > 0) {
		to[0] = from[0];
		to[len / 2] = from[len / 2];
		to[len - 1] = from[len - 1];
	}
	return to + len;
}

/* A bit for each byte that was found. */
static inline unsigned bytes16_bits(bytes16 found)
{
#ifdef __SSE2__
	typedef char flags __attribute__((vector_size(16)));
	return (unsigned)__builtin_ia32_pmovmskb128((flags)found);
#else
	unsigned bits = 0;
	for (unsigned i = 0; i < sizeof found; i++)
		bits |= (found[i] & 1u) << i;
	return bits;
#endif
}

/* Whether nothing was found. */
static inline bool bytes16_is_zero(bytes16 found)
{
	return bytes16_bits(found) == 0;
}

/* As whole words: of bytes that are all or nothing GCC 12 makes more than one instruction. */
static inline bytes16 bytes16_or(bytes16 a, bytes16 b)
{
	typedef uint64_t words __attribute__((vector_size(16)));
	return (bytes16)((words)a | (words)b);
}

/* Whether `find` finds nothing in the text. The last bytes of a longer one are looked at twice.
 * Inlined, so that `find` costs no call. */
static inline __attribute__((always_inline)) bool bytes16_are_free_of(
    bytes16_find *find, const char *text, size_t len)
{
	if (len < sizeof(bytes16))
		return len == 0 || bytes16_is_zero(find(bytes16_cover(text, len)));
	bytes16 found = find(bytes16_load(text + len - sizeof found));
	for (size_t at = 0; at + sizeof found < len; at += sizeof found)
		found = bytes16_or(found, find(bytes16_load(text + at)));
	return bytes16_is_zero(found);
}

/* The same, and copies the text to `at`, where nothing of it stands. */
static inline __attribute__((always_inline)) bool bytes16_copy_free_of(
    bytes16_find *find, char *at, const char *text, size_t len)
{
	if (len < sizeof(bytes16)) {
		(void)bytes16_copy(at, text, len);
		return len == 0 || bytes16_is_zero(find(bytes16_cover(text, len)));
	}
	const size_t last = len - sizeof(bytes16);
	bytes16 block = bytes16_load(text + last), found = find(block);
	memcpy(at + last, &block, sizeof block);
	for (size_t next = 0; next < last; next += sizeof block) {
		block = bytes16_load(text + next);
		found = bytes16_or(found, find(block));
		memcpy(at + next, &block, sizeof block);
	}
	return bytes16_is_zero(found);
}

#endif
