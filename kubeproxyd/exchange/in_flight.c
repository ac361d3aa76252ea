/* Counts of requests under way: a table of users by name, and a number on each cluster. Entering
 * and leaving cost the same however many there are. Called by admission.c. */
#include "kubeproxyd/exchange/in_flight.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/xmem.h"
#include "kubeproxyd/directory/cluster.h"

struct in_flight_user {
	LIST_ENTRY(in_flight_user) entry;
	char *name;
	size_t count;
};

/* FNV-1a: names come from certificates that our CA signed, nobody chooses them to collide. */
static size_t bucket_of(const char *name)
{
	uint64_t hash = 0xcbf29ce484222325u;
	for (; *name != '\0'; name++)
		hash = (hash ^ (unsigned char)*name) * 0x100000001b3u;
	return (hash ^ hash >> 32) % IN_FLIGHT_BUCKETS;
}

static struct in_flight_user *get_user(struct in_flight *all, const char *name)
{
	size_t bucket = bucket_of(name);
	struct in_flight_user *user;
	LIST_FOREACH(user, &all->buckets[bucket], entry)
	{
		if (strcmp(user->name, name) == 0)
			return user;
	}
	user = xcalloc(1, sizeof *user);
	user->name = xstrdup(name);
	LIST_INSERT_HEAD(&all->buckets[bucket], user, entry);
	return user;
}

static void drop_unused(struct in_flight_user *user)
{
	if (user->count > 0)
		return;
	LIST_REMOVE(user, entry);
	free(user->name);
	free(user);
}

static enum in_flight_answer judge(const struct in_flight *all, const struct in_flight_caps *caps,
    const struct in_flight_claim *claim, const struct in_flight_user *user)
{
	size_t taken = all->body_bytes;
	if (user->count >= caps->per_user)
		return IN_FLIGHT_USER_FULL;
	if (claim->cluster->in_flight >= caps->per_cluster)
		return IN_FLIGHT_CLUSTER_FULL;
	bool is_full = claim->body_bytes > 0 &&
		       (taken > caps->body_bytes || claim->body_bytes > caps->body_bytes - taken);
	return is_full ? IN_FLIGHT_BODIES_FULL : IN_FLIGHT_SEATED;
}

enum in_flight_answer in_flight_enter(struct in_flight *all, const struct in_flight_caps *caps,
    const struct in_flight_claim *claim, struct in_flight_seat *seat)
{
	struct in_flight_user *user = get_user(all, claim->user);
	enum in_flight_answer answer = judge(all, caps, claim, user);
	if (answer != IN_FLIGHT_SEATED) {
		drop_unused(user);
		return answer;
	}
	user->count++;
	claim->cluster->in_flight++;
	all->body_bytes += claim->body_bytes;
	*seat = (struct in_flight_seat){user, claim->cluster, all, claim->body_bytes};
	return IN_FLIGHT_SEATED;
}

void in_flight_leave(struct in_flight_seat *seat)
{
	if (seat->user == NULL)
		return;
	seat->cluster->in_flight--;
	seat->user->count--;
	seat->all->body_bytes -= seat->body_bytes;
	drop_unused(seat->user);
	*seat = (struct in_flight_seat){0};
}
