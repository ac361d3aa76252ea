/* A list of header fields (RFC 9110, 5): order kept, names compared without case. The bytes of
 * names and values live in one block of the list itself, so that a head is two allocations however
 * many fields it has, and reusing the list none. */
#ifndef EKSGATE_FIELDS_H
#define EKSGATE_FIELDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "common/attr.h"

struct http_field {
	uint32_t name_at, name_len; /* offsets into the block */
	uint32_t value_at, value_len;
};

/* {0} is empty. Plain value; fields_free() releases. Names and values are NUL-terminated in the
 * block. */
struct http_fields {
	struct http_field *items;
	size_t count, cap;
	char *block;
	size_t block_len, block_cap;
};

void fields_add(struct http_fields *fields, const char *name, size_t name_len, const char *value,
    size_t value_len);
void fields_add_text(struct http_fields *fields, const char *name, const char *value);
/* The value is `prefix` and `rest` in one; no copy of either is left elsewhere. */
void fields_add_prefixed(
    struct http_fields *fields, const char *name, const char *prefix, const char *rest);
const char *fields_name(const struct http_fields *fields, size_t index);
const char *fields_value(const struct http_fields *fields, size_t index);
static inline bool fields_is_named(const struct http_fields *fields, size_t index, const char *name)
{
	const struct http_field *field = &fields->items[index];
	size_t len = strlen(name);
	return field->name_len == len &&
	       strncasecmp(fields->block + field->name_at, name, len) == 0;
}
/* The first value of `name`, or NULL. */
const char *fields_get(const struct http_fields *fields, const char *name);
size_t fields_count_of(const struct http_fields *fields, const char *name) MUST_USE;
/* Whether `token` stands in the comma-separated list(s) of `name` (any case). */
bool fields_has_token(
    const struct http_fields *fields, const char *name, const char *token) MUST_USE;

/* One of a list of names, made by FIELD_NAME("Host"). */
struct field_name {
	const char *text;
	size_t len;
};
#define FIELD_NAME(name)                                                                           \
	{                                                                                          \
		(name), sizeof(name) - 1                                                           \
	}
bool field_name_is_among(const char *name, const struct field_name *names, size_t count) MUST_USE;
/* Whether `text` has no control character: no byte below ' ', and no DEL. */
bool field_text_is_plain(const char *text, size_t len) MUST_USE;

/* Empties the list and keeps its memory. */
void fields_clear(struct http_fields *fields);
/* Wipes, then frees (heads carry bearer tokens). */
void fields_free(struct http_fields *fields);

#endif
