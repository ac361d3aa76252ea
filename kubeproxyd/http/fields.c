/* The list of header fields: an array of offsets into one block of bytes. Offsets, not pointers, so
 * that the block may move while it grows. Values can be bearer tokens: what is left behind by
 * growing, clearing and freeing is wiped. */
#include "kubeproxyd/http/fields.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/bytes16.h"
#include "common/xmem.h"

/* What kubectl sends fits; a head that waits for hours holds no more. */
#define FIRST_ITEMS 8
#define FIRST_BLOCK 248
/* Offsets are 32 bits wide; heads are bounded far below by their readers. */
#define BLOCK_MAX (1u << 30)

/* What stood in the old place is wiped: heads carry bearer tokens. */
static void move_block(struct http_fields *fields, size_t cap)
{
	char *block = xmalloc(cap);
	if (fields->block != NULL) {
		memcpy(block, fields->block, fields->block_len);
		explicit_bzero(fields->block, fields->block_len);
		free(fields->block);
	}
	fields->block = block;
	fields->block_cap = cap;
}

static void grow_block(struct http_fields *fields, size_t want)
{
	size_t cap = fields->block_cap > 0 ? fields->block_cap : FIRST_BLOCK;
	while (cap < want)
		cap *= 2;
	move_block(fields, cap < BLOCK_MAX ? cap : BLOCK_MAX);
}

void fields_trim(struct http_fields *fields)
{
	if (fields->count == 0)
		return;
	if (fields->block_cap > fields->block_len)
		move_block(fields, fields->block_len);
	fields->cap = fields->count;
	fields->items = xreallocarray(fields->items, fields->cap, sizeof *fields->items);
}

/* Whether one more field fits, of a name and a value of so many bytes. */
static inline bool has_room(const struct http_fields *fields, size_t name_len, size_t value_len)
{
	size_t room = fields->block_cap - fields->block_len;
	return name_len < room && value_len < room - name_len - 1 && fields->count < fields->cap;
}

static void make_room(struct http_fields *fields, size_t name_len, size_t value_len)
{
	if (name_len > BLOCK_MAX / 4 || value_len > BLOCK_MAX / 4)
		abort();
	size_t bytes = name_len + value_len + 2;
	if (bytes > BLOCK_MAX - fields->block_len)
		abort();
	if (fields->block_len + bytes > fields->block_cap)
		grow_block(fields, fields->block_len + bytes);
	if (fields->count < fields->cap)
		return;
	fields->cap = fields->cap > 0 ? fields->cap * 2 : FIRST_ITEMS;
	fields->items = xreallocarray(fields->items, fields->cap, sizeof *fields->items);
}

/* Copies text with a NUL behind it. */
static inline void put(char *to, const char *text, size_t len)
{
	(void)bytes16_copy(to, text, len);
	to[len] = '\0';
}

/* Apart, so that nothing is saved for its sake where there is room. */
static __attribute__((noinline)) void add_with_room(struct http_fields *fields, uint32_t traits,
    const char *name, size_t name_len, const char *value, size_t value_len)
{
	make_room(fields, name_len, value_len);
	fields_add_with(fields, traits, name, name_len, value, value_len);
}

void fields_add_with(struct http_fields *fields, uint32_t traits, const char *name, size_t name_len,
    const char *value, size_t value_len)
{
	if (!has_room(fields, name_len, value_len)) {
		add_with_room(fields, traits, name, name_len, value, value_len);
		return;
	}
	size_t name_at = fields->block_len, value_at = name_at + name_len + 1;
	char *block = fields->block;
	fields->items[fields->count++] = (struct http_field){.traits = traits,
	    .name_len = (uint32_t)name_len,
	    .value_at = (uint32_t)value_at,
	    .value_len = (uint32_t)value_len};
	fields->block_len = value_at + value_len + 1;
	fields->traits |= traits;
	put(block + name_at, name, name_len);
	put(block + value_at, value, value_len);
}

void fields_add(struct http_fields *fields, const char *name, size_t name_len, const char *value,
    size_t value_len)
{
	fields_add_with(fields, field_traits(name, name_len), name, name_len, value, value_len);
}

