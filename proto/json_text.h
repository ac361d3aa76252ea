/* The JSON of message bodies: a writer, and a strict pull reader that builds no document. A string
 * comes out exactly as it went in, so a resource that is carried in one keeps its digest. RFC 8259,
 * and stricter: UTF-8 only, no NUL in strings, integers within
 * +-(2^53 - 1), at most JSON_TEXT_DEPTH deep. */
#ifndef EKSGATE_PROTO_JSON_TEXT_H
#define EKSGATE_PROTO_JSON_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define JSON_TEXT_DEPTH	  16
#define JSON_TEXT_KEY	  32 /* longest key that is told apart, NUL included */
#define JSON_TEXT_ERROR	  160
#define JSON_TEXT_INT_MAX INT64_C(9007199254740991)

/* {0} is an empty text. Running out of memory aborts. */
struct json_writer {
	char *data; /* NUL-terminated once something was written; free() */
	size_t len;
	size_t cap;
	bool is_secret; /* no copy is left behind while it grows; wiping the text is the caller's */
};

void json_write(struct json_writer *writer, const char *text);
void json_write_int(struct json_writer *writer, int64_t value);
/* Quoted and escaped; bytes that are no UTF-8 become '?'. */
void json_write_string(struct json_writer *writer, const char *text, size_t len);

/* The error is sticky: after the first one every call returns false (or does nothing) and `error`
 * keeps the first reason, with the byte where it was found. */
struct json_reader {
	const char *text;
	size_t len;
	size_t at;
	unsigned depth;
	bool is_bad;
	bool is_first; /* no member or element of the current object or array was read yet */
	char error[JSON_TEXT_ERROR];
};

/* json_read_member() goes to the next member of an object that was begun, and is false at its end;
 * the caller then reads or skips exactly one value. Longer keys than JSON_TEXT_KEY are cut (no
 * member of ours is that long). */
bool json_read_object(struct json_reader *reader) __attribute__((warn_unused_result));
bool json_read_member(struct json_reader *reader, char key[JSON_TEXT_KEY])
    __attribute__((warn_unused_result));
/* The same for an array. */
bool json_read_array(struct json_reader *reader) __attribute__((warn_unused_result));
bool json_read_element(struct json_reader *reader) __attribute__((warn_unused_result));
/* *value is NUL-terminated and the caller's (free()); NULL on failure. At most `max` bytes. */
bool json_read_string(struct json_reader *reader, char **value, size_t *len, size_t max)
    __attribute__((warn_unused_result));
bool json_read_int(struct json_reader *reader, int64_t *value) __attribute__((warn_unused_result));
bool json_read_bool(struct json_reader *reader, bool *value) __attribute__((warn_unused_result));
void json_skip(struct json_reader *reader);
/* No error so far, everything closed, nothing behind. */
bool json_read_end(struct json_reader *reader) __attribute__((warn_unused_result));
/* Makes the reader bad with "WHAT at byte N". */
void json_reader_fail(struct json_reader *reader, const char *what);

#endif
