/* AWS as the tests of discoveryd need it: stands in for aws_eks.o, aws_tagging.o, aws_account.o,
 * aws_ec2.o and the providers at link time, and answers from a script at the end of the turn. */
#ifndef EKSGATE_FAKE_EKS_H
#define EKSGATE_FAKE_EKS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/aws_call.h"
#include "common/loop.h"
#include "discoveryd/aws_eks.h"
#include "discoveryd/aws_tagging.h"

struct fake_page {
	const char *region; /* NULL: any */
	const char *const *names; /* NULL-terminated */
	const char *next_token;
};

/* A page of tags: ends with a name NULL. */
struct fake_tags {
	const char *name;
	const char *tags; /* "key=value,key=value" */
};
struct fake_tag_page {
	const struct fake_tags *clusters;
	const char *next_token; /* as in fake_page */
};

struct fake_eks {
	struct loop *loop;
	const struct fake_page
	    *pages; /* by token: NULL asks for the first, "1" for the second, … */
	bool is_endless; /* every page has a next one */
	enum aws_outcome list_outcome;
	/* The outcome of describing `name`; a found cluster goes to *cluster. NULL: every name is
	 * found. */
	enum aws_outcome (*describe)(const char *name, struct eks_cluster **cluster);
	const struct fake_tag_page *tag_pages; /* by token; NULL: no cluster has tags */
	enum aws_outcome tags_outcome;
	unsigned throttles; /* told with each answer */
	const char *const *regions; /* of ListRegions, NULL-terminated */
	enum aws_outcome regions_outcome;
	const char *const *ec2_regions; /* of DescribeRegions, NULL-terminated, at most 8 */
	enum aws_outcome ec2_outcome;
	/* What happened. */
	unsigned lists, tag_calls, describes, region_calls, ec2_calls, cancelled;
	size_t under_way, most_under_way;
};
extern struct fake_eks fake_eks;

struct aws_provider *fake_provider(void);

#endif
