/* What others read of discovery: whether it is complete, what it covers, its scopes and accounts in
 * order, and its state for people. Changes nothing. */
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/settings.h"
#include "common/xmem.h"
#include "discoveryd/discovery_parts.h"
#include "discoveryd/roster.h"

/* --- finding ---------------------------------------------------------------------------------- */

/* The account of a scope's id, "ACCOUNT/REGION"; NULL when there is none. */
static struct account *account_of_scope(const struct discovery *discovery, const char *id)
{
	const char *region = strrchr(id, '/');
	if (region == NULL)
		return NULL;
	char *account_id = xstrndup(id, (size_t)(region - id));
	struct account *account = discovery_find_account(discovery, account_id);
	free(account_id);
	return account;
}

struct scope *discovery_find_scope(const struct discovery *discovery, const char *id)
{
	const struct account *account = account_of_scope(discovery, id);
	return account != NULL ? account_find_scope(account, strrchr(id, '/') + 1) : NULL;
}

/* The partition of roles that are known by name alone: that of the own identity. */
const char *discovery_own_partition(
    const struct discovery *discovery, const struct aws_matcher *matcher)
{
	return aws_partition_of_region(account_home_region(discovery->options.home_region, matcher))
	    ->id;
}

/* --- coverage --------------------------------------------------------------------------------- */

bool discovery_knows_accounts(const struct discovery *discovery)
{
	const struct organization *organization;
	for (organization = TAILQ_FIRST(&discovery->organizations); organization != NULL;
	     organization = TAILQ_NEXT(organization, entry)) {
		if (!organization->is_listed)
			return false;
	}
	return true;
}

bool discovery_is_complete(const struct discovery *discovery)
{
	const struct organization *organization;
	for (organization = TAILQ_FIRST(&discovery->organizations); organization != NULL;
	     organization = TAILQ_NEXT(organization, entry)) {
		if (!organization->has_outcome)
			return false;
	}
	const struct account *account;
	for (account = TAILQ_FIRST(&discovery->accounts); account != NULL;
	     account = TAILQ_NEXT(account, entry)) {
		if (account->is_wildcard && !account->has_outcome)
			return false;
	}
	const struct scope *scope = NULL;
	while ((scope = discovery_next_scope(discovery, scope)) != NULL) {
		if (!scope->has_outcome)
			return false;
	}
	return true;
}

/* Whether the scope may be one of an account that the matcher's organization would have, were it
 * known. */
static bool may_be_of_organization(
    const struct discovery *discovery, const struct aws_matcher *matcher, const char *scope)
{
	const struct organization *organization = discovery_organization_of(discovery, matcher);
	const char *account = strstr(scope, ":iam::"), *region = strrchr(scope, '/');
	if (organization == NULL || organization->is_listed || account == NULL || region == NULL)
		return false;
	account += strlen(":iam::");
	char *number = xstrndup(account, strcspn(account, ":"));
	char *role = roster_role_in(matcher, discovery_own_partition(discovery, matcher), number);
	char *id = account_id_of(role, matcher->external_id);
	size_t len = strlen(id);
	bool may_be = strncmp(scope, id, len) == 0 && scope + len == region;
	free(id);
	free(role);
	free(number);
	return may_be;
}

enum coverage discovery_coverage(void *arg, const char *scope)
{
	const struct discovery *discovery = arg;
	const struct account *account = account_of_scope(discovery, scope);
	if (account != NULL && account_find_scope(account, strrchr(scope, '/') + 1) != NULL)
		return COVERAGE_YES;
	if (account != NULL && account->is_wildcard && account->source == ACCOUNT_REGIONS_UNKNOWN)
		return COVERAGE_UNKNOWN;
	for (size_t i = 0; account == NULL && i < discovery->settings->discovery.matcher_count; i++)
		if (may_be_of_organization(
			discovery, &discovery->settings->discovery.matchers[i], scope))
			return COVERAGE_UNKNOWN;
	return COVERAGE_NO;
}

const struct scope *discovery_scope(const struct discovery *discovery, const char *id)
{
	return discovery_find_scope(discovery, id);
}

const struct scope *discovery_next_scope(
    const struct discovery *discovery, const struct scope *scope)
{
	const struct account *account =
	    scope != NULL ? scope->account : TAILQ_FIRST(&discovery->accounts);
	const struct scope *next = NULL;
	if (scope != NULL)
		next = TAILQ_NEXT(scope, entry);
	else if (account != NULL)
		next = TAILQ_FIRST(&account->scopes);
	while (next == NULL && account != NULL) {
		account = TAILQ_NEXT(account, entry);
		next = account != NULL ? TAILQ_FIRST(&account->scopes) : NULL;
	}
	return next;
}

const struct account *discovery_next_account(
    const struct discovery *discovery, const struct account *account)
{
	return account == NULL ? TAILQ_FIRST(&discovery->accounts) : TAILQ_NEXT(account, entry);
}

static const char *source_text(enum account_regions source)
{
	static const char *const texts[] = {"unknown", "listed", "described", "partition"};
	return texts[source];
}

struct json_object *discovery_wildcards_to_json(const struct discovery *discovery)
{
	struct json_object *array = json_object_new_array();
	const struct account *account;
	for (account = TAILQ_FIRST(&discovery->accounts); account != NULL;
	     account = TAILQ_NEXT(account, entry)) {
		if (!account->is_wildcard)
			continue;
		struct json_object *object = json_object_new_object();
		json_add_string(object, "identity", aws_provider_text(account->provider));
		json_add_string(object, "regions_from", source_text(account->source));
		json_object_object_add(
		    object, "regions", json_object_new_int64((int64_t)account->region_count));
		if (account->error.outcome != AWS_OK)
			json_object_object_add(
			    object, "error", scope_error_to_json(&account->error));
		json_object_array_add(array, object);
	}
	return array;
}

struct json_object *discovery_organizations_to_json(const struct discovery *discovery)
{
	struct json_object *array = json_object_new_array();
	const struct organization *organization;
	for (organization = TAILQ_FIRST(&discovery->organizations); organization != NULL;
	     organization = TAILQ_NEXT(organization, entry))
		json_object_array_add(array, organization_to_json(organization));
	return array;
}

const struct account *discovery_account_for(
    const struct discovery *discovery, const struct aws_matcher *matcher, const char *account_id)
{
	char *role =
	    roster_role_in(matcher, discovery_own_partition(discovery, matcher), account_id);
	char *id = account_id_of(role, matcher->external_id);
	const struct account *account = discovery_find_account(discovery, id);
	free(id);
	free(role);
	return account;
}
