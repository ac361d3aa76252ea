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
#include "kubeproxyd/http/field_traits.h"

/* Its name stands in the block right before its value, each with a NUL. */
struct http_field {
	uint32_t traits; /* of its name: enum field_trait */
	uint32_t name_len;
	uint32_t value_at, value_len; /* offset into the block */
};

/* {0} is empty. Plain value; fields_free() releases. Names and values are NUL-terminated in the
 * block. */
struct http_fields {
	struct http_field *items;
	size_t count, cap;
	uint32_t traits; /* that any of them has */
	char *block;
	size_t block_len, block_cap;
};

void fields_add(struct http_fields *fields, const char *name, size_t name_len, const char *value,
    size_t value_len);
/* The same when the traits of its name are known. */
void fields_add_with(struct http_fields *fields, uint32_t traits, const char *name, size_t name_len,
    const char *value, size_t value_len);
static inline void fields_add_text(struct http_fields *fields, const char *name, const char *value)
{
	fields_add(fields, name, strlen(name), value, strlen(value));
}
/* The field at `index` of another list. */
void fields_copy(struct http_fields *fields, const struct http_fields *from, size_t index);
/* The value is `prefix` and `rest` in one; no copy of either is left elsewhere. */
void fields_add_prefixed(
    struct http_fields *fields, const char *name, const char *prefix, const char *rest);
static inline const char *fields_value(const struct http_fields *fields, size_t index)
{
	return fields->block + fields->items[index].value_at;
}
static inline const char *fields_name(const struct http_fields *fields, size_t index)
{
	return fields_value(fields, index) - fields->items[index].name_len - 1;
}
static inline bool fields_is(const struct http_fields *fields, size_t index, enum field_trait trait)
{
	return (fields->items[index].traits & trait) != 0;
}
static inline bool fields_is_named(const struct http_fields *fields, size_t index, const char *name)
{
	const struct http_field *field = &fields->items[index];
	size_t len = strlen(name);
	return field->name_len == len && strncasecmp(fields_name(fields, index), name, len) == 0;
}
/* Byte for byte. */
static inline bool fields_is_spelled(
    const struct http_fields *fields, size_t index, const char *name)
{
	const struct http_field *field = &fields->items[index];
	size_t len = strlen(name);
	return field->name_len == len && memcmp(fields_name(fields, index), name, len) == 0;
}
/* The first value of `name`, or NULL. */
const char *fields_get(const struct http_fields *fields, const char *name);
size_t fields_count_of(const struct http_fields *fields, const char *name) MUST_USE;
/* The same by a trait. */
const char *fields_find(const struct http_fields *fields, enum field_trait trait) MUST_USE;
size_t fields_count_with(const struct http_fields *fields, enum field_trait trait) MUST_USE;
/* Whether `token` stands in the comma-separated list(s) of `name` (any case). */
bool fields_has_token(
    const struct http_fields *fields, const char *name, const char *token) MUST_USE;

/* Whether `text` has no control character: no byte below ' ', and no DEL. */
bool field_text_is_plain(const char *text, size_t len) MUST_USE;
/* Whether it is visible ASCII: no byte up to ' ', none from DEL on. */
bool field_text_is_visible(const char *text, size_t len) MUST_USE;
bool field_text_is_ascii(const char *text, size_t len) MUST_USE;

/* Gives back what the list does not need; pointers into it are good no more. */
void fields_trim(struct http_fields *fields);
/* Empties the list and keeps its memory. */
void fields_clear(struct http_fields *fields);
/* Wipes, then frees (heads carry bearer tokens). */
void fields_free(struct http_fields *fields);

#endif
