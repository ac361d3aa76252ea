/* Account Management's ListRegions, page after page, and STS's GetCallerIdentity. Called by
 * discovery to turn "*" into regions and an identity into an account id. */
#include "discoveryd/aws_account.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/aws_endpoint.h"
#include "common/aws_sts.h"
#include "common/json.h"
#include "common/xmem.h"

#define MAX_PAGES 20 /* of 50 regions: AWS has a few dozen */

struct account_call {
	struct aws_context *aws;
	struct aws_provider *provider;
	struct aws_call *call;
	char *region;
	account_regions_fn *on_regions;
	account_identity_fn *on_identity;
	void *arg;
	char **regions;
	size_t count;
	unsigned pages;
	bool is_finishing;
};

static void request_page(struct account_call *call, const char *next_token);

static void free_call(struct account_call *call)
{
	for (size_t i = 0; i < call->count; i++)
		xfree(&call->regions[i]);
	xfree(&call->regions);
	xfree(&call->region);
	aws_provider_unref(&call->provider);
	free(call);
}

static struct account_call *new_call(
    struct aws_context *aws, struct aws_provider *provider, const char *region, void *arg)
{
	struct account_call *call = xcalloc(1, sizeof *call);
	call->aws = aws;
	call->provider = aws_provider_ref(provider);
	call->region = xstrdup(region);
	call->arg = arg;
	return call;
}

/* --- ListRegions ----------------------------------------------------------------------------- */

void account_region_page_free(struct account_region_page *page)
{
	for (size_t i = 0; i < page->count; i++)
		xfree(&page->regions[i]);
	xfree(&page->regions);
	xfree(&page->next_token);
	page->count = 0;
}

/* {"RegionName": "eu-west-1", "RegionOptStatus": "ENABLED"} */
static bool read_region(
    struct json_object *list, size_t i, struct account_region_page *page, char why[JSON_ERROR_TEXT])
{
	char path[32];
	const char *name, *status;
	struct json_object *item = json_object_array_get_idx(list, i);
	snprintf(path, sizeof path, "Regions[%zu]", i);
	if (!json_object_is_type(item, json_type_object)) {
		snprintf(why, JSON_ERROR_TEXT, "%s is not an object", path);
		return false;
	}
	if (!json_get_string(item, path, "RegionName", &name, why) ||
	    !json_get_string(item, path, "RegionOptStatus", &status, why))
		return false;
	if (!aws_region_is_valid(name)) {
		snprintf(why, JSON_ERROR_TEXT, "%s.RegionName is not the name of a region", path);
		return false;
	}
	if (strcmp(status, "ENABLED") == 0 || strcmp(status, "ENABLED_BY_DEFAULT") == 0)
		page->regions[page->count++] = xstrdup(name);
	return true;
}

static bool read_regions(
    struct json_object *document, struct account_region_page *page, char why[JSON_ERROR_TEXT])
{
	struct json_object *list;
	const char *token;
	if (!json_object_is_type(document, json_type_object)) {
		snprintf(why, JSON_ERROR_TEXT, "it is not an object");
		return false;
	}
	if (!json_get_array(document, "answer", "Regions", &list, why))
		return false;
	size_t count = json_object_array_length(list);
	page->regions = xcalloc(count, sizeof *page->regions);
	for (size_t i = 0; i < count; i++) {
		if (!read_region(list, i, page, why))
			return false;
	}
	if (!json_get_optional_string(document, "answer", "NextToken", &token, why))
		return false;
	if (token != NULL && *token != '\0')
		page->next_token = xstrdup(token);
	return true;
}

bool account_parse_regions(
    const char *body, size_t len, struct account_region_page *page, char **error)
{
	char why[JSON_ERROR_TEXT];
	*page = (struct account_region_page){0};
	struct json_object *document = json_parse(body, len, why);
	bool is_read = document != NULL && read_regions(document, page, why);
	if (!is_read) {
		*error = xasprintf("the answer to account:ListRegions: %s", why);
		account_region_page_free(page);
	}
	if (document != NULL)
		json_object_put(document);
	return is_read;
}

static int compare_names(const void *left, const void *right)
{
	return strcmp(*(char *const *)left, *(char *const *)right);
}

static void finish_regions(struct account_call *call, const struct aws_reply *reply)
{
	call->is_finishing = true;
	if (reply->outcome != AWS_OK) {
		call->on_regions(call->arg, reply, NULL, 0);
	} else {
		qsort(call->regions, call->count, sizeof *call->regions, compare_names);
		call->on_regions(call->arg, reply, (const char *const *)call->regions, call->count);
	}
	free_call(call);
}

