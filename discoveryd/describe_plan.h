/* Which clusters of a listing DescribeCluster is asked about. Pure. */
#ifndef EKSGATE_DESCRIBE_PLAN_H
#define EKSGATE_DESCRIBE_PLAN_H

#include <stddef.h>

#include "common/attr.h"
#include "common/labels.h"
#include "common/mono.h"
#include "discoveryd/look_set.h"

struct aws_matcher;
struct tagged_cluster;

enum describe_reason {
	DESCRIBE_NOT, /* what is known is good enough */
	DESCRIBE_NEW, /* nothing is known, or it is about another cluster */
	DESCRIBE_TAGS, /* the tagging API, or the configuration, says something else than then */
	DESCRIBE_VERDICT, /* its tags say that it should be served and it is not, or the reverse */
	DESCRIBE_STATUS, /* matched, and not ACTIVE */
	DESCRIBE_STALE, /* matched, and described too long ago */
};

struct describe_question {
	const struct look *look; /* NULL: nothing is known */
	const struct tagged_cluster *tagged; /* NULL: the tagging API does not know it: no tags */
	const struct aws_matcher *const *matchers;
	size_t matcher_count;
	const char *treatment; /* scope->treatment; may be NULL */
	struct unix_time now;
	struct duration age; /* how old a description may get */
};

enum describe_reason describe_plan(const struct describe_question *question) MUST_USE;
/* How old this one may get: three quarters of `age` up to all of it, so that clusters described
 * together do not grow stale together. */
struct duration describe_plan_age(const struct look *look, struct duration age);

#endif
