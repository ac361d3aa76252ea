/* See the header. Called with the credential_process of a profile. */
#include "common/aws_words.h"

#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/xmem.h"

#define BLANKS " \t\r\n"

/* Reads up to the closing quote; NULL when there is none. */
static const char *read_quoted(const char *p, struct buf *word)
{
	char quote = *p++;
	for (; *p != '\0' && *p != quote; p++) {
		if (quote == '"' && *p == '\\' && (p[1] == '"' || p[1] == '\\'))
			p++;
		buf_append_char(word, *p);
	}
	return *p == quote ? p + 1 : NULL;
}

/* Reads one word; NULL: *error. */
static const char *read_word(const char *p, struct buf *word, const char **error)
{
	while (*p != '\0' && strchr(BLANKS, *p) == NULL) {
		if (*p == '\'' || *p == '"') {
			p = read_quoted(p, word);
			if (p == NULL) {
				*error = "a quote is not closed";
				return NULL;
			}
			continue;
		}
		if (*p == '\\' && *++p == '\0') {
			*error = "it ends in a backslash";
			return NULL;
		}
		buf_append_char(word, *p++);
	}
	return p;
}

char **aws_words_split(const char *text, const char **error)
{
	size_t count = 0;
	char **words = xcalloc(1, sizeof *words);
	for (const char *p = text + strspn(text, BLANKS); *p != '\0'; p += strspn(p, BLANKS)) {
		struct buf word = {0};
		p = read_word(p, &word, error);
		if (p == NULL) {
			buf_free_secret(&word);
			aws_words_free(&words);
			return NULL;
		}
		words = xreallocarray(words, count + 2, sizeof *words);
		words[count++] = buf_take(&word);
		words[count] = NULL;
	}
	if (count == 0 || *words[0] == '\0') {
		*error = "it names no program";
		aws_words_free(&words);
	}
	return words;
}

void aws_words_free(char ***handle)
{
	char **words = *handle;
	*handle = NULL;
	for (size_t i = 0; words != NULL && words[i] != NULL; i++)
		xfree_secret(&words[i]);
	free(words);
}
