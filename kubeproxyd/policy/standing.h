/* Which of the roles that somebody holds are about a cluster: a question of labels alone, the same
 * for each request, so the answers are kept. Owned by the grants, asked by decide.c. */
#ifndef EKSGATE_STANDING_H
#define EKSGATE_STANDING_H

#include <stdbool.h>

#include "common/attr.h"
#include "common/labels.h"

#define STANDINGS_MAX 8 /* sets of labels that are kept */

struct grants;

/* Of one role: whether its spec.allow and its spec.deny are about the cluster. */
struct standing {
	bool allows, denies;
};

struct standings; /* opaque */

struct standings *standings_new(void) MUST_USE;
void standings_free(struct standings **standings);
/* One a role, in the order of grants->roles; valid until the next call for the same grants. Known
 * answers are found by what the labels are, never by where they stand: these change in place. */
const struct standing *standings_find(
    const struct grants *grants, const struct labels *cluster_labels) MUST_USE;

#endif
