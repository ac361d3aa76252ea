/* A pattern for one attribute of requests, made so that most comparisons are of two integers. Pure.
 */
#ifndef EKSGATE_MATCHER_H
#define EKSGATE_MATCHER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/pattern.h"

/* An attribute of a request and its hash. */
struct word {
	const char *text;
	uint64_t hash;
};

struct word word_of(const char *text);

enum matcher_kind { MATCHER_ANY, MATCHER_TEXT, MATCHER_PREFIX, MATCHER_PATTERN };

/* A plain value; matcher_free() releases. */
struct matcher {
	enum matcher_kind kind;
	uint64_t hash; /* of a text */
	size_t prefix_len; /* of "web-*" */
	char *text; /* a text, or how the pattern is written; NULL: any */
	struct pattern *pattern;
};

/* "*", a text, a glob or a regular expression from '^' to '$'. False: *error says why (free()). */
bool matcher_init(struct matcher *matcher, const char *text, char **error) MUST_USE;
/* The text as it stands, whatever it looks like. */
void matcher_init_text(struct matcher *matcher, const char *text);
void matcher_free(struct matcher *matcher);

static inline bool word_is(const struct word *word, const struct word *other)
{
	return word->hash == other->hash && __builtin_strcmp(word->text, other->text) == 0;
}

static inline bool matcher_takes(const struct matcher *matcher, const struct word *word)
{
	if (matcher->kind == MATCHER_ANY)
		return true;
	if (matcher->kind == MATCHER_TEXT)
		return matcher->hash == word->hash &&
		       __builtin_strcmp(matcher->text, word->text) == 0;
	if (matcher->kind == MATCHER_PREFIX)
		return __builtin_strncmp(matcher->text, word->text, matcher->prefix_len) == 0;
	return pattern_match(matcher->pattern, word->text);
}

/* As it is written. */
const char *matcher_text(const struct matcher *matcher);

#endif
