/* The growable byte buffer. Growth is by doubling from 64 bytes; callers bound what they put in. */
#include "common/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/utf8.h"
#include "common/xmem.h"

#define FIRST_CAPACITY 64

/* What stood in the old place is wiped: buffers hold credentials. Of large ones, too: once as large
 * a block was freed, the C library takes them from the heap, where realloc() copies (mallopt(3),
 * M_MMAP_THRESHOLD). */
static char *move(struct buf *b, size_t cap)
{
	if (b->data == NULL)
		return xmalloc(cap);
	char *data = memcpy(xmalloc(cap), b->data, b->len);
	explicit_bzero(b->data, b->cap);
	free(b->data);
	return data;
}

void buf_grow(struct buf *b, size_t more)
{
	if (more > (size_t)-1 / 2 - b->len)
		abort();
	size_t want = b->len + more + 1;
	size_t cap = b->cap > 0 ? b->cap : FIRST_CAPACITY;
	while (cap < want)
		cap *= 2;
	b->data = move(b, cap);
	b->cap = cap;
	b->data[b->len] = '\0';
}

void buf_append_utf8(struct buf *b, const char *text, size_t len)
{
	static const char replacement[] = "\xef\xbf\xbd";
	const char *end = text + len, *sound = text;
	for (size_t step; text < end; text += step) {
		step = utf8_length(text, end);
		if (step > 0)
			continue;
		buf_append(b, sound, (size_t)(text - sound));
		buf_append_text(b, replacement);
		step = 1;
		sound = text + step;
	}
	buf_append(b, sound, (size_t)(end - sound));
}

void buf_printf(struct buf *b, const char *format, ...)
{
	va_list args, again;
	va_start(args, format);
	va_copy(again, args);
	int len = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (len < 0)
		abort();
	buf_make_room(b, (size_t)len);
	vsnprintf(b->data + b->len, (size_t)len + 1, format, again);
	va_end(again);
	b->len += (size_t)len;
}

void buf_consume(struct buf *b, size_t len)
{
	if (len >= b->len) {
		buf_clear(b);
		return;
	}
	memmove(b->data, b->data + len, b->len - len + 1);
	b->len -= len;
}

void buf_clear(struct buf *b)
{
	b->len = 0;
	if (b->data != NULL)
		b->data[0] = '\0';
}

const char *buf_text(const struct buf *b)
{
	return b->data != NULL ? b->data : "";
}

char *buf_take(struct buf *b)
{
	char *text = b->data != NULL ? b->data : xstrdup("");
	*b = (struct buf){0};
	return text;
}

void buf_free(struct buf *b)
{
	free(b->data);
	*b = (struct buf){0};
}

void buf_free_secret(struct buf *b)
{
	if (b->data != NULL)
		explicit_bzero(b->data, b->cap);
	buf_free(b);
}
