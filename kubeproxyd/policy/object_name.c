/* metadata.name or metadata.uid out of a body, read so that the API server cannot read another:
 * duplicate keys, repeated fields, encodings within encodings and what is not UTF-8 are refused.
 * Called by the exchange for creates that rules restrict by name, and for updates that might
 * create. */
#include "kubeproxyd/policy/object_name.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/json.h"
#include "common/xmem.h"
#include "common/yaml.h"
#include "kubeproxyd/policy/protobuf.h"

/* It stands in what is refused, and that is on record. */
#define TEXT_MAX 1024

/* ObjectMeta stands first in every object. */
enum { OBJECT_METADATA = 1 };

/* Of metadata. */
static const struct field {
	const char *key;
	uint32_t number;
	const char *missing;
} fields[] = {
    [OBJECT_NAME] = {"name", 1, "it has no metadata.name (generateName is a name only later)"},
    [OBJECT_UID] = {"uid", 5, "it has no metadata.uid"},
};

static const char unreadable[] = "it cannot be read";

enum body_format body_format_of(const char *content_type)
{
	static const struct {
		const char *type;
		enum body_format format;
	} formats[] = {
	    {"application/json", BODY_JSON},
	    {"application/yaml", BODY_YAML},
	    {"application/vnd.kubernetes.protobuf", BODY_PROTOBUF},
	};
	if (content_type == NULL || content_type[0] == '\0')
		return BODY_JSON;
	size_t len = strcspn(content_type, "; \t");
	for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
		if (strlen(formats[i].type) == len &&
		    strncasecmp(formats[i].type, content_type, len) == 0)
			return formats[i].format;
	}
	return BODY_UNKNOWN;
}

static char *copy(const struct field *field, const char *text, const char **error)
{
	if (text != NULL && text[0] != '\0')
		return xstrdup(text);
	*error = field->missing;
	return NULL;
}

static char *read_json(const struct field *field, const void *body, size_t len, const char **error)
{
	char why[JSON_ERROR_TEXT];
	struct json_object *document = json_parse(body, len, why), *metadata = NULL;
	const char *value = NULL;
	char *text = NULL;
	bool is_sound = json_object_is_type(document, json_type_object) &&
			(!json_object_object_get_ex(document, "metadata", &metadata) ||
			    metadata == NULL || json_object_is_type(metadata, json_type_object)) &&
			(metadata == NULL || json_get_optional_string(
						 metadata, "metadata", field->key, &value, why));
	if (is_sound)
		text = copy(field, value, error);
	else
		*error = unreadable;
	json_object_put(document);
	return text;
}

static char *read_yaml(const struct field *field, const void *body, size_t len, const char **error)
{
	char *why = NULL, *text = NULL;
	struct yaml_document *document = yaml_parse("body", body, len, &why);
	*error = unreadable;
	free(why);
	if (document == NULL || document->root->kind != YAML_NODE_MAP) {
		yaml_document_free(&document);
		return NULL;
	}
	const struct yaml_node *metadata = yaml_get(document->root, "metadata");
	const struct yaml_node *value = metadata != NULL && metadata->kind == YAML_NODE_MAP
					    ? yaml_get(metadata, field->key)
					    : NULL;
	if (value == NULL || yaml_is_null(value))
		*error = field->missing;
	else if (value->kind == YAML_NODE_SCALAR)
		text = copy(field, value->text, error);
	yaml_document_free(&document);
	return text;
}

static char *read_protobuf(
    const struct field *field, const void *body, size_t len, const char **error)
{
	struct protobuf kind, raw, metadata, value;
	bool is_sound;
	*error = unreadable;
	if (!protobuf_open(body, len, &kind, &raw))
		return NULL;
	if (!protobuf_get(raw, OBJECT_METADATA, &metadata, &is_sound)) {
		*error = is_sound ? field->missing : unreadable;
		return NULL;
	}
	if (!protobuf_get(metadata, field->number, &value, &is_sound) || value.len == 0) {
		*error = is_sound ? field->missing : unreadable;
		return NULL;
	}
	if (memchr(value.at, '\0', value.len) != NULL)
		return NULL;
	return xstrndup((const char *)value.at, value.len);
}

static char *read_any(const struct field *field, enum body_format format, const void *body,
    size_t len, const char **error)
{
	switch (format) {
	case BODY_JSON:
		return read_json(field, body, len, error);
	case BODY_YAML:
		return read_yaml(field, body, len, error);
	case BODY_PROTOBUF:
		return read_protobuf(field, body, len, error);
	case BODY_UNKNOWN:
		break;
	}
	*error = "its Content-Type is none of application/json, application/yaml and "
		 "application/vnd.kubernetes.protobuf";
	return NULL;
}

char *object_field_read(enum object_field field, enum body_format format, const void *body,
    size_t len, const char **error)
{
	char *text = read_any(&fields[field], format, body, len, error);
	if (text != NULL && strlen(text) > TEXT_MAX) {
		*error = "it is longer than any name";
		xfree(&text);
	}
	return text;
}
