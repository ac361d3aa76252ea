/* Which fields end at the next hop (RFC 9110, 7.6.1), in both directions. Pure. */
#ifndef EKSGATE_HOP_BY_HOP_H
#define EKSGATE_HOP_BY_HOP_H

#include <stdbool.h>

#include "common/attr.h"
#include "kubeproxyd/http/fields.h"

/* By name, or because the Connection fields of the same head name it. Framing, Host and Expect,
 * which the members of a head say, count too. */
bool hop_by_hop_is(const struct http_fields *of_head, const char *name) MUST_USE;

#endif
