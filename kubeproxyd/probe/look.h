/* One look at one cluster with the proxy's own credentials: /readyz, then a SelfSubjectAccessReview
 * for each right that the proxy needs. */
#ifndef EKSGATE_LOOK_H
#define EKSGATE_LOOK_H

#include "common/attr.h"

struct cluster;
struct clusters;
struct finding;
struct look;
struct loop;
struct resolver;
struct rights;
struct upstreams;

/* Borrowed; outlive the look. */
struct look_options {
	struct loop *loop;
	struct clusters *clusters;
	struct upstreams *upstreams;
	struct resolver *resolver;
	const struct rights *rights;
	const char *principal; /* for remedies; NULL: not known. Copied. */
};

/* `finding` is the callee's (finding_clear()). Never inside look_start(); the look is dead. */
typedef void look_fn(void *arg, struct finding *finding);

struct look *look_start(
    const struct look_options *options, struct cluster *cluster, look_fn *fn, void *arg) MUST_USE;
/* No callback any more; *look becomes NULL. Safe on NULL. */
void look_cancel(struct look **look);

#endif
