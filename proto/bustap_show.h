/* Bus messages as people and programs see them: JSON with the resources in it and without secrets.
 * Pure. */
#ifndef EKSGATE_BUSTAP_SHOW_H
#define EKSGATE_BUSTAP_SHOW_H

#include <json-c/json.h>
#include <stddef.h>

#include "common/attr.h"
#include "proto/message.h"

/* One line of JSON without its newline (free()). `text` is the body as it came; `group` is the name
 * of the group whose messages are expected. */
char *show_message(
    const struct message_header *header, const char *text, size_t len, const char *group) MUST_USE;
/* A resource without secrets (json_object_put); NULL when it is no JSON. */
struct json_object *show_resource(const char *text, size_t len) MUST_USE;
/* On one line (free()). */
char *show_document(struct json_object *document) MUST_USE;

#endif
