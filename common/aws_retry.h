/* The retry policy of the SDKs' "standard mode": how long to wait, and a quota that all calls of a
 * process share, so that an AWS that is down is not also flooded. Pure but for the random delay. */
#ifndef EKSGATE_AWS_RETRY_H
#define EKSGATE_AWS_RETRY_H

#include <stdbool.h>

#include "common/attr.h"
#include "common/mono.h"

#define AWS_MAX_ATTEMPTS 3

struct aws_quota {
	unsigned left;
};

void aws_quota_init(struct aws_quota *quota);
/* What a retry costs; 0 when the quota does not allow it. */
unsigned aws_quota_take(struct aws_quota *quota, bool timed_out) MUST_USE;
/* A call succeeded; `paid` is what its last retry had cost, 0 when there was none. */
void aws_quota_give_back(struct aws_quota *quota, unsigned paid);

/* The wait before retry number `retry` (from 0): random below 2^retry s, at most 20 s. `wanted` is
 * the value of x-amz-retry-after in ms or NULL; it lengthens the wait by at most 5 s. */
struct duration aws_retry_delay(unsigned retry, const char *wanted) MUST_USE;

#endif
