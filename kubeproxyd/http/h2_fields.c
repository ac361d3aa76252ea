/* What heads and header blocks have in common, for both sides of the proxy. Called by session_h2
 * and upstream_h2. */
#include "kubeproxyd/http/h2_fields.h"

#include <string.h>
#include <strings.h>

#include "common/decimal.h"
#include "kubeproxyd/http/hpack.h"
#include "kubeproxyd/http/hpack_table.h"

#define IS_NAMED(field, name) h2_field_is(field, name, sizeof(name) - 1)

static bool says_length(const struct http_head *head)
{
	return head->body == HTTP_BODY_LENGTH ||
	       (head->body == HTTP_BODY_NONE && head->content_length > 0 && head->status != 204);
}

void h2_head_append(struct buf *out, const struct http_head *head, struct hpack_kept *kept)
{
	const struct http_fields *fields = &head->fields;
	/* At once: growing it piece by piece would leave copies of credentials behind. */
	char *start = buf_reserve(
	    out, fields->block_len + HPACK_APPEND_EXTRA * (fields->count + 1) + DECIMAL_TEXT + 64);
	char *at = start;
	for (size_t i = 0; i < fields->count; i++) {
		const struct http_field *field = &fields->items[i];
		if (kept != NULL && (field->traits & FIELD_AUTHORIZATION) != 0)
			at = hpack_put_kept(at, kept, HPACK_AUTHORIZATION, fields_value(fields, i),
			    field->value_len);
		else
			at = hpack_put(at, fields_name(fields, i), field->name_len,
			    fields_value(fields, i), field->value_len,
			    (field->traits & FIELD_PRIVATE) != 0);
	}
	if (says_length(head)) {
		char text[DECIMAL_TEXT];
		size_t len = decimal_write(text, head->content_length);
		at = hpack_put(at, "content-length", strlen("content-length"), text, len, false);
	}
	buf_commit(out, (size_t)(at - start));
}

void h2_fields_add(struct http_fields *fields, const struct hpack_field *field, uint32_t traits)
{
	/* It stays so all the way (RFC 7541, 6.2.3). */
	if (field->is_never_indexed)
		traits |= FIELD_PRIVATE;
	fields_add_with(
	    fields, traits, field->name, field->name_len, field->value, field->value_len);
}

uint64_t h2_field_length(const struct hpack_field *field)
{
	uint64_t length = 0;
	for (size_t i = 0; i < field->value_len; i++)
		length = length * 10 + (uint64_t)(field->value[i] - '0');
	return length;
}

static void take_method(struct http_head *head, const char *value, size_t len)
{
	char method[sizeof head->method];
	if (len >= sizeof method)
		len = sizeof method - 1;
	memcpy(method, value, len);
	method[len] = '\0';
	http_head_set_method(head, method);
}

static void take_pseudo(struct http_head *head, const struct hpack_field *field)
{
	if (IS_NAMED(field, ":method"))
		take_method(head, field->value, field->value_len);
	else if (IS_NAMED(field, ":path"))
		http_head_set_target(head, field->value, field->value_len);
	else if (IS_NAMED(field, ":authority"))
		http_head_set_authority(head, field->value, field->value_len);
}

bool h2_head_take(struct http_head *head, const struct hpack_field *field)
{
	if (field->name[0] == ':') {
		take_pseudo(head, field);
	} else if (IS_NAMED(field, "content-length")) {
		head->body = HTTP_BODY_LENGTH;
		head->content_length = h2_field_length(field);
	} else if (IS_NAMED(field, "expect")) {
		head->expects_continue = field->value_len == strlen("100-continue") &&
					 strncasecmp(field->value, "100-continue", 12) == 0;
	} else {
		return false;
	}
	return true;
}
