/* Which fields end at the next hop (RFC 9110, 7.6.1), in both directions. Pure. */
#ifndef EKSGATE_HOP_BY_HOP_H
#define EKSGATE_HOP_BY_HOP_H

#include <stdbool.h>

#include "common/attr.h"
#include "kubeproxyd/http/fields.h"

/* What holds for the fields of one received head. A plain value; borrows the head. */
struct hop_by_hop {
	const struct http_fields *listing; /* it has Connection fields; NULL: none */
};

struct hop_by_hop hop_by_hop_of(const struct http_fields *head) MUST_USE;
/* By name, or because the Connection fields of the head name it. Framing, Host and Expect, which
 * the members of a head say, count too. */
bool hop_by_hop_has(const struct hop_by_hop *rules, const char *name) MUST_USE;

#endif
