/* Client connections that have not shown yet who they are: by age, so that the oldest can make
 * room, and by address, so that one address cannot have them all. */
#ifndef EKSGATE_STRANGERS_H
#define EKSGATE_STRANGERS_H

#include <bsd/sys/queue.h>
#include <bsd/sys/tree.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "common/attr.h"

struct stranger_address;

/* Embedded in a connection; {0}: not one of them. */
struct stranger {
	TAILQ_ENTRY(stranger) by_age, by_address;
	struct stranger_address *address; /* NULL: not one of them */
	bool is_shaking; /* hands, still */
};
TAILQ_HEAD(stranger_list, stranger);

/* A plain value; strangers_init(). */
struct strangers {
	struct stranger_list shaking, open; /* the oldest first */
	size_t shaking_count;
	RB_HEAD(stranger_addresses, stranger_address) addresses;
};

void strangers_init(struct strangers *strangers);
/* One that begins to shake hands. `peer` NULL: an address like any other. */
void strangers_add(
    struct strangers *strangers, struct stranger *stranger, const struct sockaddr *peer);
/* Its handshake is done, and still nobody knows who it is. */
void strangers_open(struct strangers *strangers, struct stranger *stranger);
/* It is known, or over. Safe on one that is none of them. */
void strangers_remove(struct strangers *strangers, struct stranger *stranger);

/* Who would make room first; NULL: nobody. */
struct stranger *strangers_oldest(const struct strangers *strangers) MUST_USE;
struct stranger *strangers_oldest_shaking(const struct strangers *strangers) MUST_USE;
/* The oldest from the address of `peer` (IPv6: its /64), when there are at least `count`; else
 * NULL. */
struct stranger *strangers_crowding(
    struct strangers *strangers, const struct sockaddr *peer, size_t count) MUST_USE;

#endif