void fields_copy(struct http_fields *fields, const struct http_fields *from, size_t index)
{
	const struct http_field *field = &from->items[index];
	fields_add_with(fields, field->traits, fields_name(from, index), field->name_len,
	    fields_value(from, index), field->value_len);
}

void fields_add_prefixed(
    struct http_fields *fields, const char *name, const char *prefix, const char *rest)
{
	size_t prefix_len = strlen(prefix), rest_len = strlen(rest);
	size_t name_len = strlen(name);
	make_room(fields, name_len, prefix_len + rest_len);
	fields_add(fields, name, name_len, prefix, prefix_len);
	/* The rest takes the place of the NUL behind the prefix. */
	put(fields->block + fields->block_len - 1, rest, rest_len);
	fields->block_len += rest_len;
	fields->items[fields->count - 1].value_len += (uint32_t)rest_len;
}

static inline bytes16 find_controls(bytes16 bytes)
{
	return ((bytes >= 0) & (bytes < ' ')) | (bytes == 0x7f);
}

bool field_text_is_plain(const char *text, size_t len)
{
	return bytes16_are_free_of(find_controls, text, len);
}

static inline bytes16 find_invisible(bytes16 bytes)
{
	return (bytes < '!') | (bytes == 0x7f);
}

bool field_text_is_visible(const char *text, size_t len)
{
	return bytes16_are_free_of(find_invisible, text, len);
}

static inline bytes16 find_foreign(bytes16 bytes)
{
	return bytes < 0;
}

bool field_text_is_ascii(const char *text, size_t len)
{
	return bytes16_are_free_of(find_foreign, text, len);
}

static bool is_named(const struct http_fields *fields, size_t index, const char *name, size_t len)
{
	return fields->items[index].name_len == len &&
	       strncasecmp(fields_name(fields, index), name, len) == 0;
}

const char *fields_get(const struct http_fields *fields, const char *name)
{
	size_t len = strlen(name);
	for (size_t i = 0; i < fields->count; i++)
		if (is_named(fields, i, name, len))
			return fields_value(fields, i);
	return NULL;
}

size_t fields_count_of(const struct http_fields *fields, const char *name)
{
	size_t count = 0, len = strlen(name);
	for (size_t i = 0; i < fields->count; i++)
		count += is_named(fields, i, name, len);
	return count;
}

const char *fields_find(const struct http_fields *fields, enum field_trait trait)
{
	if ((fields->traits & trait) == 0)
		return NULL;
	for (size_t i = 0; i < fields->count; i++)
		if (fields_is(fields, i, trait))
			return fields_value(fields, i);
	return NULL;
}

size_t fields_count_with(const struct http_fields *fields, enum field_trait trait)
{
	size_t count = 0;
	for (size_t i = 0; (fields->traits & trait) != 0 && i < fields->count; i++)
		count += fields_is(fields, i, trait);
	return count;
}

static bool list_has(const char *list, const char *token, size_t token_len)
{
	while (*list != '\0') {
		list += strspn(list, " \t,");
		size_t len = strcspn(list, ",");
		const char *next = list + len;
		while (len > 0 && (list[len - 1] == ' ' || list[len - 1] == '\t'))
			len--;
		if (len == token_len && strncasecmp(list, token, len) == 0)
			return true;
		list = next;
	}
	return false;
}

bool fields_has_token(const struct http_fields *fields, const char *name, const char *token)
{
	size_t name_len = strlen(name), token_len = strlen(token);
	if (token_len == 0)
		return false;
	for (size_t i = 0; i < fields->count; i++)
		if (is_named(fields, i, name, name_len) &&
		    list_has(fields_value(fields, i), token, token_len))
			return true;
	return false;
}

void fields_clear(struct http_fields *fields)
{
	if (fields->block_len > 0)
		explicit_bzero(fields->block, fields->block_len);
	fields->block_len = 0;
	fields->count = 0;
	fields->traits = 0;
}

void fields_free(struct http_fields *fields)
{
	fields_clear(fields);
	free(fields->block);
	free(fields->items);
	*fields = (struct http_fields){0};
}
