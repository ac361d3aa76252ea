/* The two EKS operations of discovery. Parsing is pure and strict about types, and knows the
 * grammar of what it lets in: names and tokens that AWS would not give are refused with the field's
 * name, members that are new are ignored. The calls join it with aws_call. Called by the sweep. */
#include "discoveryd/aws_eks.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/json.h"
#include "common/sigv4.h"
#include "common/xmem.h"
#include "discoveryd/aws_question.h"

#define PAGE_SIZE    100
#define NAME_MAX_LEN 100
#define TAGS_MAX     200
/* The year 9999: later is no time. */
#define CREATED_MAX 253402300799.0

struct eks_call {
	struct aws_question question;
	eks_list_fn *on_list; /* of one kind … */
	eks_describe_fn *on_describe; /* … or the other */
	void *arg;
};

/* [0-9A-Za-z][0-9A-Za-z_-]*, at most 100. */
static bool is_cluster_name(const char *name)
{
	size_t len = strlen(name);
	if (len == 0 || len > NAME_MAX_LEN || !isalnum((unsigned char)*name))
		return false;
	for (const char *p = name; *p != '\0'; p++) {
		if (!isalnum((unsigned char)*p) && *p != '-' && *p != '_')
			return false;
	}
	return true;
}

static struct json_object *parse_answer(
    const char *body, size_t len, const char *operation, char **error)
{
	char why[JSON_ERROR_TEXT];
	struct json_object *document = json_parse(body, len, why);
	if (document == NULL) {
		*error = xasprintf("the answer to %s is not JSON: %s", operation, why);
		return NULL;
	}
	if (json_object_is_type(document, json_type_object))
		return document;
	*error = xasprintf("the answer to %s is not a JSON object", operation);
	json_object_put(document);
	return NULL;
}

/* --- ListClusters ---------------------------------------------------------------------------- */

void eks_cluster_page_free(struct eks_cluster_page *page)
{
	for (size_t i = 0; i < page->count; i++)
		xfree(&page->names[i]);
	xfree(&page->names);
	xfree(&page->next_token);
	page->count = 0;
}

static bool read_names(
    struct json_object *list, struct eks_cluster_page *page, char why[JSON_ERROR_TEXT])
{
	size_t count = json_object_array_length(list);
	page->names = xcalloc(count, sizeof *page->names);
	for (size_t i = 0; i < count; i++) {
		struct json_object *item = json_object_array_get_idx(list, i);
		const char *name = json_object_is_type(item, json_type_string)
				       ? json_object_get_string(item)
				       : NULL;
		if (name == NULL || strlen(name) != (size_t)json_object_get_string_len(item) ||
		    !is_cluster_name(name)) {
			snprintf(why, JSON_ERROR_TEXT, "clusters[%zu] is not a cluster name", i);
			return false;
		}
		page->names[page->count++] = xstrdup(name);
	}
	return true;
}

static bool read_list(
    struct json_object *document, struct eks_cluster_page *page, char why[JSON_ERROR_TEXT])
{
	struct json_object *list;
	const char *token;
	if (!json_get_array(document, "answer", "clusters", &list, why) ||
	    !read_names(list, page, why) ||
	    !json_get_optional_string(document, "answer", "nextToken", &token, why))
		return false;
	if (token != NULL && *token != '\0')
		page->next_token = xstrdup(token);
	return true;
}

bool eks_parse_list(const char *body, size_t len, struct eks_cluster_page *page, char **error)
{
	char why[JSON_ERROR_TEXT];
	*page = (struct eks_cluster_page){0};
	struct json_object *document = parse_answer(body, len, "eks:ListClusters", error);
	if (document == NULL)
		return false;
	bool is_read = read_list(document, page, why);
	if (!is_read) {
		*error = xasprintf("the answer to eks:ListClusters: %s", why);
		eks_cluster_page_free(page);
	}
	json_object_put(document);
	return is_read;
}

/* --- DescribeCluster ------------------------------------------------------------------------- */

void eks_cluster_free(struct eks_cluster **handle)
{
	struct eks_cluster *cluster = *handle;
	if (cluster == NULL)
		return;
	xfree(&cluster->name);
	xfree(&cluster->arn);
	xfree(&cluster->status);
	xfree(&cluster->endpoint);
	xfree(&cluster->certificate_authority);
	xfree(&cluster->authentication_mode);
	xfree(&cluster->cluster_id);
	xfree(&cluster->version);
	labels_free(&cluster->tags);
	xfree(handle);
}

