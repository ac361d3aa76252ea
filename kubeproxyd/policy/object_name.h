/* What a body says of itself: the name of what is to be created, which stands nowhere else, and the
 * uid of what is to be updated. Pure. */
#ifndef EKSGATE_OBJECT_NAME_H
#define EKSGATE_OBJECT_NAME_H

#include <stdbool.h>
#include <stddef.h>

#include "common/attr.h"

/* What the API server takes a body to be, by its Content-Type; NULL (none) is JSON. */
enum body_format { BODY_JSON, BODY_YAML, BODY_PROTOBUF, BODY_UNKNOWN };
enum body_format body_format_of(const char *content_type) MUST_USE;

enum object_field { OBJECT_NAME, OBJECT_UID };

/* metadata.name or metadata.uid of the object (free()). NULL: *error says why it is not known
 * (static): it has none, or the body cannot be read in one way only. */
char *object_field_read(enum object_field field, enum body_format format, const void *body,
    size_t len, const char **error) MUST_USE;

#endif
