/* metadata.name out of a body, read so that the API server cannot read another: duplicate keys,
 * repeated fields, encodings within encodings and what is not UTF-8 are refused. Called by the
 * exchange for creates that rules restrict by name. */
#include "kubeproxyd/policy/object_name.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/json.h"
#include "common/xmem.h"
#include "common/yaml.h"
#include "kubeproxyd/policy/protobuf.h"

/* ObjectMeta stands first in every object; in it the name. */
enum { OBJECT_METADATA = 1 };
enum { METADATA_NAME = 1 };

static const char no_name[] = "it has no metadata.name (generateName is a name only later)";
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

static char *copy(const char *name, const char **error)
{
	if (name != NULL && name[0] != '\0')
		return xstrdup(name);
	*error = no_name;
	return NULL;
}

static char *read_json(const void *body, size_t len, const char **error)
{
	char why[JSON_ERROR_TEXT];
	struct json_object *document = json_parse(body, len, why), *metadata = NULL;
	const char *name = NULL;
	char *text = NULL;
	bool is_sound = json_object_is_type(document, json_type_object) &&
			(!json_object_object_get_ex(document, "metadata", &metadata) ||
			    metadata == NULL || json_object_is_type(metadata, json_type_object)) &&
			(metadata == NULL ||
			    json_get_optional_string(metadata, "metadata", "name", &name, why));
	if (is_sound)
		text = copy(name, error);
	else
		*error = unreadable;
	json_object_put(document);
	return text;
}

static char *read_yaml(const void *body, size_t len, const char **error)
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
	const struct yaml_node *name =
	    metadata != NULL && metadata->kind == YAML_NODE_MAP ? yaml_get(metadata, "name") : NULL;
	if (name == NULL || yaml_is_null(name))
		*error = no_name;
	else if (name->kind == YAML_NODE_SCALAR)
		text = copy(name->text, error);
	yaml_document_free(&document);
	return text;
}

static char *read_protobuf(const void *body, size_t len, const char **error)
{
	struct protobuf kind, raw, metadata, name;
	bool is_sound;
	*error = unreadable;
	if (!protobuf_open(body, len, &kind, &raw))
		return NULL;
	if (!protobuf_get(raw, OBJECT_METADATA, &metadata, &is_sound)) {
		*error = is_sound ? no_name : unreadable;
		return NULL;
	}
	if (!protobuf_get(metadata, METADATA_NAME, &name, &is_sound) || name.len == 0) {
		*error = is_sound ? no_name : unreadable;
		return NULL;
	}
	if (memchr(name.at, '\0', name.len) != NULL)
		return NULL;
	return xstrndup((const char *)name.at, name.len);
}

char *object_name_read(enum body_format format, const void *body, size_t len, const char **error)
{
	switch (format) {
	case BODY_JSON:
		return read_json(body, len, error);
	case BODY_YAML:
		return read_yaml(body, len, error);
	case BODY_PROTOBUF:
		return read_protobuf(body, len, error);
	case BODY_UNKNOWN:
		break;
	}
	*error = "its Content-Type is none of application/json, application/yaml and "
		 "application/vnd.kubernetes.protobuf";
	return NULL;
}
