/* One pattern for a value, as Teleport's selectors, roles and bindings have it: "*" for anything, a
 * glob with '*', or, from '^' to '$', a regular expression (common/regex.h). Matching takes time
 * linear in the value and allocates nothing. */
#ifndef EKSGATE_PATTERN_H
#define EKSGATE_PATTERN_H

#include <stdbool.h>

#include "common/attr.h"

struct pattern; /* opaque, immutable */

/* NULL when the regular expression is bad; *error then says why (free()). */
struct pattern *pattern_new(const char *text, char **error) MUST_USE;
/* The same for what gives or takes access: "^a|b$" is refused, which means what begins with a or
 * ends with b, and never what its author thinks, and so is "^*a$", which begins anywhere. */
struct pattern *pattern_new_strict(const char *text, char **error) MUST_USE;
/* The text as it stands, whatever it looks like. */
struct pattern *pattern_new_text(const char *text) MUST_USE;
/* "*" */
bool pattern_is_any(const struct pattern *pattern) MUST_USE;
bool pattern_match(const struct pattern *pattern, const char *value) MUST_USE;
const char *pattern_text(const struct pattern *pattern);
void pattern_free(struct pattern **pattern);

#endif
