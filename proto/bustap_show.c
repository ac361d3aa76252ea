/* What the tap shows of a message, and what it hides: external ids anywhere, the bodies of tasks,
 * and whatever it does not know. Used by both ways of showing: printing and serving. */
#include "proto/bustap_show.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "common/json.h"
#include "common/xmem.h"

#define REDACTED "[redacted]"

static bool is_secret(const char *key)
{
	return strcasecmp(key, "external_id") == 0 || strcasecmp(key, "externalId") == 0;
}

static void redact(struct json_object *value)
{
	if (json_object_is_type(value, json_type_array)) {
		for (size_t i = 0; i < json_object_array_length(value); i++)
			redact(json_object_array_get_idx(value, i));
		return;
	}
	if (!json_object_is_type(value, json_type_object))
		return;
	json_object_object_foreach(value, key, member)
	{
		if (is_secret(key))
			json_object_object_add(value, key, json_object_new_string(REDACTED));
		else
			redact(member);
	}
}

/* A resource travels as text; people and jq want to see what is in it. */
static void unfold_resources(struct json_object *body)
{
	struct json_object *items = NULL, *text = NULL;
	char error[JSON_ERROR_TEXT];
	if (!json_object_object_get_ex(body, "items", &items))
		return;
	for (size_t i = 0; i < json_object_array_length(items); i++) {
		struct json_object *item = json_object_array_get_idx(items, i);
		if (!json_object_object_get_ex(item, "resource", &text))
			continue;
		struct json_object *resource = json_parse(
		    json_object_get_string(text), (size_t)json_object_get_string_len(text), error);
		if (resource != NULL)
			json_object_object_add(item, "resource", resource);
	}
}

static struct json_object *show_body(unsigned type, const char *text, size_t len)
{
	char error[JSON_ERROR_TEXT];
	/* What this version does not know might be a secret. */
	if (message_type_name(type) == NULL)
		return json_object_new_string(REDACTED);
	struct json_object *body = json_parse(text, len, error);
	if ((type & ~MESSAGE_TYPE_OPTIONAL) == MESSAGE_TASK && body != NULL)
		json_object_object_add(body, "body", json_object_new_string(REDACTED));
	if (body != NULL)
		unfold_resources(body);
	redact(body);
	return body;
}

static void add_hex(struct json_object *object, const char *key, uint64_t value)
{
	char text[17];
	snprintf(text, sizeof text, "%016" PRIx64, value);
	json_object_object_add(object, key, json_object_new_string(text));
}

static void add_number(struct json_object *object, const char *key, uint64_t value)
{
	json_object_object_add(object, key, json_object_new_uint64(value));
}

static void add_type(struct json_object *object, unsigned type)
{
	char number[16];
	const char *name = message_type_name(type);
	snprintf(number, sizeof number, "%u", type);
	json_object_object_add(
	    object, "type", json_object_new_string(name != NULL ? name : number));
}

static void add_digest(struct json_object *object, const struct message_digest *digest)
{
	char text[2 * MESSAGE_DIGEST_SIZE + 1];
	for (size_t i = 0; i < MESSAGE_DIGEST_SIZE; i++)
		snprintf(text + 2 * i, 3, "%02x", digest->bytes[i]);
	json_object_object_add(object, "digest", json_object_new_string(text));
}

char *show_document(struct json_object *document)
{
	return xstrdup(json_object_to_json_string_ext(
	    document, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
}

struct json_object *show_resource(const char *text, size_t len)
{
	char error[JSON_ERROR_TEXT];
	struct json_object *resource = json_parse(text, len, error);
	redact(resource);
	return resource;
}

char *show_message(
    const struct message_header *header, const char *text, size_t len, const char *group)
{
	struct json_object *line = json_object_new_object();
	add_type(line, header->type);
	add_number(line, "epoch", header->epoch);
	add_number(line, "sequence", header->sequence);
	add_number(line, "base", header->base_sequence);
	add_number(line, "count", header->count);
	if (header->group == message_group_id(group))
		json_object_object_add(line, "group", json_object_new_string(group));
	else
		add_hex(line, "group", header->group);
	add_hex(line, "instance", header->instance);
	add_digest(line, &header->digest);
	json_object_object_add(line, "body", show_body(header->type, text, len));
	char *shown = show_document(line);
	json_object_put(line);
	return shown;
}
