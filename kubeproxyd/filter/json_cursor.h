/* Reads JSON that is all there (RFC 8259), strictly: what any reader could take for something else
 * is refused. No tree is built; the caller walks. Pure. */
#ifndef EKSGATE_JSON_CURSOR_H
#define EKSGATE_JSON_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"

/* As deep as Go's own reader goes, and so API servers. */
#define JSON_DEPTH_MAX 10000

/* {begin, end} initialises. Whoever got a false must not go on. */
struct json_cursor {
	const uint8_t *at, *end;
};

/* What stands between the quotes. */
struct cursor_text {
	const uint8_t *bytes;
	size_t len;
	bool has_escapes;
};

/* Each reads one thing from where the cursor stands, white space before it included. False: it is
 * not there, or not sound. */
bool cursor_read_char(struct json_cursor *cursor, uint8_t c) MUST_USE;
bool cursor_read_string(struct json_cursor *cursor, struct cursor_text *text) MUST_USE;
bool cursor_read_value(struct json_cursor *cursor) MUST_USE;
/* Whether nothing but white space is left. */
bool cursor_is_at_end(struct json_cursor *cursor) MUST_USE;
/* The next thing, 0 at the end; nothing is read. */
uint8_t cursor_peek(struct json_cursor *cursor) MUST_USE;

enum cursor_step { CURSOR_NEXT, CURSOR_END, CURSOR_BAD };

/* Members one by one, behind the '{'; the value is the caller's to read before the next call.
 * *is_first begins as true. */
enum cursor_step cursor_next_member(
    struct json_cursor *cursor, bool *is_first, struct cursor_text *key) MUST_USE;
/* The same for elements, behind the '['. */
enum cursor_step cursor_next_element(struct json_cursor *cursor, bool *is_first) MUST_USE;

/* Whether it says this word once it is unescaped. */
bool cursor_text_is(const struct cursor_text *text, const char *word) MUST_USE;
/* Unescapes into `out`, NUL-terminated. False: it does not fit, or holds a NUL or half a character.
 */
bool cursor_text_copy(const struct cursor_text *text, char *out, size_t size) MUST_USE;

#endif
