/* Comparing words. Most that are compared differ in the first byte: looking at it saves the call,
 * which counts where every request asks for dozens of words. */
#ifndef EKSGATE_TEXT_H
#define EKSGATE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

static inline bool text_is(const char *text, const char *word)
{
	return *text == *word && strcmp(text, word) == 0;
}

/* The same of a part of a text, whose length is known. A `word` that stands in the code costs no
 * call. */
static inline bool text_part_is(const char *part, size_t len, const char *word)
{
	return len == strlen(word) && memcmp(part, word, strlen(word)) == 0;
}

/* `start` has two bytes or more, of which mostly the second tells. */
static inline bool text_begins(const char *text, const char *start)
{
	return text[0] == start[0] && text[1] == start[1] &&
	       strncmp(text, start, strlen(start)) == 0;
}

/* `words` ends with NULL. */
static inline bool text_is_one_of(const char *text, const char *const *words)
{
	for (; *words != NULL; words++)
		if (text_is(text, *words))
			return true;
	return false;
}

#endif
