/* Access reviews in their three encodings. What is written is made from what was understood, never
 * from what came. Called by the exchange. */
#include "kubeproxyd/policy/access_review.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/json.h"
#include "common/xmem.h"
#include "common/yaml.h"
#include "kubeproxyd/policy/protobuf.h"

#define API_VERSION "authorization.k8s.io/v1"
#define KIND	    "SelfSubjectAccessReview"

static const char unreadable[] = "the review cannot be read";
static const char one_of[] =
    "exactly one of resourceAttributes and nonResourceAttributes must be there";

/* Members of the two attributes, by name and by number. */
struct member {
	const char *name;
	uint32_t number;
	size_t offset;
};

#define AT(member) offsetof(struct access_review, member)

/* They stand in the reason of a no, and that is on record. */
#define VALUE_MAX 1024

static const struct member resource_members[] = {
    {"namespace", 1, AT(namespace)},
    {"verb", 2, AT(verb)},
    {"group", 3, AT(group)},
    {"version", 4, AT(version)},
    {"resource", 5, AT(resource)},
    {"subresource", 6, AT(subresource)},
    {"name", 7, AT(name)},
    {NULL, 0, 0},
};
static const struct member path_members[] = {
    {"path", 1, AT(path)},
    {"verb", 2, AT(verb)},
    {NULL, 0, 0},
};

enum { REVIEW_SPEC = 2, REVIEW_STATUS = 3 };
enum { SPEC_RESOURCE = 1, SPEC_PATH = 2 };
enum { STATUS_ALLOWED = 1, STATUS_REASON = 2, STATUS_DENIED = 4 };

static char **text_of(struct access_review *review, const struct member *member)
{
	return (char **)(void *)((char *)review + member->offset);
}

static const char *value_of(const struct access_review *review, const struct member *member)
{
	const char *const *text =
	    (const char *const *)(const void *)((const char *)review + member->offset);
	return *text != NULL ? *text : "";
}

static void set(struct access_review *review, const struct member *member, const char *text)
{
	char **at = text_of(review, member);
	free(*at);
	*at = xstrdup(text);
}

/* --- reading --------------------------------------------------------------------------------- */

static bool take_json(
    struct access_review *review, const struct member *members, struct json_object *from)
{
	char why[JSON_ERROR_TEXT];
	for (; members->name != NULL; members++) {
		const char *value = NULL;
		if (!json_get_optional_string(from, "spec", members->name, &value, why))
			return false;
		if (value != NULL)
			set(review, members, value);
	}
	return true;
}

static bool read_json(
    const void *body, size_t len, struct access_review *review, const char **error)
{
	char why[JSON_ERROR_TEXT];
	struct json_object *document = json_parse(body, len, why);
	struct json_object *spec = NULL, *resource = NULL, *path = NULL;
	bool is_sound = json_object_is_type(document, json_type_object) &&
			json_object_object_get_ex(document, "spec", &spec) &&
			json_object_is_type(spec, json_type_object);
	if (is_sound) {
		json_object_object_get_ex(spec, "resourceAttributes", &resource);
		json_object_object_get_ex(spec, "nonResourceAttributes", &path);
	}
	if (is_sound && (resource == NULL) == (path == NULL)) {
		*error = one_of;
		is_sound = false;
	}
	review->is_resource = resource != NULL;
	is_sound = is_sound &&
		   json_object_is_type(resource != NULL ? resource : path, json_type_object) &&
		   take_json(review, resource != NULL ? resource_members : path_members,
		       resource != NULL ? resource : path);
	json_object_put(document);
	return is_sound;
}

static bool take_yaml(
    struct access_review *review, const struct member *members, const struct yaml_node *from)
{
	for (; members->name != NULL; members++) {
		const struct yaml_node *value = yaml_get(from, members->name);
		if (value == NULL || yaml_is_null(value))
			continue;
		if (value->kind != YAML_NODE_SCALAR)
			return false;
		set(review, members, value->text);
	}
	return true;
}

