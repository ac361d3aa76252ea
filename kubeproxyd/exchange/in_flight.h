/* How many requests each user and each cluster has under way and what their bodies may take, and
 * the caps on that. */
#ifndef EKSGATE_IN_FLIGHT_H
#define EKSGATE_IN_FLIGHT_H

#include <bsd/sys/queue.h>
#include <stdbool.h>
#include <stddef.h>

#include "common/attr.h"

#define IN_FLIGHT_BUCKETS 1024

struct cluster;
struct in_flight_user;

/* A plain value; LIST heads of {0} are empty. */
struct in_flight {
	LIST_HEAD(, in_flight_user) buckets[IN_FLIGHT_BUCKETS];
	size_t body_bytes; /* set aside */
};

/* What one request holds; {0}: nothing. */
struct in_flight_seat {
	struct in_flight_user *user;
	struct cluster *cluster; /* borrowed: it outlives its requests */
	struct in_flight *all;
	size_t body_bytes;
};

enum in_flight_answer {
	IN_FLIGHT_SEATED,
	IN_FLIGHT_USER_FULL,
	IN_FLIGHT_CLUSTER_FULL,
	IN_FLIGHT_BODIES_FULL,
};

struct in_flight_caps {
	size_t per_user, per_cluster, body_bytes;
};

/* Who asks for a seat. */
struct in_flight_claim {
	const char *user;
	struct cluster *cluster;
	size_t body_bytes; /* the most that will be held of its body at a time */
};

/* Counts one more, or nothing. A user's record lives as long as the user holds seats. */
enum in_flight_answer in_flight_enter(struct in_flight *all, const struct in_flight_caps *caps,
    const struct in_flight_claim *claim, struct in_flight_seat *seat) MUST_USE;
void in_flight_leave(struct in_flight_seat *seat);

#endif
