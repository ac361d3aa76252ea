/* Which cluster a request is for, from its raw target and from the scope of the credential
 * (design.md 3, step 4). Pure. */
#ifndef EKSGATE_ROUTE_H
#define EKSGATE_ROUTE_H

#include <stdbool.h>

#include "common/attr.h"
#include "common/kube_cluster.h"

#define ROUTE_PREFIX "/clusters/"

struct route {
	char cluster[KUBE_CLUSTER_NAME_MAX + 1];
	char prefix[sizeof ROUTE_PREFIX +
		    KUBE_CLUSTER_NAME_MAX]; /* "/clusters/NAME", "" when the scope chose */
	char *target; /* behind the prefix, begins with '/'; malloc'd */
};

/* `scope` is the one cluster that the credential is for, or NULL: a restriction whatever the route.
 * False: *status is 400, 403 or 404 and *message says what to do (free()). */
bool route_find(const char *target, const char *scope, struct route *route, unsigned *status,
    char **message) MUST_USE;
void route_free(struct route *route);

#endif
