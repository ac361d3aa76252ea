/* Turns heads into nghttp2's name-value pairs, for both sides of the proxy, and what nghttp2 reads
 * of a request into a head. */
#include "kubeproxyd/http/h2_fields.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/decimal.h"
#include "common/xmem.h"

static uint8_t *bytes(const char *text)
{
	union {
		const char *text;
		uint8_t *bytes;
	} either = {.text = text}; /* nghttp2 does not write to names and values */
	return either.bytes;
}

bool h2_head_says_length(const struct http_head *head)
{
	return head->body == HTTP_BODY_LENGTH ||
	       (head->body == HTTP_BODY_NONE && head->content_length > 0 && head->status != 204);
}

void h2_fields_init(struct h2_fields *list)
{
	list->items = list->few;
	list->cap = H2_FIELDS_FEW;
	list->count = list->size = 0;
	list->names = (struct buf){0};
}

/* Heads have as many fields as the front's limit allows and users have groups. */
static void make_room(struct h2_fields *list, size_t more)
{
	if (list->count + more <= list->cap)
		return;
	bool is_own = list->items != list->few;
	list->cap = list->cap * 2 + more;
	list->items = xreallocarray(is_own ? list->items : NULL, list->cap, sizeof(nghttp2_nv));
	if (!is_own)
		memcpy(list->items, list->few, list->count * sizeof(nghttp2_nv));
}

void h2_fields_add(struct h2_fields *list, const char *name, const char *value, size_t value_len)
{
	size_t name_len = strlen(name);
	make_room(list, 1);
	list->items[list->count++] = (nghttp2_nv){
	    .name = bytes(name),
	    .namelen = name_len,
	    .value = bytes(value),
	    .valuelen = value_len,
	    .flags = (field_traits(name, name_len) & FIELD_PRIVATE) != 0 ? NGHTTP2_NV_FLAG_NO_INDEX
									 : NGHTTP2_NV_FLAG_NONE,
	};
	list->size += name_len + value_len + 8;
}

static const char *lower_name(struct h2_fields *list, const char *name, size_t len)
{
	char *lower = list->names.data + list->names.len;
	for (size_t i = 0; i < len; i++)
		lower[i] = (char)tolower((unsigned char)name[i]);
	lower[len] = '\0';
	buf_commit(&list->names, len + 1);
	return lower;
}

/* All at once, so that what was handed out does not move. */
static void reserve_names(struct h2_fields *list, const struct http_fields *fields)
{
	size_t total = 0;
	for (size_t i = 0; i < fields->count; i++)
		total += fields->items[i].name_len + 1;
	char *room = buf_reserve(&list->names, total + 1);
	(void)room;
}

void h2_fields_add_head(struct h2_fields *list, const struct http_head *head, const char *except)
{
	const struct http_fields *fields = &head->fields;
	reserve_names(list, fields);
	for (size_t i = 0; i < fields->count; i++) {
		const struct http_field *field = &fields->items[i];
		const char *name = lower_name(list, fields_name(fields, i), field->name_len);
		if (except == NULL || strcmp(name, except) != 0)
			h2_fields_add(list, name, fields_value(fields, i), field->value_len);
	}
	if (h2_head_says_length(head)) {
		size_t len = decimal_write(list->length, head->content_length);
		h2_fields_add(list, "content-length", list->length, len);
	}
}

void h2_fields_add_status(struct h2_fields *list, unsigned status)
{
	size_t len = decimal_write(list->status, status);
	h2_fields_add(list, ":status", list->status, len);
}

void h2_fields_free(struct h2_fields *list)
{
	buf_free_secret(&list->names);
	if (list->items != list->few)
		free(list->items);
}

static bool is_named(const char *name, size_t len, const char *wanted)
{
	return len == strlen(wanted) && memcmp(name, wanted, len) == 0;
}

bool h2_head_take(
    struct http_head *head, const char *name, size_t name_len, const char *value, size_t value_len)
{
	if (is_named(name, name_len, ":method")) {
		http_head_set_method(head, value);
	} else if (is_named(name, name_len, ":path")) {
		http_head_set_target(head, value, value_len);
	} else if (is_named(name, name_len, ":authority")) {
		http_head_set_authority(head, value, value_len);
	} else if (is_named(name, name_len, "content-length")) {
		head->body = HTTP_BODY_LENGTH;
		head->content_length = strtoull(value, NULL, 10); /* its grammar is checked */
	} else if (is_named(name, name_len, "expect")) {
		head->expects_continue =
		    value_len == 12 && strncasecmp(value, "100-continue", 12) == 0;
	} else {
		return name_len > 0 && name[0] == ':';
	}
	return true;
}
