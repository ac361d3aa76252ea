/* Access entries on the wire. Labels of a path are percent-encoded whole, so a principal's ARN is
 * one segment; groups of an update replace those that are there, which is why callers send unions.
 * All calls share the pace of their operation (common/aws_pace.h). */
#include "discoveryd/aws_access.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/json.h"
#include "common/kube_cluster.h"
#include "common/sigv4.h"
#include "common/xmem.h"
#include "discoveryd/aws_question.h"

#define GROUPS_MAX 100
#define TAGS_MAX   100
#define JSON_TYPE  "application/json"

static const char *const ACTIONS[EKS_ACCESS_OPS] = {
    [EKS_DESCRIBE_ENTRY] = "eks:DescribeAccessEntry",
    [EKS_CREATE_ENTRY] = "eks:CreateAccessEntry",
    [EKS_UPDATE_ENTRY] = "eks:UpdateAccessEntry",
    [EKS_DELETE_ENTRY] = "eks:DeleteAccessEntry",
    [EKS_ASSOCIATE_POLICY] = "eks:AssociateAccessPolicy",
    [EKS_TAG_RESOURCE] = "eks:TagResource",
};

struct eks_access_call {
	struct aws_question question;
	enum eks_access_op op;
	eks_access_fn *fn;
	void *arg;
};

const char *eks_access_action(enum eks_access_op op)
{
	return ACTIONS[op];
}

/* --- entries --------------------------------------------------------------------------------- */

void eks_access_entry_free(struct eks_access_entry **handle)
{
	struct eks_access_entry *entry = *handle;
	if (entry == NULL)
		return;
	free(entry->principal);
	free(entry->arn);
	free(entry->type);
	free(entry->username);
	for (size_t i = 0; i < entry->group_count; i++)
		free(entry->groups[i]);
	free(entry->groups);
	labels_free(&entry->tags);
	xfree(handle);
}

bool eks_access_entry_has_group(const struct eks_access_entry *entry, const char *group)
{
	for (size_t i = 0; i < entry->group_count; i++) {
		if (strcmp(entry->groups[i], group) == 0)
			return true;
	}
	return false;
}

/* --- requests -------------------------------------------------------------------------------- */

static void append_segment(struct buf *path, const char *name, const char *value)
{
	buf_printf(path, "/%s/", name);
	sigv4_encode(path, value, strlen(value));
}

static char *build_path(const struct eks_access_request *request)
{
	struct buf path = {0};
	if (request->op == EKS_TAG_RESOURCE) {
		append_segment(&path, "tags", request->resource);
		return buf_take(&path);
	}
	append_segment(&path, "clusters", request->cluster);
	if (request->op == EKS_CREATE_ENTRY)
		buf_append_text(&path, "/access-entries");
	else
		append_segment(&path, "access-entries", request->principal);
	if (request->op == EKS_ASSOCIATE_POLICY)
		buf_append_text(&path, "/access-policies");
	return buf_take(&path);
}

static void add_groups(struct json_object *object, const struct eks_access_request *request)
{
	struct json_object *groups = json_object_new_array();
	for (size_t i = 0; i < request->group_count; i++)
		json_object_array_add(groups, json_object_new_string(request->groups[i]));
	json_object_object_add(object, "kubernetesGroups", groups);
}

static void add_tags(struct json_object *object, const struct labels *tags)
{
	struct json_object *map = json_object_new_object();
	for (size_t i = 0; i < tags->count; i++)
		json_add_string(map, tags->items[i].key, tags->items[i].value);
	json_object_object_add(object, "tags", map);
}

static void add_scope(struct json_object *object)
{
	struct json_object *scope = json_object_new_object();
	json_add_string(scope, "type", "cluster");
	json_object_object_add(object, "accessScope", scope);
}

