/* Near misses by what people get wrong: case, white space, punctuation, a letter. Used by the
 * explanations of selectors (common/labels). */
#include "common/near_miss.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/edit_distance.h"
#include "common/xmem.h"

/* Shorter words are one letter away from too many others. */
#define SHORTEST_MISSPELT 3

static const char CASE[] = "differs in upper and lower case only";
static const char SPACE[] = "differs in white space at its ends only";
static const char CASE_AND_SPACE[] = "differs in case and white space only";
static const char PUNCTUATION[] = "differs in punctuation only";
static const char ONE_LETTER[] = "is one letter away";
static const char TWO_LETTERS[] = "is two letters away";

static bool is_space(char c)
{
	return isspace((unsigned char)c) != 0;
}

/* Without the white space at its ends (free()). */
static char *trimmed(const char *text)
{
	while (is_space(*text))
		text++;
	size_t len = strlen(text);
	while (len > 0 && is_space(text[len - 1]))
		len--;
	return xstrndup(text, len);
}

/* Each character as `convert` makes it (free()). */
static char *converted(const char *text, int (*convert)(int c))
{
	char *copy = xstrdup(text);
	for (char *at = copy; *at != '\0'; at++)
		*at = (char)convert((unsigned char)*at);
	return copy;
}

/* Letters and digits alone, in lower case (free()). */
static char *bare(const char *text)
{
	char *copy = xstrdup(text), *to = copy;
	for (; *text != '\0'; text++) {
		unsigned char c = (unsigned char)*text;
		if (isalnum(c) || c >= 0x80)
			*to++ = (char)tolower(c);
	}
	*to = '\0';
	return copy;
}

static const char *compare_trimmed(const char *wanted, const char *found)
{
	char *a = trimmed(wanted), *b = trimmed(found);
	const char *what = NULL;
	if (strcmp(a, b) == 0)
		what = SPACE;
	else if (strcasecmp(a, b) == 0)
		what = CASE_AND_SPACE;
	free(a);
	free(b);
	return what;
}

static bool is_same_bare(const char *wanted, const char *found)
{
	char *a = bare(wanted), *b = bare(found);
	bool is_same = *a != '\0' && strcmp(a, b) == 0;
	free(a);
	free(b);
	return is_same;
}

static const char *misspelling(const char *wanted, const char *found)
{
	size_t len = strlen(wanted);
	size_t distance = edit_distance(wanted, len, found, strlen(found));
	if (len < SHORTEST_MISSPELT)
		return NULL;
	if (distance == 1)
		return ONE_LETTER;
	return distance == 2 && len >= 2 * SHORTEST_MISSPELT ? TWO_LETTERS : NULL;
}

const char *near_miss(const char *wanted, const char *found)
{
	if (strcmp(wanted, found) == 0)
		return NULL;
	if (strcasecmp(wanted, found) == 0)
		return CASE;
	const char *what = compare_trimmed(wanted, found);
	if (what != NULL)
		return what;
	return is_same_bare(wanted, found) ? PUNCTUATION : misspelling(wanted, found);
}

/* Takes `variant`. */
static bool matches(const struct pattern *wanted, char *variant)
{
	bool is_match = pattern_match(wanted, variant);
	free(variant);
	return is_match;
}

const char *near_miss_pattern(const struct pattern *wanted, const char *found)
{
	if (pattern_match(wanted, found))
		return NULL;
	const char *what = near_miss(pattern_text(wanted), found);
	if (what != NULL)
		return what;
	if (matches(wanted, converted(found, tolower)) ||
	    matches(wanted, converted(found, toupper)))
		return CASE;
	return matches(wanted, trimmed(found)) ? SPACE : NULL;
}
