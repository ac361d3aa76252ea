/* Which regions an identity may use: account:ListRegions says it, else ec2:DescribeRegions. What
 * remains when neither answers, the partition's list, is the caller's to use. */
#ifndef EKSGATE_REGION_FINDER_H
#define EKSGATE_REGION_FINDER_H

#include <stddef.h>

#include "common/attr.h"
#include "common/aws_call.h"
#include "common/aws_endpoint.h"

struct discovery_metrics;
struct region_finder;

/* Everything is borrowed until the finder ends. */
struct region_finder_options {
	struct aws_context *aws;
	struct aws_provider *provider;
	const struct aws_partition *partition;
	const char *region; /* in which the identity surely works */
	struct discovery_metrics *metrics;
};

enum region_source {
	REGION_SOURCE_NONE, /* `error` is ListRegions's, or that there are no credentials */
	REGION_SOURCE_ACCOUNT, /* account:ListRegions */
	REGION_SOURCE_EC2, /* ec2:DescribeRegions */
};

/* `regions` are sorted, and NULL with REGION_SOURCE_NONE. Everything is borrowed. */
struct region_answer {
	enum region_source source;
	const char *const *regions;
	size_t count;
	const struct aws_error *error;
};
typedef void region_finder_fn(void *arg, const struct region_answer *answer);

/* Calls fn once, never before this returned. */
struct region_finder *region_finder_start(
    const struct region_finder_options *options, region_finder_fn *fn, void *arg) MUST_USE;
void region_finder_cancel(struct region_finder **finder);

#endif
