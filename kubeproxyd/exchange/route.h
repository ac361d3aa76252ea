/* Which cluster a request is for, from its raw target and from the scope of the credential
 * (design.md 3, step 4), or from the server name that TLS was opened for, which then decides alone.
 * Pure. */
#ifndef EKSGATE_ROUTE_H
#define EKSGATE_ROUTE_H

#include <stdbool.h>

#include "common/arena.h"
#include "common/attr.h"
#include "common/kube_cluster.h"
#include "kubeproxyd/directory/alias.h"

#define ROUTE_PREFIX "/clusters/"

/* Texts are in the arena or in the target that was asked for. {0}: none yet. */
struct route {
	const char *cluster;
	const char *prefix; /* "/clusters/NAME", "" when the scope chose */
	const char *target; /* behind the prefix, begins with '/' */
};

/* `scope` is the one cluster that the credential is for, or NULL: a restriction whatever the route.
 * False: *status is 400, 403 or 404 and *message says what to do (free()). */
bool route_find(struct arena *arena, const char *target, const char *scope, struct route *route,
    unsigned *status, char **message) MUST_USE;
/* The alias in "ALIAS.suffix" or "ALIAS.suffix:port", in lower case; "" when what stands before the
 * suffix cannot be one. False: `host` is not under the suffix; nothing is when `suffix` is NULL. */
bool route_alias(const char *host, const char *suffix, char alias[ALIAS_MAX + 1]) MUST_USE;
/* The same as route_find() on a connection whose server name chose `cluster`: there is no prefix.
 */
bool route_in_cluster(struct arena *arena, const char *target, const char *cluster,
    const char *scope, struct route *route, unsigned *status, char **message) MUST_USE;

#endif
