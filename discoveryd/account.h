/* One identity that discovery acts with (its own, or a role of a matcher), and the regions that "*"
 * means for it. */
#ifndef EKSGATE_ACCOUNT_H
#define EKSGATE_ACCOUNT_H

#include <bsd/sys/queue.h>
#include <bsd/sys/tree.h>
#include <stdbool.h>
#include <stddef.h>

#include "common/attr.h"
#include "common/aws_call.h"
#include "common/aws_endpoint.h"
#include "common/mono.h"

struct aws_matcher;
struct region_answer;
struct region_finder;
struct scope;

enum account_regions {
	ACCOUNT_REGIONS_UNKNOWN, /* not asked yet, or no credentials to ask with */
	ACCOUNT_REGIONS_LISTED, /* account:ListRegions told them */
	ACCOUNT_REGIONS_DESCRIBED, /* ec2:DescribeRegions did */
	ACCOUNT_REGIONS_FALLBACK, /* neither could be asked: the partition's EKS regions */
};

struct account {
	TAILQ_ENTRY(account) entry;
	RB_ENTRY(account) by_id;
	char *id; /* "own", or the role's ARN, with a hash of the external id behind it */
	char *role_arn; /* NULL: own identity */
	char *account_id; /* of the role; NULL for the own identity */
	const struct aws_partition *partition;
	struct aws_provider *provider;
	char *region; /* in which the identity surely works */
	const struct aws_matcher **matchers; /* that act as it; borrowed from the settings */
	size_t matcher_count;
	TAILQ_HEAD(account_scopes, scope) scopes; /* in order of configuration */
	bool is_configured; /* mark of discovery while it rebuilds its accounts */
	bool is_wildcard; /* some matcher says "*" */
	enum account_regions source;
	char **regions; /* what "*" means now */
	size_t region_count;
	struct aws_error error; /* why `regions` is old or a guess; outcome AWS_OK when it is not */
	unsigned failures; /* in a row */
	bool has_outcome;
	struct region_finder *finder; /* under way */
	TAILQ_ENTRY(account) queue_entry; /* of those that wait for their turn to be asked */
	bool is_queued;
	struct timer *timer; /* asks again */
	struct discovery *discovery;
};

/* What two matchers must share to share listings (free()). `role_arn` NULL: the own identity. */
char *account_id_of(const char *role_arn, const char *external_id) MUST_USE;
/* An identity of a matcher; `base` is the own identity's provider, `home_region` as for
 * account_home_region(). Has no matchers and no scopes
 * yet. The timer and the discovery are the caller's to set; the scopes must go before it. */
struct account *account_new(struct aws_context *aws, struct aws_provider *base,
    const char *home_region, const struct aws_matcher *matcher, const char *role_arn) MUST_USE;
void account_free(struct account **account);
/* Notes once that the matcher acts as this identity. */
void account_add_matcher(struct account *account, const struct aws_matcher *matcher);
/* Takes what was found out of its regions. What was known before stays when it failed. True when
 * the regions are others than before. */
bool account_keep_regions(struct account *account, const struct region_answer *answer) MUST_USE;
bool account_has_region(const struct account *account, const char *region) MUST_USE;
/* A region of the own identity's partition: the one that is configured for it (aws_home_region()),
 * else one that the matcher names, else us-east-1. Both may be NULL. */
const char *account_home_region(const char *configured, const struct aws_matcher *matcher);

#endif
