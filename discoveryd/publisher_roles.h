/* Which user may be what on the bus: a table of uids. Plain data, made once. */
#ifndef EKSGATE_PUBLISHER_ROLES_H
#define EKSGATE_PUBLISHER_ROLES_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "common/attr.h"

#define BUS_ROLE_PROXY 1u
#define BUS_ROLE_TAP   2u

struct publisher_roles;

/* `own` may be everything: whoever can become the publisher's user has its socket and its state
 * anyway. root is a user like any other. */
struct publisher_roles *publisher_roles_new(uid_t own) MUST_USE;
void publisher_roles_free(struct publisher_roles **roles);
/* `user` is a name or a decimal uid. False when there is no such user. */
bool publisher_roles_add(struct publisher_roles *roles, const char *user, unsigned role) MUST_USE;
/* BUS_ROLE_ bits; 0: may not connect. */
unsigned publisher_roles_of(const struct publisher_roles *roles, uid_t uid) MUST_USE;
/* "proxy", "tap"; 0 for anything else. */
unsigned publisher_role_parse(const char *name) MUST_USE;

#endif
