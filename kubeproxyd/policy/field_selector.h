/* The one thing that a field selector means for access: which object it names. Pure. */
#ifndef EKSGATE_FIELD_SELECTOR_H
#define EKSGATE_FIELD_SELECTOR_H

#include <stdbool.h>

#include "common/attr.h"

/* Reads `selector` as the API server's fields.ParseSelector does. False when it cannot be parsed.
 * *name is the value of the term that demands exactly one metadata.name, unescaped into `out`
 * (strlen(selector) + 1 bytes); NULL without one. */
bool field_selector_name(const char *selector, char *out, const char **name) MUST_USE;

#endif
