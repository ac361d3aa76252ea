/* Which targets are unambiguous enough to be authorised and forwarded (reference kube.md 2.5):
 * everything that another parser on the way could read differently is refused. Pure. */
#ifndef EKSGATE_PATH_POLICY_H
#define EKSGATE_PATH_POLICY_H

#include <stddef.h>

#include "common/attr.h"

/* 0: fine, and *opaque_from says where the part of a proxied application begins (behind
 * ".../NAME/proxy"), 0 without one. Else the status to answer, 400 or 405, with *reason (static).
 */
unsigned path_policy_check(
    const char *method, const char *target, size_t *opaque_from, const char **reason) MUST_USE;

#endif
