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

/* `words` ends with NULL. */
static inline bool text_is_one_of(const char *text, const char *const *words)
{
	for (; *words != NULL; words++)
		if (text_is(text, *words))
			return true;
	return false;
}

#endif
