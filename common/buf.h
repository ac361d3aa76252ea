/* A growable byte buffer that keeps a NUL behind its last byte, so that text in it can be read as a
 * C string. */
#ifndef EKSGATE_BUF_H
#define EKSGATE_BUF_H

#include <stddef.h>
#include <string.h>

#include "common/attr.h"

/* A plain value: {0} is an empty buffer. `data` is NULL until the first append. */
struct buf {
	char *data;
	size_t len;
	size_t cap;
};

/* For buf_make_room() alone: there is too little. */
void buf_grow(struct buf *b, size_t more);
/* Makes room for `more` bytes at once: appending them moves nothing. */
static inline void buf_make_room(struct buf *b, size_t more)
{
	if (more >= b->cap - b->len)
		buf_grow(b, more);
}
/* Makes room for `len` more bytes and returns where they go; buf_commit() then says how many were
 * written. */
MUST_USE static inline char *buf_reserve(struct buf *b, size_t len)
{
	buf_make_room(b, len);
	return b->data + b->len;
}
static inline void buf_commit(struct buf *b, size_t len)
{
	b->len += len;
	b->data[b->len] = '\0';
}
static inline void buf_append(struct buf *b, const void *data, size_t len)
{
	buf_make_room(b, len);
	if (len > 0)
		memcpy(b->data + b->len, data, len);
	buf_commit(b, len);
}
static inline void buf_append_text(struct buf *b, const char *text)
{
	buf_append(b, text, strlen(text));
}
static inline void buf_append_char(struct buf *b, char c)
{
	buf_make_room(b, 1);
	b->data[b->len++] = c;
	b->data[b->len] = '\0';
}
/* Text of others: each byte that is no part of UTF-8 becomes U+FFFD. */
void buf_append_utf8(struct buf *b, const char *text, size_t len);
void buf_printf(struct buf *b, const char *format, ...) PRINTF_LIKE(2, 3);
/* Drops the first `len` bytes (at most all). */
void buf_consume(struct buf *b, size_t len);
/* Empties the buffer and keeps its memory. */
void buf_clear(struct buf *b);
/* "" for an empty buffer, never NULL. */
const char *buf_text(const struct buf *b);
/* The text becomes the caller's (free()); the buffer is empty afterwards. Never NULL. */
char *buf_take(struct buf *b) MUST_USE;
void buf_free(struct buf *b);
/* Wipes the bytes before freeing them. */
void buf_free_secret(struct buf *b);

#endif
