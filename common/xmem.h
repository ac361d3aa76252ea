/* Memory that never fails: each function aborts the process with a message when there is none
 * (design.md 8). Everything returned is released with free(). */
#ifndef EKSGATE_XMEM_H
#define EKSGATE_XMEM_H

#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"

void *xmalloc(size_t size) MUST_USE;
void *xcalloc(size_t count, size_t size) MUST_USE;
void *xrealloc(void *old, size_t size) MUST_USE;
/* Grows an array to hold `count` elements of `size` bytes; aborts on overflow of the product. */
void *xreallocarray(void *old, size_t count, size_t size) MUST_USE;
char *xstrdup(const char *text) MUST_USE;
/* NULL stays NULL. */
char *xstrdup_or_null(const char *text) MUST_USE;
/* Copies `len` bytes and adds a NUL. */
char *xstrndup(const char *text, size_t len) MUST_USE;
void *xmemdup(const void *data, size_t len) MUST_USE;
char *xasprintf(const char *format, ...) PRINTF_LIKE(1, 2) MUST_USE;

/* Frees what *pointer holds and sets it to NULL; for strings and plain arrays. */
void xfree(void *pointer_to_pointer);
/* Wipes a NUL-terminated secret before freeing it; *text becomes NULL. */
void xfree_secret(char **text);

/* How often the calling thread asked for memory. */
struct xmem_counts {
	uint64_t ours, libevent;
};
struct xmem_counts xmem_counts(void) MUST_USE;

/* Makes libevent use these functions. Call once, before any other use of libevent. */
void xmem_use_for_libevent(void);

#endif
