/* Organizations (JSON protocol 1.1): request and answer, strict about types, ids and the
 * organization that an answer is about. The call is one page; organization_walk puts pages
 * together. */
#include "discoveryd/aws_organizations.h"

#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/aws_endpoint.h"
#include "common/json.h"
#include "common/xmem.h"
#include "discoveryd/aws_question.h"

#define TARGET	     "AWSOrganizationsV20161128"
#define CONTENT_TYPE "application/x-amz-json-1.1"
#define PAGE_SIZE    20
#define ID_MAX	     128
#define DIGITS	     "0123456789"
#define LETTERS	     "abcdefghijklmnopqrstuvwxyz"

/* What is particular to each operation. */
static const struct operation {
	const char *text, *target, *member, *prefix;
} operations[] = {
    [ORGANIZATIONS_LIST_ACCOUNTS] = {"organizations:ListAccounts", TARGET ".ListAccounts",
	"Accounts", ""},
    [ORGANIZATIONS_LIST_ROOTS] = {"organizations:ListRoots", TARGET ".ListRoots", "Roots", "r-"},
    [ORGANIZATIONS_LIST_UNITS] = {"organizations:ListOrganizationalUnitsForParent",
	TARGET ".ListOrganizationalUnitsForParent", "OrganizationalUnits", "ou-"},
    [ORGANIZATIONS_LIST_ACCOUNTS_OF] = {"organizations:ListAccountsForParent",
	TARGET ".ListAccountsForParent", "Accounts", ""},
};

struct organizations_call {
	struct aws_question question;
	enum organizations_operation operation;
	char *organization;
	organizations_page_fn *fn;
	void *arg;
};

const char *organizations_operation_text(enum organizations_operation operation)
{
	return operations[operation].text;
}

/* --- parsing ---------------------------------------------------------------------------------- */

void organizations_page_free(struct organizations_page *page)
{
	for (size_t i = 0; i < page->count; i++)
		xfree(&page->ids[i]);
	xfree(&page->ids);
	xfree(&page->next_token);
	page->count = 0;
}

static bool is_id(const struct operation *operation, const char *id)
{
	size_t len = strlen(id), prefix = strlen(operation->prefix);
	if (prefix == 0)
		return len == 12 && strspn(id, DIGITS) == len;
	return len > prefix && len <= ID_MAX && strncmp(id, operation->prefix, prefix) == 0 &&
	       strspn(id, LETTERS DIGITS "-") == len;
}

/* "arn:aws:organizations::MANAGEMENT:account/ORGANIZATION/ID": whether it is of that organization.
 */
static bool is_arn_of(const char *arn, const char *organization)
{
	const char *slash = strchr(arn, '/');
	size_t len = strlen(organization);
	return strncmp(arn, "arn:", 4) == 0 && slash != NULL &&
	       strncmp(slash + 1, organization, len) == 0 && slash[1 + len] == '/';
}

/* Accounts that are closed, suspended or not yet there have no clusters of use. Status is older
 * than State and says less. */
static bool is_active(struct json_object *item)
{
	static const char *const keys[] = {"State", "Status"};
	for (size_t i = 0; i < 2; i++) {
		struct json_object *value = NULL;
		if (json_object_object_get_ex(item, keys[i], &value) &&
		    json_object_is_type(value, json_type_string))
			return strcmp(json_object_get_string(value), "ACTIVE") == 0;
	}
	return true;
}

static bool read_item(struct json_object *list, size_t i, const struct operation *operation,
    const char *organization, struct organizations_page *page, char why[JSON_ERROR_TEXT])
{
	char path[64];
	const char *id, *arn;
	struct json_object *item = json_object_array_get_idx(list, i);
	snprintf(path, sizeof path, "%s[%zu]", operation->member, i);
	if (!json_object_is_type(item, json_type_object)) {
		snprintf(why, JSON_ERROR_TEXT, "%s is not an object", path);
		return false;
	}
	if (!json_get_string(item, path, "Id", &id, why) ||
	    !json_get_string(item, path, "Arn", &arn, why))
		return false;
	if (!is_id(operation, id)) {
		snprintf(why, JSON_ERROR_TEXT, "%s.Id is no id of what was asked for", path);
		return false;
	}
	if (!is_arn_of(arn, organization)) {
		snprintf(why, JSON_ERROR_TEXT, "%s is %.60s, not of organization %.34s", path, arn,
		    organization);
		return false;
	}
	if (is_active(item))
		page->ids[page->count++] = xstrdup(id);
	return true;
}