/* The object `key`, or NULL when it is missing or null. False: it is something else. */
static bool optional_object(struct json_object *object, const char *path, const char *key,
    struct json_object **value, char why[JSON_ERROR_TEXT])
{
	*value = NULL;
	if (!json_object_object_get_ex(object, key, value) || *value == NULL)
		return true;
	if (json_object_is_type(*value, json_type_object))
		return true;
	snprintf(why, JSON_ERROR_TEXT, "%s.%s is not an object", path, key);
	return false;
}

static bool copy_optional(struct json_object *object, const char *path, const char *key,
    char **copy, char why[JSON_ERROR_TEXT])
{
	const char *value = NULL;
	if (object != NULL && !json_get_optional_string(object, path, key, &value, why))
		return false;
	*copy = xstrdup_or_null(value);
	return true;
}

/* Seconds since 1970, with a fraction. */
static bool read_created_at(
    struct json_object *object, struct unix_time *at, char why[JSON_ERROR_TEXT])
{
	struct json_object *value = NULL;
	if (!json_object_object_get_ex(object, "createdAt", &value) || value == NULL)
		return true;
	bool is_number = json_object_is_type(value, json_type_double) ||
			 json_object_is_type(value, json_type_int);
	double seconds = is_number ? json_object_get_double(value) : -1;
	if (!(seconds >= 0 && seconds <= CREATED_MAX)) {
		snprintf(why, JSON_ERROR_TEXT, "cluster.createdAt is not a time in seconds");
		return false;
	}
	at->ms = (int64_t)(seconds * 1000 + 0.5);
	return true;
}

static bool read_flag(
    struct json_object *object, const char *key, bool *flag, char why[JSON_ERROR_TEXT])
{
	struct json_object *value = NULL;
	if (!json_object_object_get_ex(object, key, &value) || value == NULL)
		return true;
	if (!json_object_is_type(value, json_type_boolean)) {
		snprintf(why, JSON_ERROR_TEXT, "cluster.resourcesVpcConfig.%s is not true or false",
		    key);
		return false;
	}
	*flag = json_object_get_boolean(value);
	return true;
}

static bool read_tags(struct json_object *object, struct labels *tags, char why[JSON_ERROR_TEXT])
{
	struct json_object *map;
	if (!optional_object(object, "cluster", "tags", &map, why))
		return false;
	if (map == NULL)
		return true;
	if (json_object_object_length(map) > TAGS_MAX) {
		snprintf(why, JSON_ERROR_TEXT, "cluster.tags has more than %d entries", TAGS_MAX);
		return false;
	}
	json_object_object_foreach(map, key, ignored)
	{
		const char *value;
		(void)ignored;
		if (!json_get_string(map, "cluster.tags", key, &value, why))
			return false;
		labels_set(tags, key, value);
	}
	return true;
}

static bool read_parts(
    struct json_object *object, struct eks_cluster *cluster, char why[JSON_ERROR_TEXT])
{
	struct json_object *authority, *access, *network;
	if (!optional_object(object, "cluster", "certificateAuthority", &authority, why) ||
	    !optional_object(object, "cluster", "accessConfig", &access, why) ||
	    !optional_object(object, "cluster", "resourcesVpcConfig", &network, why))
		return false;
	if (network != NULL &&
	    (!read_flag(network, "endpointPublicAccess", &cluster->is_public, why) ||
		!read_flag(network, "endpointPrivateAccess", &cluster->is_private, why)))
		return false;
	/* Only local clusters on Outposts have an id. */
	return copy_optional(object, "cluster", "id", &cluster->cluster_id, why) &&
	       copy_optional(authority, "cluster.certificateAuthority", "data",
		   &cluster->certificate_authority, why) &&
	       copy_optional(access, "cluster.accessConfig", "authenticationMode",
		   &cluster->authentication_mode, why);
}

