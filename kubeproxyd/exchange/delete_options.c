/* DeleteOptions, read once and written for each object. The API server reads them from the body,
 * and from the query only when there is no body: since each delete has a body (its precondition),
 * what stood in the query is moved there, or a dry run would not be one. Called by delete_each.c.
 */
#include "kubeproxyd/exchange/delete_options.h"

#include <errno.h>
#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/utf8.h"
#include "common/xmem.h"
#include "kubeproxyd/policy/access_review.h"
#include "kubeproxyd/policy/protobuf.h"
#include "kubeproxyd/policy/query.h"

/* metav1.DeleteOptions and metav1.Preconditions */
enum { OPTIONS_PRECONDITIONS = 2 };
enum { PRECONDITIONS_UID = 1 };

static const char unreadable[] = "the DeleteOptions in the body cannot be read";

/* --- from the query -------------------------------------------------------------------------- */

static struct json_object *new_document(void)
{
	struct json_object *document = json_object_new_object();
	json_add_string(document, "kind", "DeleteOptions");
	json_add_string(document, "apiVersion", "v1");
	return document;
}

static bool add_text(struct json_object *document, const char *key, const char *value)
{
	if (!json_object_object_get_ex(document, key, NULL))
		json_add_string(document, key, value);
	return true;
}

static bool add_to_list(struct json_object *document, const char *key, const char *value)
{
	struct json_object *list = NULL;
	if (!json_object_object_get_ex(document, key, &list)) {
		list = json_object_new_array();
		json_object_object_add(document, key, list);
	}
	json_object_array_add(list, json_object_new_string(value));
	return true;
}

static bool add_number(struct json_object *document, const char *key, const char *value)
{
	char *end = NULL;
	errno = 0;
	long long number = strtoll(value, &end, 10);
	if (errno != 0 || end == value || *end != '\0')
		return false;
	if (!json_object_object_get_ex(document, key, NULL))
		json_object_object_add(document, key, json_object_new_int64(number));
	return true;
}

static bool add_truth(struct json_object *document, const char *key, const char *value)
{
	if (!json_object_object_get_ex(document, key, NULL))
		json_object_object_add(
		    document, key, json_object_new_boolean(query_is_true(value)));
	return true;
}

static const struct {
	const char *key;
	bool (*add)(struct json_object *document, const char *key, const char *value);
} parameters[] = {
    {"dryRun", add_to_list},
    {"gracePeriodSeconds", add_number},
    {"ignoreStoreReadErrorWithClusterBreakingPotential", add_truth},
    {"orphanDependents", add_truth},
    {"propagationPolicy", add_text},
};

static bool read_pair(struct json_object *document, const struct query_pair *pair)
{
	if (!utf8_is_sound(pair->value, strlen(pair->value)))
		return false;
	for (size_t i = 0; i < sizeof parameters / sizeof parameters[0]; i++) {
		if (strcmp(parameters[i].key, pair->key) == 0)
			return parameters[i].add(document, pair->key, pair->value);
	}
	return true;
}

static bool read_query(struct delete_options *options, const char *query, const char **error)
{
	struct query_pair pair;
	char *scratch = xmalloc(strlen(query) + 2);
	bool is_sound = true;
	options->document = new_document();
	while (is_sound && query_next(&query, scratch, &pair))
		is_sound = pair.is_dropped || read_pair(options->document, &pair);
	free(scratch);
	if (!is_sound)
		*error = "the options in the query cannot be read: gracePeriodSeconds must be a "
			 "number, and all of them UTF-8";
	return is_sound;
}

/* --- from the body --------------------------------------------------------------------------- */

static bool read_json(
    struct delete_options *options, const void *body, size_t len, const char **error)
{
	char why[JSON_ERROR_TEXT];
	struct json_object *preconditions = NULL;
	const char *uid = NULL;
	*error = unreadable;
	options->document = json_parse(body, len, why);
	if (!json_object_is_type(options->document, json_type_object))
		return false;
	json_object_object_get_ex(options->document, "preconditions", &preconditions);
	if (preconditions == NULL)
		return true;
	if (!json_object_is_type(preconditions, json_type_object) ||
	    !json_get_optional_string(preconditions, "preconditions", "uid", &uid, why))
		return false;
	options->has_uid = uid != NULL;
	return true;
}

