/* Patterns of rules. A collision of hashes is settled by the texts themselves. */
#include "kubeproxyd/policy/matcher.h"

#include <stdlib.h>
#include <string.h>

#include "common/xmem.h"

/* FNV-1a. */
static uint64_t hash_of(const char *text)
{
	uint64_t hash = 14695981039346656037u;
	for (; *text != '\0'; text++)
		hash = (hash ^ (unsigned char)*text) * 1099511628211u;
	return hash;
}

struct word word_of(const char *text)
{
	return (struct word){text, hash_of(text)};
}

void matcher_init_text(struct matcher *matcher, const char *text)
{
	*matcher =
	    (struct matcher){.kind = MATCHER_TEXT, .hash = hash_of(text), .text = xstrdup(text)};
}

bool matcher_init(struct matcher *matcher, const char *text, char **error)
{
	size_t len = strlen(text);
	bool is_regex = len >= 2 && text[0] == '^' && text[len - 1] == '$';
	*matcher = (struct matcher){.kind = MATCHER_ANY};
	if (strcmp(text, "*") == 0)
		return true;
	if (!is_regex && strchr(text, '*') == NULL) {
		matcher_init_text(matcher, text);
		return true;
	}
	if (!is_regex && strchr(text, '*') == text + len - 1) {
		*matcher = (struct matcher){
		    .kind = MATCHER_PREFIX, .text = xstrdup(text), .prefix_len = len - 1};
		return true;
	}
	struct pattern *pattern = pattern_new_strict(text, error);
	if (pattern != NULL)
		*matcher = (struct matcher){
		    .kind = MATCHER_PATTERN, .text = xstrdup(text), .pattern = pattern};
	return pattern != NULL;
}

void matcher_free(struct matcher *matcher)
{
	free(matcher->text);
	pattern_free(&matcher->pattern);
	*matcher = (struct matcher){0};
}

const char *matcher_text(const struct matcher *matcher)
{
	return matcher->kind == MATCHER_ANY ? "*" : matcher->text;
}
