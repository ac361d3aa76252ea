/* The list of header fields: an array of offsets into one block of bytes. Offsets, not pointers, so
 * that the block may move while it grows. Values can be bearer tokens: what is left behind by
 * growing, clearing and freeing is wiped. */
#include "kubeproxyd/http/fields.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

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
	move_block(fields, cap);
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

static void make_room(struct http_fields *fields, size_t bytes)
{
	if (bytes > BLOCK_MAX - fields->block_len)
		abort();
	if (fields->block_len + bytes > fields->block_cap)
		grow_block(fields, fields->block_len + bytes);
	if (fields->count < fields->cap)
		return;
	fields->cap = fields->cap > 0 ? fields->cap * 2 : FIRST_ITEMS;
	fields->items = xreallocarray(fields->items, fields->cap, sizeof *fields->items);
}

/* Copies text with a NUL behind it; returns its offset. */
static inline uint32_t put(struct http_fields *fields, const char *text, size_t len)
{
	size_t at = fields->block_len;
	if (len > 0)
		memcpy(fields->block + at, text, len);
	fields->block[at + len] = '\0';
	fields->block_len = at + len + 1;
	return (uint32_t)at;
}

static void add(struct http_fields *fields, uint32_t traits, const char *name, size_t name_len,
    const char *value, size_t value_len)
{
	if (name_len > BLOCK_MAX / 4 || value_len > BLOCK_MAX / 4)
		abort();
	make_room(fields, name_len + value_len + 2);
	struct http_field *field = &fields->items[fields->count++];
	(void)put(fields, name, name_len);
	field->traits = traits;
	field->name_len = (uint32_t)name_len;
	field->value_at = put(fields, value, value_len);
	field->value_len = (uint32_t)value_len;
	fields->traits |= traits;
}

void fields_add(struct http_fields *fields, const char *name, size_t name_len, const char *value,
    size_t value_len)
{
	add(fields, field_traits(name, name_len), name, name_len, value, value_len);
}

void fields_copy(struct http_fields *fields, const struct http_fields *from, size_t index)
{
	const struct http_field *field = &from->items[index];
	add(fields, field->traits, fields_name(from, index), field->name_len,
	    fields_value(from, index), field->value_len);
}

void fields_add_prefixed(
    struct http_fields *fields, const char *name, const char *prefix, const char *rest)
{
	size_t prefix_len = strlen(prefix), rest_len = strlen(rest);
	make_room(fields, strlen(name) + prefix_len + rest_len + 2);
	fields_add(fields, name, strlen(name), prefix, prefix_len);
	/* The rest takes the place of the NUL behind the prefix. */
	fields->block_len--;
	(void)put(fields, rest, rest_len);
	fields->items[fields->count - 1].value_len += (uint32_t)rest_len;
}

/* Sixteen bytes at a time; of longer texts the last ones are looked at twice. Each byte of what is
 * found is 0 when there is nothing. */
typedef uint8_t bytes16 __attribute__((vector_size(16)));

static inline bytes16 load(const char *text)
{
	bytes16 bytes;
	memcpy(&bytes, text, sizeof bytes);
	return bytes;
}

static inline bool is_nothing(bytes16 found)
{
	uint64_t halves[2];
	memcpy(halves, &found, sizeof halves);
	return (halves[0] | halves[1]) == 0;
}

/* Whether `find` finds nothing in the text; `fill` is a byte that it never finds. */
static inline __attribute__((always_inline)) bool is_free_of(
    bytes16 (*find)(bytes16 bytes), char fill, const char *text, size_t len)
{
	bytes16 found = {0};
	if (len < sizeof found) {
		char few[sizeof found];
		memset(few, fill, sizeof few);
		memcpy(few, text, len);
		return is_nothing(find(load(few)));
	}
	for (size_t at = 0; at + sizeof found < len; at += sizeof found)
		found |= find(load(text + at));
	return is_nothing(found | find(load(text + len - sizeof found)));
}

static inline bytes16 find_controls(bytes16 bytes)
{
	return (bytes16)(bytes < (uint8_t)' ') | (bytes16)(bytes == (uint8_t)0x7f);
}

bool field_text_is_plain(const char *text, size_t len)
{
	return is_free_of(find_controls, ' ', text, len);
}

static inline bytes16 find_invisible(bytes16 bytes)
{
	return (bytes16)(bytes <= (uint8_t)' ') | (bytes16)(bytes >= (uint8_t)0x7f);
}

bool field_text_is_visible(const char *text, size_t len)
{
	return is_free_of(find_invisible, '!', text, len);
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
