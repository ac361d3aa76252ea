/* From the claims of a token, whose signature is an issuer's, to a user: whether it is for this
 * proxy, now, and whom it names. Pure. */
#ifndef EKSGATE_OIDC_CLAIMS_H
#define EKSGATE_OIDC_CLAIMS_H

#include <json-c/json.h>

#include "common/attr.h"
#include "common/mono.h"

struct identity;
struct oidc_login;

#define OIDC_MAX_GROUPS 500

/* NULL: *error says what is wrong (free()). */
struct identity *oidc_identity(const struct oidc_login *login, struct json_object *claims,
    struct unix_time now, char **error) MUST_USE;

#endif
