/* What a field selector means for access: which object it names, and in which namespace. Pure. */
#ifndef EKSGATE_FIELD_SELECTOR_H
#define EKSGATE_FIELD_SELECTOR_H

#include <stdbool.h>

#include "common/attr.h"

/* Reads `selector` as the API server's fields.ParseSelector does. False when it cannot be parsed.
 * *value is what the term demands that says what `field` ("metadata.name") is, unescaped into `out`
 * (strlen(selector) + 1 bytes); NULL without one. */
bool field_selector_value(
    const char *selector, const char *field, char *out, const char **value) MUST_USE;

#endif
