/* How often each client address may cause something that costs others: a bucket an address, which
 * fills again with time. Bounded; the address that was seen longest ago makes room. */
#ifndef EKSGATE_ADDRESS_PACE_H
#define EKSGATE_ADDRESS_PACE_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>

#include "common/attr.h"
#include "common/mono.h"

struct address_pace;

/* What counts as one address: of IPv6 a network (/64). Unused bytes are not set. */
#define ADDRESS_KEY_MAX INET6_ADDRSTRLEN
void address_pace_key(const char *address, char key[ADDRESS_KEY_MAX]);

struct address_pace *address_pace_new(size_t capacity) MUST_USE;
void address_pace_free(struct address_pace **pace);
/* Whether `address` may do it once more at `now`, at most `per_minute` times a minute. */
bool address_pace_take(
    struct address_pace *pace, const char *address, size_t per_minute, struct mono now) MUST_USE;

#endif