static const struct yaml_node *yaml_map(const struct yaml_node *map, const char *key)
{
	const struct yaml_node *node =
	    map != NULL && map->kind == YAML_NODE_MAP ? yaml_get(map, key) : NULL;
	return node != NULL && node->kind == YAML_NODE_MAP ? node : NULL;
}

static bool read_yaml(
    const void *body, size_t len, struct access_review *review, const char **error)
{
	char *why = NULL;
	struct yaml_document *document = yaml_parse("body", body, len, &why);
	free(why);
	if (document == NULL)
		return false;
	const struct yaml_node *spec = yaml_map(document->root, "spec");
	const struct yaml_node *resource = yaml_map(spec, "resourceAttributes");
	const struct yaml_node *path = yaml_map(spec, "nonResourceAttributes");
	bool is_sound = (resource == NULL) != (path == NULL);
	if (!is_sound)
		*error = one_of;
	review->is_resource = resource != NULL;
	is_sound = is_sound && take_yaml(review, resource != NULL ? resource_members : path_members,
				   resource != NULL ? resource : path);
	yaml_document_free(&document);
	return is_sound;
}

static bool take_protobuf(
    struct access_review *review, const struct member *members, struct protobuf from)
{
	for (; members->name != NULL; members++) {
		struct protobuf value;
		bool is_sound;
		bool is_there = protobuf_get(from, members->number, &value, &is_sound);
		if (!is_sound || (value.len > 0 && memchr(value.at, '\0', value.len) != NULL))
			return false;
		char *text = is_there ? xstrndup((const char *)value.at, value.len) : NULL;
		if (is_there)
			set(review, members, text);
		free(text);
	}
	return true;
}

static bool read_protobuf(
    const void *body, size_t len, struct access_review *review, const char **error)
{
	struct protobuf kind, raw, spec, resource, path;
	bool is_sound, is_path_sound;
	if (!protobuf_open(body, len, &kind, &raw) ||
	    !protobuf_get(raw, REVIEW_SPEC, &spec, &is_sound))
		return false;
	bool has_resource = protobuf_get(spec, SPEC_RESOURCE, &resource, &is_sound);
	bool has_path = protobuf_get(spec, SPEC_PATH, &path, &is_path_sound);
	if (!is_sound || !is_path_sound)
		return false;
	if (has_resource == has_path) {
		*error = one_of;
		return false;
	}
	review->is_resource = has_resource;
	return take_protobuf(
	    review, has_resource ? resource_members : path_members, has_resource ? resource : path);
}

static bool read_any(enum body_format format, const void *body, size_t len,
    struct access_review *review, const char **error)
{
	switch (format) {
	case BODY_JSON:
		return read_json(body, len, review, error);
	case BODY_YAML:
		return read_yaml(body, len, review, error);
	case BODY_PROTOBUF:
		return read_protobuf(body, len, review, error);
	case BODY_UNKNOWN:
		break;
	}
	*error = "the Content-Type of a review is application/json, application/yaml or "
		 "application/vnd.kubernetes.protobuf";
	return false;
}

bool access_review_read(enum body_format format, const void *body, size_t len,
    struct access_review *review, const char **error)
{
	*error = unreadable;
	if (!read_any(format, body, len, review, error))
		return false;
	const struct member *member = review->is_resource ? resource_members : path_members;
	for (; member->name != NULL; member++) {
		if (strlen(value_of(review, member)) <= VALUE_MAX)
			continue;
		*error = "the review has an attribute that is longer than any is";
		return false;
	}
	return true;
}

static const char *or_empty(const char *text)
{
	return text != NULL ? text : "";
}

struct request_info access_review_request(const struct access_review *review)
{
	return (struct request_info){
	    .is_resource = review->is_resource,
	    .verb = or_empty(review->verb),
	    .path = or_empty(review->path),
	    .api_group = or_empty(review->group),
	    .api_version = or_empty(review->version),
	    .resource = or_empty(review->resource),
	    .subresource = or_empty(review->subresource),
	    .namespace = or_empty(review->namespace),
	    .name = or_empty(review->name),
	    .field_selector = "",
	    .label_selector = "",
	};
}