static char *build_body(const struct eks_access_request *request)
{
	struct json_object *object = json_object_new_object();
	bool is_create = request->op == EKS_CREATE_ENTRY;
	if (is_create) {
		json_add_string(object, "principalArn", request->principal);
		json_add_string(object, "type", "STANDARD");
	}
	if (is_create || request->op == EKS_UPDATE_ENTRY) {
		add_groups(object, request);
		json_add_string(object, "clientRequestToken", request->token);
	}
	if (request->tags != NULL)
		add_tags(object, request->tags);
	if (request->op == EKS_ASSOCIATE_POLICY) {
		json_add_string(object, "policyArn", request->policy);
		add_scope(object);
	}
	struct buf body = {0};
	json_write_canonical(&body, object);
	json_object_put(object);
	return buf_take(&body);
}

void eks_access_build(const struct eks_access_request *request, struct eks_access_wire *wire)
{
	static const char *const methods[EKS_ACCESS_OPS] = {
	    [EKS_DESCRIBE_ENTRY] = "GET", [EKS_DELETE_ENTRY] = "DELETE"};
	const char *method = methods[request->op];
	wire->method = method != NULL ? method : "POST";
	wire->path = build_path(request);
	wire->body = method != NULL ? NULL : build_body(request);
}

char *eks_admin_policy(const char *cluster_arn)
{
	struct eks_arn parts;
	const char *partition = eks_arn_parse(cluster_arn, &parts) ? parts.partition : "aws";
	return xasprintf(
	    "arn:%s:eks::aws:cluster-access-policy/AmazonEKSClusterAdminPolicy", partition);
}

/* --- answers --------------------------------------------------------------------------------- */

static bool read_groups(
    struct json_object *object, struct eks_access_entry *entry, char why[JSON_ERROR_TEXT])
{
	struct json_object *list = NULL;
	if (!json_object_object_get_ex(object, "kubernetesGroups", &list) || list == NULL)
		return true;
	size_t count =
	    json_object_is_type(list, json_type_array) ? json_object_array_length(list) : SIZE_MAX;
	if (count > GROUPS_MAX) {
		snprintf(why, JSON_ERROR_TEXT,
		    "accessEntry.kubernetesGroups is no list of at most 100 groups");
		return false;
	}
	entry->groups = xcalloc(count + 1, sizeof(char *));
	for (size_t i = 0; i < count; i++) {
		struct json_object *item = json_object_array_get_idx(list, i);
		if (!json_object_is_type(item, json_type_string)) {
			snprintf(why, JSON_ERROR_TEXT,
			    "accessEntry.kubernetesGroups has something else than texts");
			return false;
		}
		entry->groups[entry->group_count++] = xstrdup(json_object_get_string(item));
	}
	return true;
}

static bool read_tags(struct json_object *object, struct labels *tags, char why[JSON_ERROR_TEXT])
{
	struct json_object *map = NULL;
	if (!json_object_object_get_ex(object, "tags", &map) || map == NULL)
		return true;
	if (!json_object_is_type(map, json_type_object) ||
	    json_object_object_length(map) > TAGS_MAX) {
		snprintf(why, JSON_ERROR_TEXT, "accessEntry.tags is no map of at most 100 tags");
		return false;
	}
	json_object_object_foreach(map, key, ignored)
	{
		const char *value;
		(void)ignored;
		if (!json_get_string(map, "accessEntry.tags", key, &value, why))
			return false;
		labels_set(tags, key, value);
	}
	return true;
}

static bool read_entry(
    struct json_object *document, struct eks_access_entry *entry, char why[JSON_ERROR_TEXT])
{
	struct json_object *object;
	const char *principal, *arn, *type, *username;
	if (!json_get_object(document, "answer", "accessEntry", &object, why) ||
	    !json_get_string(object, "accessEntry", "principalArn", &principal, why) ||
	    !json_get_optional_string(object, "accessEntry", "accessEntryArn", &arn, why) ||
	    !json_get_optional_string(object, "accessEntry", "type", &type, why) ||
	    !json_get_optional_string(object, "accessEntry", "username", &username, why))
		return false;
	entry->principal = xstrdup(principal);
	entry->arn = xstrdup_or_null(arn);
	entry->type = xstrdup(type != NULL ? type : "STANDARD");
	entry->username = xstrdup_or_null(username);
	return read_groups(object, entry, why) && read_tags(object, &entry->tags, why);
}

