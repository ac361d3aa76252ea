/* The accounts of an organization, or of parts of its tree: page after page, parent after parent,
 * until all are known or one call failed. A failed walk gives nothing: half an organization would
 * look like accounts that left. */
#ifndef EKSGATE_ORGANIZATION_WALK_H
#define EKSGATE_ORGANIZATION_WALK_H

#include <stddef.h>

#include "common/attr.h"
#include "common/aws_call.h"

struct discovery_metrics;
struct loop;
struct organization_walk;

/* Everything is borrowed until the walk ends. */
struct organization_walk_options {
	struct loop *loop;
	struct aws_context *aws;
	struct aws_provider *provider;
	const char *region; /* of the partition */
	const char *organization;
	/* Ids of roots and organizational units, whose accounts are taken with all below; "*": all
	 * there are. What is excluded is left out with all below, and may also be an account. */
	const char *const *include;
	size_t include_count;
	const char *const *exclude;
	size_t exclude_count;
	struct discovery_metrics *metrics;
};

/* `accounts`, sorted and unique, is NULL when error->outcome is not AWS_OK. Borrowed. */
typedef void organization_walk_fn(
    void *arg, const struct aws_error *error, const char *const *accounts, size_t count);

/* Calls fn once, never before this returned. */
struct organization_walk *organization_walk_start(
    const struct organization_walk_options *options, organization_walk_fn *fn, void *arg) MUST_USE;
/* Ends it without its callback. */
void organization_walk_cancel(struct organization_walk **walk);

#endif