static bool read_cluster(
    struct json_object *document, struct eks_cluster *cluster, char why[JSON_ERROR_TEXT])
{
	struct json_object *object;
	const char *name, *arn, *status;
	if (!json_get_object(document, "answer", "cluster", &object, why) ||
	    !json_get_string(object, "cluster", "name", &name, why) ||
	    !json_get_string(object, "cluster", "arn", &arn, why) ||
	    !json_get_string(object, "cluster", "status", &status, why))
		return false;
	if (!is_cluster_name(name)) {
		snprintf(why, JSON_ERROR_TEXT, "cluster.name is not a cluster name");
		return false;
	}
	cluster->name = xstrdup(name);
	cluster->arn = xstrdup(arn);
	cluster->status = xstrdup(status);
	if (!copy_optional(object, "cluster", "endpoint", &cluster->endpoint, why) ||
	    !copy_optional(object, "cluster", "version", &cluster->version, why) ||
	    !read_created_at(object, &cluster->created_at, why) ||
	    !read_tags(object, &cluster->tags, why) || !read_parts(object, cluster, why))
		return false;
	if (cluster->authentication_mode == NULL)
		cluster->authentication_mode = xstrdup("CONFIG_MAP");
	return true;
}

struct eks_cluster *eks_parse_describe(const char *body, size_t len, char **error)
{
	char why[JSON_ERROR_TEXT];
	struct json_object *document = parse_answer(body, len, "eks:DescribeCluster", error);
	if (document == NULL)
		return NULL;
	struct eks_cluster *cluster = xcalloc(1, sizeof *cluster);
	if (!read_cluster(document, cluster, why)) {
		*error = xasprintf("the answer to eks:DescribeCluster: %s", why);
		eks_cluster_free(&cluster);
	}
	json_object_put(document);
	return cluster;
}

/* --- calls ----------------------------------------------------------------------------------- */

static void on_list_answer(struct aws_question *question, const struct aws_reply *reply)
{
	const struct eks_call *call = (const struct eks_call *)question;
	struct eks_cluster_page page;
	char *error = NULL;
	if (reply->outcome != AWS_OK) {
		call->on_list(call->arg, reply, NULL);
		return;
	}
	if (eks_parse_list(reply->body, reply->body_len, &page, &error)) {
		call->on_list(call->arg, reply, &page);
		eks_cluster_page_free(&page);
		return;
	}
	struct aws_reply bad = aws_reply_malformed(reply, error);
	call->on_list(call->arg, &bad, NULL);
	free(error);
}

static void on_describe_answer(struct aws_question *question, const struct aws_reply *reply)
{
	const struct eks_call *call = (const struct eks_call *)question;
	char *error = NULL;
	if (reply->outcome != AWS_OK) {
		call->on_describe(call->arg, reply, NULL);
		return;
	}
	struct eks_cluster *cluster = eks_parse_describe(reply->body, reply->body_len, &error);
	struct aws_reply bad = aws_reply_malformed(reply, error);
	call->on_describe(call->arg, cluster != NULL ? reply : &bad, cluster);
	eks_cluster_free(&cluster);
	free(error);
}

struct eks_call *eks_list_clusters(struct aws_context *aws, struct aws_provider *provider,
    const char *region, const char *next_token, eks_list_fn *fn, void *arg)
{
	struct eks_call *call = xcalloc(1, sizeof *call);
	struct buf query = {0};
	*call = (struct eks_call){.question.on_answer = on_list_answer, .on_list = fn, .arg = arg};
	buf_printf(&query, "maxResults=%d", PAGE_SIZE);
	if (next_token != NULL) {
		buf_append_text(&query, "&nextToken=");
		sigv4_encode(&query, next_token, strlen(next_token));
	}
	const struct aws_request request = {.service = "eks",
	    .region = region,
	    .operation = "eks:ListClusters",
	    .is_paced = true,
	    .method = "GET",
	    .path = "/clusters",
	    .query = buf_text(&query)};
	aws_question_ask(&call->question, aws, provider, &request);
	buf_free(&query);
	return call;
}

struct eks_call *eks_describe_cluster(struct aws_context *aws, struct aws_provider *provider,
    const char *region, const char *name, eks_describe_fn *fn, void *arg)
{
	struct eks_call *call = xcalloc(1, sizeof *call);
	struct buf path = {0};
	*call = (struct eks_call){
	    .question.on_answer = on_describe_answer, .on_describe = fn, .arg = arg};
	buf_append_text(&path, "/clusters/");
	sigv4_encode(&path, name, strlen(name));
	const struct aws_request request = {.service = "eks",
	    .region = region,
	    .operation = "eks:DescribeCluster",
	    .is_paced = true,
	    .method = "GET",
	    .path = buf_text(&path)};
	aws_question_ask(&call->question, aws, provider, &request);
	buf_free(&path);
	return call;
}

void eks_call_cancel(struct eks_call **call)
{
	aws_question_cancel((struct aws_question *)*call);
	*call = NULL;
}
