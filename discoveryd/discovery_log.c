/* Words for the log: what became of passes, of tags, of lists of regions. Called by discovery,
 * which decides what is news. */
#include "discoveryd/discovery_log.h"

#include <stdlib.h>

#include "common/log.h"
#include "discoveryd/account.h"
#include "discoveryd/organization.h"
#include "discoveryd/scope.h"
#include "discoveryd/sweep.h"

void discovery_log_outcome(
    const struct scope *scope, const struct sweep_result *result, bool is_news)
{
	if (result->is_settled) {
		log_info("sweep", "settled", LOG_S("scope", scope->id),
		    LOG_I("clusters", result->count),
		    LOG_I("calls", result->lists + result->tag_pages + result->describes),
		    LOG_I("described", result->describes), LOG_I("ms", result->took.ms));
		return;
	}
	if (scope->state == SCOPE_DISABLED) {
		if (is_news)
			log_info("sweep", "region-disabled", LOG_S("scope", scope->id));
		return;
	}
	enum log_level level = is_news ? LOG_LEVEL_WARN : LOG_LEVEL_DEBUG;
	log_write(
	    level, LOG_FIELDS("sweep", result->is_listed ? "partial" : "failed",
		       LOG_S("scope", scope->id), LOG_S("operation", scope->error.operation),
		       LOG_S("outcome", aws_outcome_text(scope->error.outcome)),
		       LOG_S("code", scope->error.code), LOG_S("message", scope->error.message),
		       LOG_S("remedy", scope->error.remedy), LOG_I("unknown", result->failures),
		       LOG_I("clusters", result->count)));
}

void discovery_log_tagging(const struct scope *scope)
{
	if (scope->has_tags) {
		log_info("sweep", "tags-used-again", LOG_S("scope", scope->id));
		return;
	}
	const struct aws_error *error = &scope->tags_error;
	char *cost = scope_tagging_cost(scope);
	log_warn("sweep", "tags-not-used", LOG_S("scope", scope->id),
	    LOG_S("operation", error->operation),
	    LOG_S("outcome", aws_outcome_text(error->outcome)), LOG_S("code", error->code),
	    LOG_S("message", error->message), LOG_S("cost", cost), LOG_S("remedy", error->remedy));
	free(cost);
}

/* `kept` is what is used instead. */
static void warn_of(
    const char *room, const char *identity, const struct aws_error *error, struct log_field kept)
{
	log_warn(room, "failed", LOG_S("identity", identity), LOG_S("operation", error->operation),
	    LOG_S("outcome", aws_outcome_text(error->outcome)), LOG_S("code", error->code),
	    LOG_S("message", error->message), LOG_S("remedy", error->remedy), kept);
}

void discovery_log_regions(const struct account *account)
{
	if (account->error.outcome != AWS_OK)
		warn_of("regions", account->id, &account->error,
		    LOG_I("regions-used-instead", account->region_count));
	else
		log_info("regions",
		    account->source == ACCOUNT_REGIONS_LISTED ? "listed" : "described",
		    LOG_S("identity", account->id), LOG_I("regions", account->region_count));
}

void discovery_log_organization(const struct organization *organization)
{
	if (organization->error.outcome != AWS_OK)
		warn_of("organization", organization->key, &organization->error,
		    LOG_I("accounts-used-instead", organization->account_count));
	else
		log_info("organization", "listed", LOG_S("identity", organization->key),
		    LOG_I("accounts", organization->account_count));
}
