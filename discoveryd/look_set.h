/* What DescribeCluster last said of a cluster, as far as it decides whether to ask again: a table
 * by scope and name. The registry owns the durable one. */
#ifndef EKSGATE_LOOK_SET_H
#define EKSGATE_LOOK_SET_H

#include <bsd/sys/tree.h>
#include <stdbool.h>
#include <stddef.h>

#include "common/attr.h"
#include "common/labels.h"
#include "common/mono.h"

#define LOOK_DIGEST 33

/* A description with a settled outcome: served and claimed by the scope, or wanted by no matcher
 * and claimed not. Anything else is not remembered, so it is described again at the next pass. */
struct look {
	char *scope, *name; /* the key: the scope's id, and what EKS calls it */
	char *arn;
	char *status;
	char tags[LOOK_DIGEST]; /* look_digest() of what the tagging API and the configuration said
				 */
	bool is_served;
	struct unix_time described_at;
	RB_ENTRY(look) entry;
};

/* Lower-case hex of a digest over keys and values and `treatment`, what the configuration makes of
 * such clusters (scope_set_treatment()); NULL is the same as nothing. */
void look_digest(const struct labels *tags, const char *treatment, char digest[LOOK_DIGEST]);
struct look *look_new(const char *scope, const char *name) MUST_USE;
void look_free(struct look **look);

struct look_set;

struct look_set *look_set_new(void) MUST_USE;
void look_set_free(struct look_set **set);
size_t look_set_count(const struct look_set *set);
const struct look *look_set_find(
    const struct look_set *set, const char *scope, const char *name) MUST_USE;
/* In order of scope and name; NULL starts, NULL ends. */
const struct look *look_set_next(const struct look_set *set, const struct look *look) MUST_USE;
/* The first of a scope, or NULL. */
const struct look *look_set_first_of(const struct look_set *set, const char *scope) MUST_USE;
/* The look becomes the set's and replaces the one of the same key. */
void look_set_put(struct look_set *set, struct look *look);
void look_set_remove(struct look_set *set, const char *scope, const char *name);

#endif
