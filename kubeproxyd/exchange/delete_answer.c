/* What is answered to a deletecollection that was done object by object. Called by delete_each.c.
 */
#include "kubeproxyd/exchange/delete_answer.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/xmem.h"
#include "kubeproxyd/exchange/delete_targets.h"
#include "kubeproxyd/http/status.h"

#define PLAIN (JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE)

/* --- failures -------------------------------------------------------------------------------- */

char *delete_answer_message(const char *answer, size_t len)
{
	char why[JSON_ERROR_TEXT];
	const char *message = NULL;
	struct json_object *document = len > 0 ? json_parse(answer, len, why) : NULL;
	bool is_told = json_object_is_type(document, json_type_object) &&
		       json_get_optional_string(document, "", "message", &message, why);
	char *text = xstrdup(is_told && message != NULL ? message : "");
	json_object_put(document);
	return text;
}

static char *explain(unsigned status, const char *answer, size_t len)
{
	char *message = delete_answer_message(answer, len);
	if (message[0] != '\0')
		return message;
	free(message);
	return xasprintf("the answer was %u %s", status, status_reason(status));
}

void delete_failures_add(struct delete_failures *failures, const char *resource,
    const struct delete_object *object, unsigned status, const char *answer, size_t len)
{
	char *why = explain(status, answer, len);
	if (failures->count++ == 0) {
		failures->causes = json_object_new_array();
		failures->status = status;
		failures->first = xasprintf("%s \"%s\": %s", resource, object->name, why);
	}
	if (failures->count <= DELETE_CAUSES_MAX) {
		struct json_object *cause = json_object_new_object();
		json_add_string(cause, "reason", status_reason(status));
		json_add_string(cause, "message", why);
		json_add_string(cause, "field", object->name);
		json_object_array_add(failures->causes, cause);
	}
	free(why);
}

void delete_failures_free(struct delete_failures *failures)
{
	json_object_put(failures->causes);
	free(failures->first);
	*failures = (struct delete_failures){0};
}

char *delete_failures_sentence(
    const struct delete_failures *failures, const char *resource, const struct delete_tally *tally)
{
	char *untried = tally->untried == 0
			    ? xstrdup("")
			    : xasprintf(", and %zu were not tried after that", tally->untried);
	char *sentence = xasprintf("%zu of %zu %s were deleted, %zu could not be%s%s: %s",
	    tally->deleted, tally->total, resource, failures->count, untried,
	    failures->count > 1 ? " (details.causes has the reason for each)" : "",
	    failures->first);
	free(untried);
	return sentence;
}

void delete_failures_write(struct buf *out, const struct delete_failures *failures,
    const char *api_group, const char *resource, const char *message)
{
	struct json_object *status = json_object_new_object();
	struct json_object *details = json_object_new_object();
	json_add_string(status, "kind", "Status");
	json_add_string(status, "apiVersion", "v1");
	json_object_object_add(status, "metadata", json_object_new_object());
	json_add_string(status, "status", "Failure");
	json_add_string(status, "message", message);
	json_add_string(status, "reason", status_reason(failures->status));
	if (api_group[0] != '\0')
		json_add_string(details, "group", api_group);
	json_add_string(details, "kind", resource);
	json_object_object_add(details, "causes", json_object_get(failures->causes));
	json_object_object_add(status, "details", details);
	json_object_object_add(status, "code", json_object_new_int64(failures->status));
	buf_append_text(out, json_object_to_json_string_ext(status, PLAIN));
	buf_append_char(out, '\n');
	json_object_put(status);
}

/* --- the list -------------------------------------------------------------------------------- */

void delete_list_begin(struct buf *out, const char *next)
{
	struct json_object *metadata = json_object_new_object();
	if (next[0] != '\0')
		json_add_string(metadata, "continue", next);
	buf_append_text(out,
	    "{\"kind\":\"PartialObjectMetadataList\",\"apiVersion\":\"meta.k8s.io/v1\","
	    "\"metadata\":");
	buf_append_text(out, json_object_to_json_string_ext(metadata, PLAIN));
	buf_append_text(out, ",\"items\":[");
	json_object_put(metadata);
}

void delete_list_add(struct buf *out, const struct delete_object *object)
{
	struct json_object *item = json_object_new_object();
	struct json_object *metadata = json_object_new_object();
	json_add_string(metadata, "name", object->name);
	if (object->namespace[0] != '\0')
		json_add_string(metadata, "namespace", object->namespace);
	json_add_string(metadata, "uid", object->uid);
	json_object_object_add(item, "metadata", metadata);
	if (out->data[out->len - 1] != '[')
		buf_append_char(out, ',');
	buf_append_text(out, json_object_to_json_string_ext(item, PLAIN));
	json_object_put(item);
}

void delete_list_end(struct buf *out)
{
	buf_append_text(out, "]}\n");
}
