/* Allocation that aborts instead of failing. Bounded tables and queues everywhere else make this
 * true in practice: a process that runs out of memory has a defect or a budget that is set wrong,
 * and systemd starts it anew. */
#include "common/xmem.h"

#include <event2/event.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static _Thread_local struct xmem_counts counts;

static void *checked(void *memory)
{
	counts.ours++;
	if (memory != NULL)
		return memory;
	static const char message[] = "out of memory, aborting\n";
	fputs(message, stderr);
	abort();
}

void *xmalloc(size_t size)
{
	return checked(malloc(size > 0 ? size : 1));
}

void *xcalloc(size_t count, size_t size)
{
	return checked(calloc(count > 0 ? count : 1, size > 0 ? size : 1));
}

void *xrealloc(void *old, size_t size)
{
	return checked(realloc(old, size > 0 ? size : 1));
}

void *xreallocarray(void *old, size_t count, size_t size)
{
	return checked(reallocarray(old, count > 0 ? count : 1, size > 0 ? size : 1));
}

char *xstrdup(const char *text)
{
	return checked(strdup(text));
}

char *xstrdup_or_null(const char *text)
{
	return text != NULL ? xstrdup(text) : NULL;
}

char *xstrndup(const char *text, size_t len)
{
	char *copy = xmalloc(len + 1);
	memcpy(copy, text, len);
	copy[len] = '\0';
	return copy;
}

void *xmemdup(const void *data, size_t len)
{
	void *copy = xmalloc(len);
	if (len > 0)
		memcpy(copy, data, len);
	return copy;
}

char *xasprintf(const char *format, ...)
{
	char *text = NULL;
	va_list args;
	va_start(args, format);
	int len = vasprintf(&text, format, args);
	va_end(args);
	return checked(len >= 0 ? text : NULL);
}

void xfree(void *pointer_to_pointer)
{
	void **pointer = pointer_to_pointer;
	free(*pointer);
	*pointer = NULL;
}

void xfree_secret(char **text)
{
	if (*text == NULL)
		return;
	explicit_bzero(*text, strlen(*text));
	xfree(text);
}

struct xmem_counts xmem_counts(void)
{
	return counts;
}

/* Its allocations are not ours. */
static void *libevent_malloc(size_t size)
{
	counts.ours--;
	counts.libevent++;
	return xmalloc(size);
}

static void *libevent_realloc(void *old, size_t size)
{
	counts.ours--;
	counts.libevent++;
	return xrealloc(old, size);
}

void xmem_use_for_libevent(void)
{
	event_set_mem_functions(libevent_malloc, libevent_realloc, free);
}