struct eks_access_entry *eks_access_parse(
    enum eks_access_op op, const char *body, size_t len, char **error)
{
	char why[JSON_ERROR_TEXT];
	struct json_object *document = json_parse(body, len, why);
	struct eks_access_entry *entry = xcalloc(1, sizeof *entry);
	if (document == NULL || !json_object_is_type(document, json_type_object) ||
	    !read_entry(document, entry, why)) {
		bool is_object =
		    document == NULL || json_object_is_type(document, json_type_object);
		*error = xasprintf("the answer to %s: %s", ACTIONS[op],
		    is_object ? why : "it is not a JSON object");
		eks_access_entry_free(&entry);
	}
	json_object_put(document);
	return entry;
}

const char *eks_access_denied_action(enum eks_access_op op, const struct aws_reply *reply)
{
	for (size_t i = 0; reply->message != NULL && i < EKS_ACCESS_OPS; i++) {
		const char *at = strstr(reply->message, ACTIONS[i]);
		size_t len = strlen(ACTIONS[i]);
		if (at != NULL && (at[len] == ' ' || at[len] == '\0'))
			return ACTIONS[i];
	}
	return ACTIONS[op];
}

bool eks_access_is_no_cluster(const struct aws_reply *reply)
{
	return reply->outcome == AWS_NOT_FOUND && reply->message != NULL &&
	       strncmp(reply->message, "No cluster found", strlen("No cluster found")) == 0;
}

/* --- the call -------------------------------------------------------------------------------- */

static bool has_entry(enum eks_access_op op)
{
	return op == EKS_DESCRIBE_ENTRY || op == EKS_CREATE_ENTRY || op == EKS_UPDATE_ENTRY;
}

static void on_answer(struct aws_question *question, const struct aws_reply *reply)
{
	const struct eks_access_call *call = (const struct eks_access_call *)question;
	struct eks_access_entry *entry = NULL;
	struct aws_reply seen = *reply;
	char *error = NULL;
	if (reply->outcome == AWS_OK && has_entry(call->op)) {
		entry = eks_access_parse(call->op, reply->body, reply->body_len, &error);
		if (entry == NULL)
			seen = aws_reply_malformed(reply, error);
	}
	call->fn(call->arg, &seen, entry);
	eks_access_entry_free(&entry);
	free(error);
}

struct eks_access_call *eks_access_start(struct aws_context *aws, struct aws_provider *provider,
    const struct eks_access_request *request, eks_access_fn *fn, void *arg)
{
	struct eks_access_call *call = xcalloc(1, sizeof *call);
	struct eks_access_wire wire;
	*call = (struct eks_access_call){
	    .question.on_answer = on_answer, .op = request->op, .fn = fn, .arg = arg};
	eks_access_build(request, &wire);
	const struct aws_request signed_request = {.service = "eks",
	    .region = request->region,
	    .operation = ACTIONS[request->op],
	    .is_paced = true,
	    .method = wire.method,
	    .path = wire.path,
	    .content_type = wire.body != NULL ? JSON_TYPE : NULL,
	    .body = wire.body,
	    .body_len = wire.body != NULL ? strlen(wire.body) : 0};
	aws_question_ask(&call->question, aws, provider, &signed_request);
	free(wire.path);
	free(wire.body);
	return call;
}

void eks_access_cancel(struct eks_access_call **call)
{
	aws_question_cancel((struct aws_question *)*call);
	*call = NULL;
}
