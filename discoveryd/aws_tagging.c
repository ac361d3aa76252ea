/* GetResources (JSON protocol 1.1): request and answer, strict about types and ARNs. The call is
 * one page; tag_index puts pages together. */
#include "discoveryd/aws_tagging.h"

#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/kube_cluster.h"
#include "common/xmem.h"
#include "discoveryd/aws_question.h"

#define TARGET	     "ResourceGroupsTaggingAPI_20170126.GetResources"
#define CONTENT_TYPE "application/x-amz-json-1.1"
#define PAGE_SIZE    100
#define TAGS_MAX     200

struct tagging_call {
	struct aws_question question;
	tagging_page_fn *fn;
	void *arg;
};

/* --- parsing ---------------------------------------------------------------------------------- */

void tagged_cluster_free(struct tagged_cluster *cluster)
{
	xfree(&cluster->arn);
	xfree(&cluster->name);
	labels_free(&cluster->tags);
}

void tagging_page_free(struct tagging_page *page)
{
	for (size_t i = 0; i < page->count; i++)
		tagged_cluster_free(&page->clusters[i]);
	xfree(&page->clusters);
	xfree(&page->next_token);
	page->count = 0;
}

static bool read_tag(
    struct json_object *item, const char *path, struct labels *tags, char why[JSON_ERROR_TEXT])
{
	const char *key, *value;
	if (!json_object_is_type(item, json_type_object)) {
		snprintf(why, JSON_ERROR_TEXT, "%s is not an object", path);
		return false;
	}
	if (!json_get_string(item, path, "Key", &key, why) ||
	    !json_get_string(item, path, "Value", &value, why))
		return false;
	labels_set(tags, key, value);
	return true;
}

static bool read_tags(struct json_object *item, const char *path, struct tagged_cluster *cluster,
    char why[JSON_ERROR_TEXT])
{
	struct json_object *list;
	char at[128];
	if (!json_get_array(item, path, "Tags", &list, why))
		return false;
	size_t count = json_object_array_length(list);
	if (count > TAGS_MAX) {
		snprintf(why, JSON_ERROR_TEXT, "%s.Tags has more than %d entries", path, TAGS_MAX);
		return false;
	}
	for (size_t i = 0; i < count; i++) {
		snprintf(at, sizeof at, "%s.Tags[%zu]", path, i);
		if (!read_tag(json_object_array_get_idx(list, i), at, &cluster->tags, why))
			return false;
	}
	return true;
}

static bool read_cluster(struct json_object *item, const char *path, struct tagged_cluster *cluster,
    char why[JSON_ERROR_TEXT])
{
	const char *arn;
	struct eks_arn parts;
	if (!json_object_is_type(item, json_type_object)) {
		snprintf(why, JSON_ERROR_TEXT, "%s is not an object", path);
		return false;
	}
	if (!json_get_string(item, path, "ResourceARN", &arn, why))
		return false;
	if (!eks_arn_parse(arn, &parts)) {
		snprintf(
		    why, JSON_ERROR_TEXT, "%s.ResourceARN is not the ARN of an EKS cluster", path);
		return false;
	}
	cluster->arn = xstrdup(arn);
	cluster->name = xstrdup(parts.name);
	return read_tags(item, path, cluster, why);
}

static bool read_page(
    struct json_object *document, struct tagging_page *page, char why[JSON_ERROR_TEXT])
{
	struct json_object *list;
	const char *token;
	char path[64];
	if (!json_get_array(document, "answer", "ResourceTagMappingList", &list, why) ||
	    !json_get_optional_string(document, "answer", "PaginationToken", &token, why))
		return false;
	size_t count = json_object_array_length(list);
	page->clusters = xcalloc(count + 1, sizeof *page->clusters);
	for (size_t i = 0; i < count; i++) {
		snprintf(path, sizeof path, "ResourceTagMappingList[%zu]", i);
		struct tagged_cluster *cluster = &page->clusters[page->count++];
		if (!read_cluster(json_object_array_get_idx(list, i), path, cluster, why))
			return false;
	}
	if (token != NULL && *token != '\0')
		page->next_token = xstrdup(token);
	return true;
}

bool tagging_parse_page(const char *body, size_t len, struct tagging_page *page, char **error)
{
	char why[JSON_ERROR_TEXT];
	*page = (struct tagging_page){0};
	struct json_object *document = json_parse(body, len, why);
	if (document == NULL) {
		*error = xasprintf("the answer to " TAGGING_GET_RESOURCES " is not JSON: %s", why);
		return false;
	}
	bool is_object = json_object_is_type(document, json_type_object);
	if (!is_object)
		snprintf(why, sizeof why, "it is not a JSON object");
	bool is_read = is_object && read_page(document, page, why);
	json_object_put(document);
	if (is_read)
		return true;
	*error = xasprintf("the answer to " TAGGING_GET_RESOURCES ": %s", why);
	tagging_page_free(page);
	return false;
}

/* --- calls ------------------------------------------------------------------------------------ */

char *tagging_request_body(const char *next_token)
{
	struct json_object *document = json_object_new_object(), *types = json_object_new_array();
	json_object_array_add(types, json_object_new_string("eks:cluster"));
	json_object_object_add(document, "ResourceTypeFilters", types);
	json_object_object_add(document, "ResourcesPerPage", json_object_new_int(PAGE_SIZE));
	json_add_string(document, "PaginationToken", next_token);
	char *body = xstrdup(json_object_to_json_string_ext(document, JSON_C_TO_STRING_PLAIN));
	json_object_put(document);
	return body;
}

static void on_answer(struct aws_question *question, const struct aws_reply *reply)
{
	const struct tagging_call *call = (const struct tagging_call *)question;
	struct tagging_page page;
	char *error = NULL;
	if (reply->outcome != AWS_OK) {
		call->fn(call->arg, reply, NULL);
		return;
	}
	if (tagging_parse_page(reply->body, reply->body_len, &page, &error)) {
		call->fn(call->arg, reply, &page);
		tagging_page_free(&page);
		return;
	}
	struct aws_reply bad = aws_reply_malformed(reply, error);
	call->fn(call->arg, &bad, NULL);
	free(error);
}

struct tagging_call *tagging_get_page(struct aws_context *aws, struct aws_provider *provider,
    const char *region, const char *next_token, tagging_page_fn *fn, void *arg)
{
	struct tagging_call *call = xcalloc(1, sizeof *call);
	char *body = tagging_request_body(next_token);
	*call = (struct tagging_call){.question.on_answer = on_answer, .fn = fn, .arg = arg};
	const struct aws_request request = {.service = "tagging",
	    .region = region,
	    .operation = TAGGING_GET_RESOURCES,
	    .is_paced = true,
	    .method = "POST",
	    .path = "/",
	    .target = TARGET,
	    .content_type = CONTENT_TYPE,
	    .body = body,
	    .body_len = strlen(body)};
	aws_question_ask(&call->question, aws, provider, &request);
	free(body);
	return call;
}

void tagging_call_cancel(struct tagging_call **call)
{
	aws_question_cancel((struct aws_question *)*call);
	*call = NULL;
}