static bool keep_parts(struct delete_options *options, struct protobuf raw)
{
	struct protobuf_field field;
	bool has_preconditions = false;
	for (const uint8_t *begin = raw.at; protobuf_next(&raw, &field); begin = raw.at) {
		if (field.number != OPTIONS_PRECONDITIONS) {
			buf_append(&options->rest, begin, (size_t)(raw.at - begin));
			continue;
		}
		if (has_preconditions || !field.is_bytes)
			return false;
		has_preconditions = true;
		buf_append(&options->preconditions, field.bytes.at, field.bytes.len);
	}
	return !raw.is_bad;
}

static bool read_protobuf(
    struct delete_options *options, const void *body, size_t len, const char **error)
{
	struct protobuf kind, raw, uid;
	bool is_sound;
	*error = unreadable;
	if (!protobuf_open(body, len, &kind, &raw) || kind.len != strlen("DeleteOptions") ||
	    memcmp(kind.at, "DeleteOptions", kind.len) != 0 || !keep_parts(options, raw))
		return false;
	struct protobuf preconditions = {.at = (const uint8_t *)buf_text(&options->preconditions),
	    .len = options->preconditions.len};
	options->has_uid = protobuf_get(preconditions, PRECONDITIONS_UID, &uid, &is_sound);
	return is_sound;
}

/* --- public ---------------------------------------------------------------------------------- */

bool delete_options_read(enum body_format format, const void *body, size_t len, const char *query,
    struct delete_options *options, const char **error)
{
	if (len == 0)
		return read_query(options, query, error);
	if (format == BODY_JSON)
		return read_json(options, body, len, error);
	if (format == BODY_PROTOBUF)
		return read_protobuf(options, body, len, error);
	*error = "where a role is for some names or namespaces, the DeleteOptions of a "
		 "deletecollection are read from application/json and "
		 "application/vnd.kubernetes.protobuf alone";
	return false;
}

static void write_json(struct delete_options *options, const char *uid, struct buf *out)
{
	struct json_object *preconditions = NULL;
	json_object_object_get_ex(options->document, "preconditions", &preconditions);
	if (preconditions == NULL) {
		preconditions = json_object_new_object();
		json_object_object_add(options->document, "preconditions", preconditions);
	}
	if (!options->has_uid)
		json_add_string(preconditions, "uid", uid);
	buf_append_text(out, json_object_to_json_string_ext(options->document,
				 JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
}

static void write_protobuf(const struct delete_options *options, const char *uid, struct buf *out)
{
	struct buf raw = {0}, preconditions = {0};
	buf_append(&preconditions, options->preconditions.data, options->preconditions.len);
	if (!options->has_uid)
		protobuf_add_text(&preconditions, PRECONDITIONS_UID, uid);
	buf_append(&raw, options->rest.data, options->rest.len);
	protobuf_add_bytes(&raw, OPTIONS_PRECONDITIONS, preconditions.data, preconditions.len);
	protobuf_wrap(out, "v1", "DeleteOptions", &raw);
	buf_free(&preconditions);
	buf_free(&raw);
}

void delete_options_write(struct delete_options *options, const char *uid, struct buf *out)
{
	if (options->document != NULL)
		write_json(options, uid, out);
	else
		write_protobuf(options, uid, out);
}

const char *delete_options_type(const struct delete_options *options)
{
	return body_format_type(options->document != NULL ? BODY_JSON : BODY_PROTOBUF);
}

void delete_options_free(struct delete_options *options)
{
	json_object_put(options->document);
	buf_free(&options->preconditions);
	buf_free(&options->rest);
	*options = (struct delete_options){0};
}
