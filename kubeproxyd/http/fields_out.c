/* Into a list that is used for one head after the other and has room, as nearly always: fields that
 * follow each other do so in the block, too, and are copied at once. What does not fit goes through
 * fields.c field by field, which makes room. Called by whoever builds heads for each request. */
#include "kubeproxyd/http/fields_out.h"

#include <string.h>

static inline bool has_room(const struct http_fields *fields, size_t count, size_t bytes)
{
	return bytes <= fields->block_cap - fields->block_len &&
	       count <= fields->cap - fields->count;
}

/* Where the name of a field begins in the block, and where what follows it does. */
static inline size_t begin_of(const struct http_field *field)
{
	return field->value_at - field->name_len - 1;
}

static inline size_t end_of(const struct http_field *field)
{
	return (size_t)field->value_at + field->value_len + 1;
}

static void copy_each(
    struct http_fields *to, const struct http_fields *from, size_t first, size_t end)
{
	for (size_t i = first; i < end; i++)
		fields_copy(to, from, i);
}

void fields_out_copy(
    struct http_fields *to, const struct http_fields *from, size_t first, size_t end)
{
	if (first == end)
		return;
	size_t begin = begin_of(&from->items[first]), len = end_of(&from->items[end - 1]) - begin;
	if (!has_room(to, end - first, len)) {
		copy_each(to, from, first, end);
		return;
	}
	memcpy(to->block + to->block_len, from->block + begin, len);
	/* Unsigned: back or forth. */
	uint32_t shift = (uint32_t)to->block_len - (uint32_t)begin, traits = 0;
	struct http_field *at = to->items + to->count;
	for (size_t i = first; i < end; i++, at++) {
		*at = from->items[i];
		at->value_at += shift;
		traits |= at->traits;
	}
	to->traits |= traits;
	to->count += end - first;
	to->block_len += len;
}

static uint32_t traits_of(struct field_name *name)
{
	if (!name->is_known) {
		name->traits = field_traits(name->text, name->len);
		name->is_known = true;
	}
	return name->traits;
}

/* There is room. Returns where the value goes, with a NUL behind it. */
static inline __attribute__((always_inline)) char *open_field(
    struct http_fields *to, struct field_name *name, size_t value_len)
{
	size_t value_at = to->block_len + name->len + 1;
	uint32_t traits = traits_of(name);
	to->items[to->count++] = (struct http_field){.traits = traits,
	    .name_len = (uint32_t)name->len,
	    .value_at = (uint32_t)value_at,
	    .value_len = (uint32_t)value_len};
	to->traits |= traits;
	memcpy(to->block + to->block_len, name->text, name->len + 1);
	to->block_len = value_at + value_len + 1;
	to->block[to->block_len - 1] = '\0';
	return to->block + value_at;
}

void fields_out_add(
    struct http_fields *to, struct field_name *name, const char *value, size_t value_len)
{
	if (has_room(to, 1, name->len + value_len + 2))
		memcpy(open_field(to, name, value_len), value, value_len);
	else
		fields_add(to, name->text, name->len, value, value_len);
}

void fields_out_add_prefixed(struct http_fields *to, struct field_name *name, const char *prefix,
    const char *rest, size_t rest_len)
{
	size_t prefix_len = strlen(prefix);
	if (!has_room(to, 1, name->len + prefix_len + rest_len + 2)) {
		fields_add_prefixed(to, name->text, prefix, rest);
		return;
	}
	char *at = open_field(to, name, prefix_len + rest_len);
	memcpy(mempcpy(at, prefix, prefix_len), rest, rest_len);
}
