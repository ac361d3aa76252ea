/* A pattern is decided once what it is: anything, plain text, a glob or a regular expression. Pure.
 * Used by labels.c for selectors and by roles and bindings for names. */
#include "common/pattern.h"

#include <stdlib.h>
#include <string.h>

#include "common/regex.h"
#include "common/xmem.h"

enum pattern_kind { PATTERN_ANY, PATTERN_PLAIN, PATTERN_GLOB, PATTERN_REGEX };

struct pattern {
	enum pattern_kind kind;
	char *text;
	struct regex *regex;
};

static enum pattern_kind kind_of(const char *text)
{
	size_t len = strlen(text);
	if (strcmp(text, "*") == 0)
		return PATTERN_ANY;
	if (len >= 2 && text[0] == '^' && text[len - 1] == '$')
		return PATTERN_REGEX;
	return strchr(text, '*') != NULL ? PATTERN_GLOB : PATTERN_PLAIN;
}

/* The piece before the first '*' must begin the value, the one behind the last must end it, and
 * what stands between is found from left to right: the leftmost place is always good enough. */
static bool match_glob(const char *glob, const char *value)
{
	const char *end = value + strlen(value);
	const char *star = strchr(glob, '*');
	size_t len = (size_t)(star - glob);
	if (strncmp(value, glob, len) != 0)
		return false;
	const char *at = value + len;
	for (const char *piece = star + 1;; piece = star + 1) {
		star = strchrnul(piece, '*');
		len = (size_t)(star - piece);
		if (*star == '\0')
			return (size_t)(end - at) >= len && memcmp(end - len, piece, len) == 0;
		at = memmem(at, (size_t)(end - at), piece, len);
		if (at == NULL)
			return false;
		at += len;
	}
}

struct pattern *pattern_new(const char *text, char **error)
{
	struct pattern *pattern = xcalloc(1, sizeof(*pattern));
	pattern->kind = kind_of(text);
	pattern->text = xstrdup(text);
	if (pattern->kind == PATTERN_REGEX) {
		pattern->regex = regex_new(text, error);
		if (pattern->regex == NULL)
			pattern_free(&pattern);
	}
	return pattern;
}

/* Behind what begins at `at`: an escaped character, a class or one character. */
static const char *skip_one(const char *at)
{
	if (*at == '\\' && at[1] != '\0')
		return at + 2;
	if (*at != '[')
		return at + 1;
	at += at[1] == '^' ? 2 : 1;
	/* The first ']' stands for itself; "[:alpha:]" is one of what is in a class. */
	for (at += *at == ']'; *at != '\0' && *at != ']';) {
		const char *end = strncmp(at, "[:", 2) == 0 ? strstr(at, ":]") : NULL;
		if (end != NULL)
			at = end + 2;
		else
			at += *at == '\\' && at[1] != '\0' ? 2 : 1;
	}
	return at + (*at == ']');
}

/* Whether '|' divides the whole expression, '^' on one side and '$' on the other. */
static bool is_divided(const char *text)
{
	int depth = 0;
	for (const char *at = text; *at != '\0'; at = skip_one(at)) {
		depth += (*at == '(') - (*at == ')');
		if (*at == '|' && depth == 0)
			return true;
	}
	return false;
}

/* Whether the '$' at the end is a character of values, and so the end is open. */
static bool has_open_end(const char *text)
{
	size_t end = strlen(text) - 1, begin = end;
	while (begin > 0 && text[begin - 1] == '\\')
		begin--;
	return (end - begin) % 2 == 1;
}

/* Whether the '^' at the beginning may be left out: a star behind it is no glob's. */
static bool has_open_begin(const char *text)
{
	return text[1] == '*' || text[1] == '?' || strncmp(text + 1, "{0", 2) == 0;
}

struct pattern *pattern_new_strict(const char *text, char **error)
{
	if (kind_of(text) != PATTERN_REGEX)
		return pattern_new(text, error);
	if (has_open_begin(text)) {
		*error = xstrdup("what stands behind '^' makes it optional, so that anything may "
				 "come before; if that is meant, write ^.*");
		return NULL;
	}
	if (has_open_end(text)) {
		*error = xstrdup("it ends in a dollar sign and not in '$', so that anything may "
				 "follow; write \\$$");
		return NULL;
	}
	if (!is_divided(text))
		return pattern_new(text, error);
	*error =
	    xasprintf("a '|' outside of parentheses: it takes whatever begins with what stands "
		      "before the first or ends with what stands behind the last; write "
		      "^(%.*s)$",
		(int)strlen(text) - 2, text + 1);
	return NULL;
}

struct pattern *pattern_new_text(const char *text)
{
	struct pattern *pattern = xcalloc(1, sizeof(*pattern));
	pattern->kind = PATTERN_PLAIN;
	pattern->text = xstrdup(text);
	return pattern;
}

bool pattern_is_any(const struct pattern *pattern)
{
	return pattern->kind == PATTERN_ANY;
}

bool pattern_match(const struct pattern *pattern, const char *value)
{
	switch (pattern->kind) {
	case PATTERN_ANY:
		return true;
	case PATTERN_PLAIN:
		return strcmp(pattern->text, value) == 0;
	case PATTERN_GLOB:
		return match_glob(pattern->text, value);
	case PATTERN_REGEX:
		return regex_match(pattern->regex, value);
	}
	abort();
}

const char *pattern_text(const struct pattern *pattern)
{
	return pattern->text;
}

void pattern_free(struct pattern **pattern)
{
	if (*pattern == NULL)
		return;
	free((*pattern)->text);
	regex_free(&(*pattern)->regex);
	free(*pattern);
	*pattern = NULL;
}
