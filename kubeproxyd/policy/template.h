/* Texts of roles with one "{{…}}" in them, which the credential fills in: each value gives a text,
 * no value none. Pure. */
#ifndef EKSGATE_TEMPLATE_H
#define EKSGATE_TEMPLATE_H

#include <stdbool.h>

#include "common/attr.h"

struct template; /* opaque, immutable */
struct subject;

bool template_is_one(const char *text) MUST_USE;
/* NULL: *error says why (free()). */
struct template *template_parse(const char *text, char **error) MUST_USE;
/* `is_pattern`: the role's author wrote a '*' around the template; `text` is then a regular
 * expression in which the value stands for itself. A value is never a pattern. */
typedef void template_fn(void *arg, const char *text, bool is_pattern);
void template_expand(
    const struct template *template, const struct subject *subject, template_fn *fn, void *arg);
void template_free(struct template **template);

#endif