static void fail_regions(
    struct account_call *call, const struct aws_reply *reply, const char *error)
{
	struct aws_reply bad = *reply;
	bad.outcome = AWS_BAD_REPLY;
	bad.message = error;
	finish_regions(call, &bad);
}

static void take_regions(struct account_call *call, const struct account_region_page *page)
{
	call->regions =
	    xreallocarray(call->regions, call->count + page->count, sizeof *call->regions);
	for (size_t i = 0; i < page->count; i++)
		call->regions[call->count++] = xstrdup(page->regions[i]);
}

static void on_regions_reply(void *arg, const struct aws_reply *reply)
{
	struct account_call *call = arg;
	struct account_region_page page;
	char *error = NULL;
	call->call = NULL;
	if (reply->outcome != AWS_OK) {
		finish_regions(call, reply);
		return;
	}
	if (!account_parse_regions(reply->body, reply->body_len, &page, &error)) {
		fail_regions(call, reply, error);
		xfree(&error);
		return;
	}
	take_regions(call, &page);
	/* Every account has regions that it cannot do without. */
	if (page.next_token == NULL && call->count == 0)
		fail_regions(call, reply, "account:ListRegions names no enabled region");
	else if (page.next_token == NULL)
		finish_regions(call, reply);
	else if (++call->pages == MAX_PAGES)
		fail_regions(call, reply, "account:ListRegions does not come to an end");
	else
		request_page(call, page.next_token);
	account_region_page_free(&page);
}

static void request_page(struct account_call *call, const char *next_token)
{
	static const char *const statuses[] = {"ENABLED", "ENABLED_BY_DEFAULT"};
	struct json_object *document = json_object_new_object();
	struct json_object *wanted = json_object_new_array();
	for (size_t i = 0; i < 2; i++)
		json_object_array_add(wanted, json_object_new_string(statuses[i]));
	json_object_object_add(document, "MaxResults", json_object_new_int(50));
	json_object_object_add(document, "RegionOptStatusContains", wanted);
	json_add_string(document, "NextToken", next_token);
	const char *body = json_object_to_json_string_ext(document, JSON_C_TO_STRING_PLAIN);
	const struct aws_request request = {.service = "account",
	    .region = call->region,
	    .operation = "account:ListRegions",
	    .method = "POST",
	    .path = "/listRegions",
	    .content_type = "application/json",
	    .body = body,
	    .body_len = strlen(body)};
	call->call = aws_call_start(call->aws, call->provider, &request, on_regions_reply, call);
	json_object_put(document);
}

struct account_call *account_list_regions(struct aws_context *aws, struct aws_provider *provider,
    const char *partition, account_regions_fn *fn, void *arg)
{
	const struct aws_partition *known = aws_partition_by_id(partition);
	struct account_call *call =
	    new_call(aws, provider, known != NULL ? known->global_region : "us-east-1", arg);
	call->on_regions = fn;
	request_page(call, NULL);
	return call;
}

/* --- GetCallerIdentity ----------------------------------------------------------------------- */

static void on_identity_reply(void *arg, const struct aws_reply *reply)
{
	struct account_call *call = arg;
	struct sts_identity identity = {0};
	struct aws_reply result = *reply;
	char *error = NULL;
	call->call = NULL;
	call->is_finishing = true;
	if (reply->outcome == AWS_OK &&
	    !sts_parse_identity(reply->body, reply->body_len, &identity, &error)) {
		result.outcome = AWS_BAD_REPLY;
		result.message = error;
	}
	call->on_identity(call->arg, &result, identity.account, identity.arn);
	sts_identity_free(&identity);
	xfree(&error);
	free_call(call);
}

struct account_call *account_get_identity(struct aws_context *aws, struct aws_provider *provider,
    const char *region, account_identity_fn *fn, void *arg)
{
	struct account_call *call = new_call(aws, provider, region, arg);
	call->on_identity = fn;
	const struct aws_request request = {.service = "sts",
	    .region = region,
	    .operation = "sts:GetCallerIdentity",
	    .method = "POST",
	    .path = "/",
	    .content_type = STS_CONTENT_TYPE,
	    .body = STS_IDENTITY_BODY,
	    .body_len = strlen(STS_IDENTITY_BODY)};
	call->call = aws_call_start(aws, provider, &request, on_identity_reply, call);
	return call;
}

void account_call_cancel(struct account_call **handle)
{
	struct account_call *call = *handle;
	*handle = NULL;
	if (call == NULL || call->is_finishing)
		return;
	aws_call_cancel(&call->call);
	free_call(call);
}
