/* Regular expressions in the syntax that users of Teleport write (RE2), matched in time linear in
 * the text: no backtracking, bounded programs, no allocation per match. Text is UTF-8. */
#ifndef EKSGATE_REGEX_H
#define EKSGATE_REGEX_H

#include <stdbool.h>

#include "common/attr.h"

#define REGEX_PATTERN_MAX 1024
#define REGEX_REPEAT_MAX  1000

struct regex; /* opaque, immutable */

/* NULL when the expression is bad or too large; *error then says what and where in it (free()).
 * Flags such as (?i), \p{...}, look-around and back references are refused. */
struct regex *regex_new(const char *text, char **error) MUST_USE;
/* Whether any part of `value` matches: anchors stand in the expression. */
bool regex_match(const struct regex *regex, const char *value) MUST_USE;
/* The same for regex_replace() alone: its groups say where they matched; lazy repetitions are
 * refused. */
struct regex *regex_new_capturing(const char *text, char **error) MUST_USE;
/* Whether what stands behind each '$' is a digit 1 to 9, a digit in braces or another '$'. */
bool regex_replacement_is_valid(const char *replacement) MUST_USE;
/* Every match in `value` replaced, as Go's ReplaceAllString does; NULL when there is none (free()).
 * Time is bounded by the product of the lengths of program and value. */
char *regex_replace(const struct regex *regex, const char *value, const char *replacement) MUST_USE;
void regex_free(struct regex **regex);

#endif
