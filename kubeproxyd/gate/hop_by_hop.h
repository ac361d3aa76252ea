/* Which fields end at the next hop (RFC 9110, 7.6.1), in both directions. Connection is judged on
 * the received head alone, before anything of ours is added: a client that lists our fields there
 * must not be able to remove them. Pure. */
#ifndef EKSGATE_HOP_BY_HOP_H
#define EKSGATE_HOP_BY_HOP_H

#include <stdbool.h>
#include <stddef.h>

#include "kubeproxyd/http/fields.h"

/* What holds for the fields of one received head. A plain value; borrows the head. */
struct hop_by_hop {
	const struct http_fields *listing; /* it has Connection fields; NULL: none */
};

static inline struct hop_by_hop hop_by_hop_of(const struct http_fields *head)
{
	bool has_list = (head->traits & FIELD_CONNECTION) != 0;
	return (struct hop_by_hop){.listing = has_list ? head : NULL};
}
/* The field at `index` of `fields`: by name, or because the Connection fields of the head name it.
 */
static inline bool hop_by_hop_has(
    const struct hop_by_hop *rules, const struct http_fields *fields, size_t index)
{
	return fields_is(fields, index, FIELD_HOP_BY_HOP) ||
	       (rules->listing != NULL &&
		   fields_has_token(rules->listing, "Connection", fields_name(fields, index)));
}

#endif
