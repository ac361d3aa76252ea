/* Typed access to json-c documents, with the checks that json-c leaves out: whole text, depth and
 * size limits, no duplicate keys, no numbers that were clamped, UTF-8. Not for Kubernetes bodies:
 * those are streamed, never built. */
#ifndef EKSGATE_JSON_H
#define EKSGATE_JSON_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"

struct buf;

#define JSON_MAX_DEPTH	32
#define JSON_MAX_BYTES	134217728u
#define JSON_ERROR_TEXT 200

/* Parses all of `text` (strict RFC 8259, at most JSON_MAX_DEPTH deep, no duplicate keys). The
 * document is the caller's (json_object_put); `null` alone is refused, so NULL means failure, with
 * what and the byte offset in `error`. Numbers with a fraction keep their spelling. */
struct json_object *json_parse(const char *text, size_t len, char error[JSON_ERROR_TEXT]) MUST_USE;
/* The same, at most `depth` deep: what becomes a part of another document. */
struct json_object *json_parse_part(
    const char *text, size_t len, unsigned depth, char error[JSON_ERROR_TEXT]) MUST_USE;

/* Getters by key. The required ones return false and write "spec.aws: region is missing" or "... is
 * not a string" to `error`, where `path` names the object ("spec.aws"; "" is the document itself).
 * Strings are borrowed from the document. A string that holds a NUL is refused. */
bool json_get_string(struct json_object *object, const char *path, const char *key,
    const char **value, char error[JSON_ERROR_TEXT]) MUST_USE;
/* Missing or null: *value is NULL and the result is true. */
bool json_get_optional_string(struct json_object *object, const char *path, const char *key,
    const char **value, char error[JSON_ERROR_TEXT]) MUST_USE;
bool json_get_int(struct json_object *object, const char *path, const char *key, int64_t *value,
    char error[JSON_ERROR_TEXT]) MUST_USE;
bool json_get_object(struct json_object *object, const char *path, const char *key,
    struct json_object **value, char error[JSON_ERROR_TEXT]) MUST_USE;
bool json_get_array(struct json_object *object, const char *path, const char *key,
    struct json_object **value, char error[JSON_ERROR_TEXT]) MUST_USE;

/* Adds a member; NULL is left out. */
void json_add_string(struct json_object *object, const char *key, const char *value);

/* The one spelling of a document: keys sorted by bytes, no spaces, slashes as they are. What is
 * hashed and compared is this text. */
void json_write_canonical(struct buf *out, struct json_object *value);

#endif
