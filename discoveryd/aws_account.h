/* Which regions an account may use (Account Management API: ListRegions), and who we are (STS
 * GetCallerIdentity). */
#ifndef EKSGATE_AWS_ACCOUNT_H
#define EKSGATE_AWS_ACCOUNT_H

#include <stdbool.h>
#include <stddef.h>

#include "common/attr.h"
#include "common/aws_call.h"

/* One page of ListRegions: the enabled ones of it, and the token of the next page (NULL: last).
 * Pure. */
struct account_region_page {
	char **regions;
	size_t count;
	char *next_token;
};
/* False: *error says what is wrong with the answer (free()). */
bool account_parse_regions(
    const char *body, size_t len, struct account_region_page *page, char **error) MUST_USE;
void account_region_page_free(struct account_region_page *page);

struct account_call;

/* All pages. `regions` (enabled ones, sorted) is NULL when reply->outcome is not AWS_OK. Borrowed.
 */
typedef void account_regions_fn(
    void *arg, const struct aws_reply *reply, const char *const *regions, size_t count);
/* `partition` is "aws", "aws-cn", …; it chooses the endpoint's region. */
struct account_call *account_list_regions(struct aws_context *aws, struct aws_provider *provider,
    const char *partition, account_regions_fn *fn, void *arg);

/* `account` and `arn` are NULL when it failed. */
typedef void account_identity_fn(
    void *arg, const struct aws_reply *reply, const char *account, const char *arn);
struct account_call *account_get_identity(struct aws_context *aws, struct aws_provider *provider,
    const char *region, account_identity_fn *fn, void *arg);

void account_call_cancel(struct account_call **call);

#endif
