/* The Impersonate-* fields of a client: whom it wants to be, read as the API server reads them
 * (reference kube.md 2.1). Pure. */
#ifndef EKSGATE_GATE_ACT_AS_H
#define EKSGATE_GATE_ACT_AS_H

#include <stdbool.h>

#include "common/attr.h"
#include "kubeproxyd/http/fields.h"
#include "kubeproxyd/policy/act_as.h"

/* Keys of extras that end so are this proxy's. */
#define ACT_AS_OWN_SUFFIX ".eksgate.io"
/* The user that somebody acts as another for. */
#define ACT_AS_ORIGINAL_USER "original-user" ACT_AS_OWN_SUFFIX

/* Whether any field asks for it. */
bool act_as_is_asked(const struct http_fields *fields) MUST_USE;
/* False: *status is 400 or 403 and *message says what is wrong (free()). */
bool act_as_read(
    const struct http_fields *fields, struct act_as *as, unsigned *status, char **message) MUST_USE;
void act_as_free(struct act_as *as);

/* The name of the field for an extra's key, escaped as client-go does: "Impersonate-Extra-a%2Fb"
 * (free()). */
char *act_as_extra_field(const char *key) MUST_USE;

#endif
