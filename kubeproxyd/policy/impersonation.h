/* kubernetes_impersonate of a role: as whom else its holders may act, or may not. Names of
 * Kubernetes' own are given only by patterns that spell them, and taken away by any that matches.
 * Immutable. Pure. */
#ifndef EKSGATE_IMPERSONATION_H
#define EKSGATE_IMPERSONATION_H

#include <stdbool.h>

#include "common/attr.h"
#include "kubeproxyd/policy/document.h"

struct impersonation; /* opaque */

/* The value of `key` in a side of a role; NULL when it is absent or has findings. */
struct impersonation *impersonation_read(
    struct reading *reading, const struct yaml_node *side, const char *key) MUST_USE;
void impersonation_free(struct impersonation **impersonation);

/* `rule` may be NULL: nobody. Of allow, */
bool impersonation_gives_user(const struct impersonation *rule, const char *user) MUST_USE;
bool impersonation_gives_group(const struct impersonation *rule, const char *group) MUST_USE;
/* of deny, */
bool impersonation_denies_user(const struct impersonation *rule, const char *user) MUST_USE;
bool impersonation_denies_group(const struct impersonation *rule, const char *group) MUST_USE;
/* and of either. */
bool impersonation_takes_uid(const struct impersonation *rule, const char *uid) MUST_USE;
bool impersonation_takes_extra(
    const struct impersonation *rule, const char *key, const char *value) MUST_USE;
void impersonation_each_extra(
    const struct impersonation *rule, void (*fn)(void *arg, const char *key), void *arg);

#endif
