/* Header fields that say who somebody is: what clients may not send, and the ones that only this
 * proxy writes (reference kube.md 2.2 and 2.3). Names are judged by prefix, never by a list of
 * those known today. Pure. */
#ifndef EKSGATE_IMPERSONATE_H
#define EKSGATE_IMPERSONATE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/attr.h"
#include "kubeproxyd/http/fields.h"

struct headers_input;

/* Whether a field of the client's must not reach the API server: it names, vouches for or
 * authenticates somebody. */
bool impersonate_is_identity_field(const char *name) MUST_USE;
/* The same name with '_' for '-': another hop would take it for the real one. Framing fields are
 * guarded too. */
bool impersonate_is_disguised_field(const char *name) MUST_USE;
/* Any field that would make the API server act as somebody else. */
bool impersonate_is_impersonation(const char *name) MUST_USE;
/* Adds Authorization, Impersonate-User, groups, uid and extras. False, with nothing added, when a
 * value cannot be a field's value. */
bool impersonate_add_fields(const struct headers_input *input, struct http_fields *fields) MUST_USE;
/* Whether `fields` hold exactly what impersonate_add_fields() adds, once, and nothing else about
 * identities. */
bool impersonate_is_sound(
    const struct headers_input *input, const struct http_fields *fields) MUST_USE;

#endif
