/* Places for calls to STS. Anybody can make tokens that lead to any host of STS, also to one that
 * does not answer or that the network does not let through, where each call takes its whole
 * time-out. So an address has a few places, a host half of all, and half of all and of an address's
 * is kept for hosts that answered when they were asked last. By hosts and not by regions, of which
 * each has several: what is said of one that nobody needs must not count for another. Hosts that
 * ever answered are remembered, others no longer than somebody waits for them: names that are made
 * up take no memory. Owned by iam.c. */
#include "kubeproxyd/gate/iam_room.h"

#include <bsd/sys/queue.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "common/xmem.h"
#include "kubeproxyd/gate/address_pace.h"
#include "kubeproxyd/gate/refusal.h"

#define PLACES		      64
#define PLACES_OF_ADDRESS     8 /* or one for so many tokens a minute, up to */
#define TOKENS_FOR_PLACE      8
#define PLACES_OF_ADDRESS_MAX 32
#define BUSY_SECONDS	      2
#define SILENT_SECONDS	      5

struct host {
	char *name;
	size_t calls;
	bool has_answered; /* ever */
	bool is_answering; /* when it was asked last */
	LIST_ENTRY(host) entry;
};

struct iam_place {
	struct iam_room *room;
	struct host *host;
	char address[ADDRESS_KEY_MAX];
	LIST_ENTRY(iam_place) entry;
};

struct iam_room {
	LIST_HEAD(, iam_place) places;
	LIST_HEAD(, host) hosts;
};

struct iam_room *iam_room_new(void)
{
	struct iam_room *room = xcalloc(1, sizeof *room);
	LIST_INIT(&room->places);
	LIST_INIT(&room->hosts);
	return room;
}

static void drop_host(struct host *host)
{
	LIST_REMOVE(host, entry);
	free(host->name);
	free(host);
}

void iam_room_free(struct iam_room **room)
{
	if (*room == NULL)
		return;
	for (struct host *host; (host = LIST_FIRST(&(*room)->hosts)) != NULL;)
		/* The analyser loses track of a list that is emptied element by element.
		 * NOLINTNEXTLINE(clang-analyzer-unix.Malloc) */
		drop_host(host);
	xfree(room);
}

static struct host *find_host(const struct iam_room *room, const char *name)
{
	struct host *host;
	LIST_FOREACH(host, &room->hosts, entry)
	{
		if (strcmp(host->name, name) == 0)
			return host;
	}
	return NULL;
}

static struct host *add_host(struct iam_room *room, const char *name)
{
	struct host *host = xcalloc(1, sizeof *host);
	host->name = xstrdup(name);
	LIST_INSERT_HEAD(&room->hosts, host, entry);
	return host;
}

/* Who lets an address bring more tokens knows that it is many clients'. */
static size_t share_of_address(size_t per_minute)
{
	size_t share = per_minute / TOKENS_FOR_PLACE;
	if (share < PLACES_OF_ADDRESS)
		return PLACES_OF_ADDRESS;
	return share < PLACES_OF_ADDRESS_MAX ? share : PLACES_OF_ADDRESS_MAX;
}

struct taken {
	size_t places;
	size_t unanswering; /* of them for hosts that do not answer */
};

static void count(
    const struct iam_room *room, const char *address, struct taken *all, struct taken *of_address)
{
	const struct iam_place *place;
	LIST_FOREACH(place, &room->places, entry)
	{
		bool is_of_address = strcmp(place->address, address) == 0;
		bool is_unanswering = !place->host->is_answering;
		all->places++;
		all->unanswering += is_unanswering;
		of_address->places += is_of_address;
		of_address->unanswering += is_of_address && is_unanswering;
	}
}

/* Whether there is a place; else *refusal. */
static bool has_place(const struct iam_room *room, const char *address, size_t share,
    const struct host *host, struct refusal *refusal)
{
	struct taken all = {0}, of_address = {0};
	bool is_answering = host != NULL && host->is_answering;
	/* Whether it does again, however many wait for others: one may find out. */
	bool is_probe = host != NULL && host->has_answered && host->calls == 0;
	count(room, address, &all, &of_address);
	*refusal = (struct refusal){.status = 429, .retry_after = BUSY_SECONDS};
	if (of_address.places >= share)
		refusal->message = "too many AWS tokens from this address are being checked now: "
				   "try again";
	else if (!is_answering && !is_probe &&
		 (of_address.unanswering >= share / 2 || all.unanswering >= PLACES / 2))
		*refusal = (struct refusal){.status = 503,
		    .message = "too many AWS tokens wait for an STS that does not answer: try "
			       "again, or get a token by the STS of another region",
		    .retry_after = SILENT_SECONDS};
	else if (host != NULL && host->calls >= PLACES / 2)
		refusal->message = "too many AWS tokens for the same STS are being checked now: "
				   "try again";
	else if (all.places >= PLACES)
		refusal->message = "too many AWS tokens are being checked now: try again";
	return refusal->message == NULL;
}

struct iam_place *iam_room_enter(struct iam_room *room, const char *address, size_t per_minute,
    const char *host, struct refusal *refusal)
{
	struct host *of = find_host(room, host);
	char key[ADDRESS_KEY_MAX];
	address_pace_key(address, key);
	if (!has_place(room, key, share_of_address(per_minute), of, refusal))
		return NULL;
	struct iam_place *place = xcalloc(1, sizeof *place);
	place->room = room;
	place->host = of != NULL ? of : add_host(room, host);
	place->host->calls++;
	memcpy(place->address, key, sizeof key);
	LIST_INSERT_HEAD(&room->places, place, entry);
	return place;
}

void iam_place_note(struct iam_place *place, bool has_answered)
{
	place->host->is_answering = has_answered;
	place->host->has_answered |= has_answered;
}

void iam_room_leave(struct iam_place **place)
{
	struct host *host = (*place)->host;
	LIST_REMOVE(*place, entry);
	if (--host->calls == 0 && !host->has_answered)
		drop_host(host);
	xfree(place);
}

size_t iam_room_hosts(const struct iam_room *room)
{
	const struct host *host;
	size_t count = 0;
	LIST_FOREACH(host, &room->hosts, entry)
	count++;
	return count;
}
