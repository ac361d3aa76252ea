/* Roles by template, by list and by organization. */
#include "discoveryd/roster.h"

#include <stdlib.h>
#include <string.h>

#include "common/aws_endpoint.h"
#include "common/settings.h"
#include "common/xmem.h"
#include "discoveryd/organization.h"

static char *role_by_name(
    const struct aws_matcher *matcher, const char *partition, const char *account)
{
	return xasprintf("arn:%s:iam::%s:role/%s", partition, account, matcher->assume_role_name);
}

size_t roster_count(const struct aws_matcher *matcher, const struct organization *organization)
{
	if (matcher->organization.id != NULL)
		return organization != NULL ? organization->account_count : 0;
	return matcher->account_count > 0 ? matcher->account_count : 1;
}

char *roster_role(const struct aws_matcher *matcher, const struct organization *organization,
    const char *partition, size_t i)
{
	if (matcher->organization.id != NULL)
		return role_by_name(matcher, partition, organization->accounts[i]);
	if (matcher->account_count > 0)
		return aws_role_in_account(matcher->assume_role_arn, matcher->accounts[i]);
	return xstrdup_or_null(matcher->assume_role_arn);
}

char *roster_role_in(
    const struct aws_matcher *matcher, const char *partition, const char *account_id)
{
	if (matcher->organization.id != NULL)
		return role_by_name(matcher, partition, account_id);
	for (size_t i = 0; i < matcher->account_count; i++) {
		if (strcmp(matcher->accounts[i], account_id) == 0)
			return aws_role_in_account(matcher->assume_role_arn, account_id);
	}
	return matcher->account_count > 0 ? NULL : xstrdup_or_null(matcher->assume_role_arn);
}

char *roster_text(const struct aws_matcher *matcher)
{
	if (matcher->organization.id != NULL)
		return xasprintf("role %s in the accounts of organization %s",
		    matcher->assume_role_name, matcher->organization.id);
	if (matcher->account_count > 0)
		return xasprintf("%s in %zu account%s", matcher->assume_role_arn,
		    matcher->account_count, matcher->account_count == 1 ? "" : "s");
	return xstrdup(
	    matcher->assume_role_arn != NULL ? matcher->assume_role_arn : "own identity");
}
