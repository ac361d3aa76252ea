/* Header fields that say who somebody is, as only this proxy writes them (reference kube.md 2.2 and
 * 2.3); what clients may not send of them is FIELD_IDENTITY. Pure. */
#ifndef EKSGATE_IMPERSONATE_H
#define EKSGATE_IMPERSONATE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/attr.h"
#include "kubeproxyd/http/fields.h"

struct headers_input;

/* Adds Authorization, Impersonate-User, groups, uid and extras. False, with nothing added, when a
 * value cannot be a field's value. */
bool impersonate_add_fields(const struct headers_input *input, struct http_fields *fields) MUST_USE;
/* Whether `fields` hold exactly what impersonate_add_fields() adds, once, and nothing else about
 * identities. */
bool impersonate_is_sound(
    const struct headers_input *input, const struct http_fields *fields) MUST_USE;

#endif