static bool read_page(struct json_object *document, const struct operation *operation,
    const char *organization, struct organizations_page *page, char why[JSON_ERROR_TEXT])
{
	struct json_object *list;
	const char *token;
	if (!json_object_is_type(document, json_type_object)) {
		snprintf(why, JSON_ERROR_TEXT, "it is not a JSON object");
		return false;
	}
	if (!json_get_array(document, "answer", operation->member, &list, why) ||
	    !json_get_optional_string(document, "answer", "NextToken", &token, why))
		return false;
	size_t count = json_object_array_length(list);
	page->ids = xcalloc(count + 1, sizeof *page->ids);
	for (size_t i = 0; i < count; i++) {
		if (!read_item(list, i, operation, organization, page, why))
			return false;
	}
	if (token != NULL && *token != '\0')
		page->next_token = xstrdup(token);
	return true;
}

bool organizations_parse_page(enum organizations_operation which, const char *organization,
    const char *body, size_t len, struct organizations_page *page, char **error)
{
	const struct operation *operation = &operations[which];
	char why[JSON_ERROR_TEXT];
	*page = (struct organizations_page){0};
	struct json_object *document = json_parse(body, len, why);
	bool is_read = document != NULL && read_page(document, operation, organization, page, why);
	if (!is_read) {
		*error = xasprintf("the answer to %s: %s", operation->text, why);
		organizations_page_free(page);
	}
	if (document != NULL)
		json_object_put(document);
	return is_read;
}

/* --- calls ------------------------------------------------------------------------------------ */

static void on_answer(struct aws_question *question, const struct aws_reply *reply)
{
	const struct organizations_call *call = (const struct organizations_call *)question;
	struct organizations_page page;
	char *error = NULL;
	if (reply->outcome != AWS_OK) {
		call->fn(call->arg, reply, NULL);
		return;
	}
	if (organizations_parse_page(
		call->operation, call->organization, reply->body, reply->body_len, &page, &error)) {
		call->fn(call->arg, reply, &page);
		organizations_page_free(&page);
		return;
	}
	struct aws_reply bad = aws_reply_malformed(reply, error);
	call->fn(call->arg, &bad, NULL);
	free(error);
}

static void clear_call(struct aws_question *question)
{
	free(((struct organizations_call *)question)->organization);
}

static char *body_of(const struct organizations_request *request)
{
	struct json_object *document = json_object_new_object();
	bool has_size = request->operation != ORGANIZATIONS_LIST_ROOTS;
	if (has_size)
		json_object_object_add(document, "MaxResults", json_object_new_int(PAGE_SIZE));
	json_add_string(document, "ParentId", request->parent);
	json_add_string(document, "NextToken", request->next_token);
	char *body = xstrdup(json_object_to_json_string_ext(document, JSON_C_TO_STRING_PLAIN));
	json_object_put(document);
	return body;
}

struct organizations_call *organizations_get_page(struct aws_context *aws,
    struct aws_provider *provider, const char *region, const struct organizations_request *request,
    organizations_page_fn *fn, void *arg)
{
	struct organizations_call *call = xcalloc(1, sizeof *call);
	char *body = body_of(request);
	*call = (struct organizations_call){
	    .question = {.on_answer = on_answer, .clear = clear_call},
	    .operation = request->operation,
	    .organization = xstrdup(request->organization),
	    .fn = fn,
	    .arg = arg,
	};
	const struct aws_request wire = {.service = "organizations",
	    .region = aws_partition_of_region(region)->global_region,
	    .operation = operations[request->operation].text,
	    .is_paced = true,
	    .method = "POST",
	    .path = "/",
	    .target = operations[request->operation].target,
	    .content_type = CONTENT_TYPE,
	    .body = body,
	    .body_len = strlen(body)};
	aws_question_ask(&call->question, aws, provider, &wire);
	free(body);
	return call;
}

void organizations_call_cancel(struct organizations_call **call)
{
	aws_question_cancel((struct aws_question *)*call);
	*call = NULL;
}
