/* Organizations as values: identity, the last complete listing, the last error. */
#include "discoveryd/organization.h"

#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/json.h"
#include "common/loop.h"
#include "common/settings.h"
#include "common/xmem.h"
#include "discoveryd/organization_walk.h"
#include "discoveryd/scope.h"

static void append_list(struct buf *out, char sign, char *const *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		buf_printf(out, " %c%s", sign, list[i]);
}

char *organization_key_of(const struct aws_matcher *matcher)
{
	struct buf key = {0};
	if (matcher->organization.id == NULL)
		return NULL;
	buf_append_text(&key, matcher->organization.id);
	append_list(&key, '+', matcher->organization.include, matcher->organization.include_count);
	append_list(&key, '-', matcher->organization.exclude, matcher->organization.exclude_count);
	return buf_take(&key);
}

static char **copy_list(const char *const *list, size_t count)
{
	char **copy = xcalloc(count + 1, sizeof *copy);
	for (size_t i = 0; i < count; i++)
		copy[i] = xstrdup(list[i]);
	return copy;
}

static void free_list(char ***list, size_t *count)
{
	for (size_t i = 0; i < *count; i++)
		free((*list)[i]);
	xfree(list);
	*count = 0;
}

struct organization *organization_new(const struct aws_matcher *matcher)
{
	struct organization *organization = xcalloc(1, sizeof *organization);
	organization->key = organization_key_of(matcher);
	organization->id = xstrdup(matcher->organization.id);
	organization->include_count = matcher->organization.include_count;
	organization->include = copy_list(
	    (const char *const *)matcher->organization.include, organization->include_count);
	organization->exclude_count = matcher->organization.exclude_count;
	organization->exclude = copy_list(
	    (const char *const *)matcher->organization.exclude, organization->exclude_count);
	return organization;
}

void organization_free(struct organization **handle)
{
	struct organization *organization = *handle;
	*handle = NULL;
	if (organization == NULL)
		return;
	organization_walk_cancel(&organization->walk);
	timer_free(&organization->timer);
	free_list(&organization->include, &organization->include_count);
	free_list(&organization->exclude, &organization->exclude_count);
	free_list(&organization->accounts, &organization->account_count);
	aws_error_free(&organization->error);
	free(organization->id);
	free(organization->key);
	free(organization);
}

static bool is_same_list(
    const struct organization *organization, const char *const *accounts, size_t count)
{
	if (!organization->is_listed || organization->account_count != count)
		return false;
	for (size_t i = 0; i < count; i++) {
		if (strcmp(organization->accounts[i], accounts[i]) != 0)
			return false;
	}
	return true;
}

bool organization_keep(struct organization *organization, const struct aws_error *error,
    const char *const *accounts, size_t count)
{
	organization->has_outcome = true;
	aws_error_copy(&organization->error, error);
	if (error->outcome != AWS_OK) {
		organization->failures++;
		return false;
	}
	bool is_same = is_same_list(organization, accounts, count);
	organization->failures = 0;
	organization->last_success = unix_now();
	organization->is_listed = true;
	if (is_same)
		return false;
	free_list(&organization->accounts, &organization->account_count);
	organization->accounts = copy_list(accounts, count);
	organization->account_count = count;
	return true;
}

struct json_object *organization_to_json(const struct organization *organization)
{
	struct json_object *object = json_object_new_object();
	char at[UNIX_TIME_TEXT];
	json_add_string(object, "organization", organization->key);
	json_add_string(object, "state", organization->is_listed ? "listed" : "unknown");
	json_object_object_add(
	    object, "accounts", json_object_new_int64((int64_t)organization->account_count));
	if (organization->last_success.ms != 0)
		json_add_string(
		    object, "last_success", unix_time_text(organization->last_success, at));
	if (organization->error.outcome != AWS_OK)
		json_object_object_add(object, "error", scope_error_to_json(&organization->error));
	return object;
}