/* --- writing --------------------------------------------------------------------------------- */

static void write_json(
    const struct access_review *review, bool is_allowed, const char *reason, struct buf *out)
{
	const struct member *member = review->is_resource ? resource_members : path_members;
	struct json_object *document = json_object_new_object();
	struct json_object *metadata = json_object_new_object();
	struct json_object *spec = json_object_new_object();
	struct json_object *attributes = json_object_new_object();
	struct json_object *status = json_object_new_object();
	for (; member->name != NULL; member++) {
		if (value_of(review, member)[0] != '\0')
			json_add_string(attributes, member->name, value_of(review, member));
	}
	json_add_string(document, "kind", KIND);
	json_add_string(document, "apiVersion", API_VERSION);
	json_object_object_add(metadata, "creationTimestamp", NULL);
	json_object_object_add(document, "metadata", metadata);
	json_object_object_add(
	    spec, review->is_resource ? "resourceAttributes" : "nonResourceAttributes", attributes);
	json_object_object_add(document, "spec", spec);
	json_object_object_add(status, "allowed", json_object_new_boolean(is_allowed));
	json_object_object_add(status, "denied", json_object_new_boolean(!is_allowed));
	json_add_string(status, "reason", reason);
	json_object_object_add(document, "status", status);
	buf_append_text(
	    out, json_object_to_json_string_ext(document, JSON_C_TO_STRING_NOSLASHESCAPE));
	buf_append_char(out, '\n');
	json_object_put(document);
}

static void write_protobuf(
    const struct access_review *review, bool is_allowed, const char *reason, struct buf *out)
{
	const struct member *member = review->is_resource ? resource_members : path_members;
	struct buf attributes = {0}, spec = {0}, status = {0}, raw = {0};
	for (; member->name != NULL; member++)
		protobuf_add_text(&attributes, member->number, value_of(review, member));
	protobuf_add_bytes(&spec, review->is_resource ? SPEC_RESOURCE : SPEC_PATH,
	    buf_text(&attributes), attributes.len);
	protobuf_add_number(&status, STATUS_ALLOWED, is_allowed);
	protobuf_add_text(&status, STATUS_REASON, reason);
	protobuf_add_number(&status, STATUS_DENIED, !is_allowed);
	protobuf_add_bytes(&raw, 1, "", 0);
	protobuf_add_bytes(&raw, REVIEW_SPEC, buf_text(&spec), spec.len);
	protobuf_add_bytes(&raw, REVIEW_STATUS, buf_text(&status), status.len);
	protobuf_wrap(out, API_VERSION, KIND, &raw);
	buf_free(&attributes);
	buf_free(&spec);
	buf_free(&status);
	buf_free(&raw);
}

void access_review_answer(const struct access_review *review, bool is_allowed, const char *reason,
    enum body_format format, struct buf *out)
{
	if (format == BODY_PROTOBUF)
		write_protobuf(review, is_allowed, reason, out);
	else
		write_json(review, is_allowed, reason, out);
}

void access_review_free(struct access_review *review)
{
	for (const struct member *member = resource_members; member->name != NULL; member++)
		free(*text_of(review, member));
	free(review->path);
	*review = (struct access_review){0};
}

/* --- what is wanted -------------------------------------------------------------------------- */

enum body_format body_format_wanted(const char *accept)
{
	for (const char *at = accept; at != NULL && *at != '\0';) {
		at += strspn(at, ", \t");
		size_t len = strcspn(at, ",");
		char *type = xstrndup(at, len);
		enum body_format format = body_format_of(type);
		free(type);
		if (format == BODY_JSON || format == BODY_PROTOBUF)
			return format;
		at += len;
	}
	return BODY_JSON;
}

const char *body_format_type(enum body_format format)
{
	return format == BODY_PROTOBUF ? "application/vnd.kubernetes.protobuf" : "application/json";
}
