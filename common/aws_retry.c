/* See the header; used by aws_call alone. */
#include "common/aws_retry.h"

#include <stdlib.h>

#define QUOTA	       500u
#define RETRY_COST     5u
#define TIME_OUT_COST  10u
#define MAX_DELAY_MS   INT64_C(20000)
#define MAX_GRANTED_MS INT64_C(5000)

void aws_quota_init(struct aws_quota *quota)
{
	quota->left = QUOTA;
}

unsigned aws_quota_take(struct aws_quota *quota, bool timed_out)
{
	unsigned cost = timed_out ? TIME_OUT_COST : RETRY_COST;
	if (quota->left < cost)
		return 0;
	quota->left -= cost;
	return cost;
}

void aws_quota_give_back(struct aws_quota *quota, unsigned paid)
{
	quota->left += paid > 0 ? paid : 1;
	if (quota->left > QUOTA)
		quota->left = QUOTA;
}

struct duration aws_retry_delay(unsigned retry, const char *wanted)
{
	int64_t limit = retry < 5 ? INT64_C(1000) << retry : MAX_DELAY_MS;
	if (limit > MAX_DELAY_MS)
		limit = MAX_DELAY_MS;
	int64_t delay = arc4random_uniform((uint32_t)limit);
	int64_t asked = wanted != NULL ? strtoll(wanted, NULL, 10) : 0;
	if (asked > delay + MAX_GRANTED_MS)
		asked = delay + MAX_GRANTED_MS;
	return duration_ms(asked > delay ? asked : delay);
}
