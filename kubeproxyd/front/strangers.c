/* The lists of strangers, and a tree of their addresses: whoever connects chooses its address
 * within limits, so a table of hashes would be the stranger's to fill. Called by session.c. */
#include "kubeproxyd/front/strangers.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "common/xmem.h"

struct stranger_address {
	RB_ENTRY(stranger_address) entry;
	uint8_t key[9];
	struct stranger_list strangers; /* the oldest first */
	size_t count;
};

static int compare(const struct stranger_address *a, const struct stranger_address *b)
{
	return memcmp(a->key, b->key, sizeof a->key);
}

RB_GENERATE_INTERNAL(
    stranger_addresses, stranger_address, entry, compare, __attribute__((__unused__)) static)

/* A network of IPv6 is one customer's, and holds more addresses than there can be connections. */
static void make_key(const struct sockaddr *peer, uint8_t key[9])
{
	memset(key, 0, 9);
	if (peer == NULL)
		return;
	key[0] = (uint8_t)peer->sa_family;
	if (peer->sa_family == AF_INET)
		memcpy(key + 1, &((const struct sockaddr_in *)(const void *)peer)->sin_addr, 4);
	if (peer->sa_family != AF_INET6)
		return;
	const struct in6_addr *address =
	    &((const struct sockaddr_in6 *)(const void *)peer)->sin6_addr;
	if (IN6_IS_ADDR_V4MAPPED(address)) {
		key[0] = AF_INET;
		memcpy(key + 1, address->s6_addr + 12, 4);
	} else {
		memcpy(key + 1, address->s6_addr, 8);
	}
}

static struct stranger_address *find_address(
    struct strangers *strangers, const struct sockaddr *peer)
{
	struct stranger_address wanted = {0};
	make_key(peer, wanted.key);
	return RB_FIND(stranger_addresses, &strangers->addresses, &wanted);
}

static struct stranger_address *get_address(
    struct strangers *strangers, const struct sockaddr *peer)
{
	struct stranger_address *address = find_address(strangers, peer);
	if (address != NULL)
		return address;
	address = xcalloc(1, sizeof *address);
	make_key(peer, address->key);
	TAILQ_INIT(&address->strangers);
	RB_INSERT(stranger_addresses, &strangers->addresses, address);
	return address;
}

void strangers_init(struct strangers *strangers)
{
	*strangers = (struct strangers){0};
	TAILQ_INIT(&strangers->shaking);
	TAILQ_INIT(&strangers->open);
	RB_INIT(&strangers->addresses);
}

void strangers_add(
    struct strangers *strangers, struct stranger *stranger, const struct sockaddr *peer)
{
	stranger->address = get_address(strangers, peer);
	stranger->address->count++;
	TAILQ_INSERT_TAIL(&stranger->address->strangers, stranger, by_address);
	stranger->is_shaking = true;
	TAILQ_INSERT_TAIL(&strangers->shaking, stranger, by_age);
	strangers->shaking_count++;
}

static void leave_age(struct strangers *strangers, struct stranger *stranger)
{
	if (stranger->is_shaking) {
		TAILQ_REMOVE(&strangers->shaking, stranger, by_age);
		strangers->shaking_count--;
	} else {
		TAILQ_REMOVE(&strangers->open, stranger, by_age);
	}
}

void strangers_open(struct strangers *strangers, struct stranger *stranger)
{
	leave_age(strangers, stranger);
	stranger->is_shaking = false;
	TAILQ_INSERT_TAIL(&strangers->open, stranger, by_age);
}

void strangers_remove(struct strangers *strangers, struct stranger *stranger)
{
	struct stranger_address *address = stranger->address;
	if (address == NULL)
		return;
	leave_age(strangers, stranger);
	TAILQ_REMOVE(&address->strangers, stranger, by_address);
	stranger->address = NULL;
	if (--address->count > 0)
		return;
	RB_REMOVE(stranger_addresses, &strangers->addresses, address);
	free(address);
}

struct stranger *strangers_oldest(const struct strangers *strangers)
{
	struct stranger *open = TAILQ_FIRST(&strangers->open);
	return open != NULL ? open : TAILQ_FIRST(&strangers->shaking);
}

struct stranger *strangers_oldest_shaking(const struct strangers *strangers)
{
	return TAILQ_FIRST(&strangers->shaking);
}

struct stranger *strangers_crowding(
    struct strangers *strangers, const struct sockaddr *peer, size_t count)
{
	const struct stranger_address *address = find_address(strangers, peer);
	bool is_crowd = address != NULL && address->count >= count;
	return is_crowd ? TAILQ_FIRST(&address->strangers) : NULL;
}
