/* One identity that discovery acts with (its own, or a role of a matcher), and the regions that "*"
 * means for it. */
#ifndef EKSGATE_ACCOUNT_H
#define EKSGATE_ACCOUNT_H

#include <bsd/sys/queue.h>
#include <stdbool.h>
#include <stddef.h>

#include "common/attr.h"
#include "common/aws_call.h"
#include "common/aws_endpoint.h"
#include "common/mono.h"

struct account_call;
struct aws_matcher;

enum account_regions {
	ACCOUNT_REGIONS_UNKNOWN, /* not asked yet, or no credentials to ask with */
	ACCOUNT_REGIONS_LISTED, /* account:ListRegions told them */
	ACCOUNT_REGIONS_FALLBACK, /* it could not be asked: the partition's EKS regions */
};

struct account {
	TAILQ_ENTRY(account) entry;
	char *id; /* "own", or the role's ARN, with a hash of the external id behind it */
	char *role_arn; /* NULL: own identity */
	char *account_id; /* of the role; NULL for the own identity */
	const struct aws_partition *partition;
	struct aws_provider *provider;
	bool is_configured; /* mark of discovery_configure() */
	bool is_wildcard; /* some matcher says "*" */
	enum account_regions source;
	char **regions; /* what "*" means now */
	size_t region_count;
	struct aws_error error; /* of the last ListRegions; outcome AWS_OK when it worked */
	unsigned failures; /* in a row */
	bool has_outcome;
	struct account_call *call; /* ListRegions under way */
	struct timer *timer; /* asks again */
	struct discovery *discovery;
};

/* What two matchers must share to share listings (free()). */
char *account_id_of(const struct aws_matcher *matcher) MUST_USE;
/* `base` is the own identity's provider. The timer and the discovery are the caller's to set. */
struct account *account_new(
    struct aws_context *aws, struct aws_provider *base, const struct aws_matcher *matcher) MUST_USE;
void account_free(struct account **account);
/* Takes what ListRegions answered. What was listed before stays when it fails. */
void account_keep_regions(struct account *account, const struct aws_reply *reply,
    const char *const *regions, size_t count);
bool account_has_region(const struct account *account, const char *region) MUST_USE;

#endif
