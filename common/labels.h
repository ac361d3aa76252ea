/* Labels of a resource, and selectors over them with Teleport's semantics: AND over keys, OR over
 * values; a value is a pattern (common/pattern.h); key "*" with the one value "*" matches
 * everything; an empty selector matches nothing. Keys are exact. */
#ifndef EKSGATE_LABELS_H
#define EKSGATE_LABELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/pattern.h"

struct label {
	char *key;
	char *value;
};

/* Sorted by key, keys unique. {0} is empty. A plain value that owns its strings; they are changed
 * by the functions below alone. */
struct labels {
	struct label *items;
	size_t count;
	/* What they say, as a number that each change takes anew and copies share: where it is the
	 * same, they are. Different ones say nothing, and 0 is none. */
	uint64_t version;
};

/* Sets or replaces. */
void labels_set(struct labels *labels, const char *key, const char *value);
/* NULL when absent. */
const char *labels_get(const struct labels *labels, const char *key);
/* Costs nothing for copies of each other. */
bool labels_equal(const struct labels *a, const struct labels *b) MUST_USE;
/* Replaces what `to` holds. */
void labels_copy(struct labels *to, const struct labels *from);
void labels_free(struct labels *labels);
/* Letters, digits and "/._:*-", 1 to 255 bytes: AWS tags with other keys do not become labels. */
bool label_key_is_valid(const char *key) MUST_USE;

struct selector; /* opaque, immutable, compiled */

struct selector *selector_new(void) MUST_USE;
/* Adds one accepted value for `key`. False when the regular expression is bad; *error then says why
 * (free()). */
bool selector_add(
    struct selector *selector, const char *key, const char *value, char **error) MUST_USE;
/* The same for a value that stands for itself, whatever it looks like. */
void selector_add_text(struct selector *selector, const char *key, const char *value);
/* The key must be there. Nothing satisfies it until values are added. */
void selector_require(struct selector *selector, const char *key);
bool selector_is_empty(const struct selector *selector) MUST_USE;
bool selector_match(const struct selector *selector, const struct labels *labels) MUST_USE;
/* As selector_match(), and when it does not match, *reason says which keys and what stood there,
 * and what nearly matches: 'label env is "Prod", wanted "prod": it differs in upper and lower case
 * only', 'label env is absent' (free()). */
bool selector_explain(
    const struct selector *selector, const struct labels *labels, char **reason) MUST_USE;
/* "env=prod|staging, team=*" for people (free()). */
char *selector_text(const struct selector *selector) MUST_USE;
bool selector_equal(const struct selector *a, const struct selector *b) MUST_USE;
void selector_free(struct selector **selector);

#endif
