/* Token buckets by address. An IPv6 client has a whole /64 to come from, so that is what counts
 * as its address. Owned by iam.c, ahead of every call to STS; iam_room.c counts by the same
 * addresses. */
#include "kubeproxyd/gate/address_pace.h"

#include <arpa/inet.h>
#include <bsd/sys/queue.h>
#include <bsd/sys/tree.h>
#include <stdlib.h>
#include <string.h>

#include "common/xmem.h"

#define MINUTE_NS INT64_C(60000000000)

struct bucket {
	RB_ENTRY(bucket) node;
	TAILQ_ENTRY(bucket) use;
	char key[ADDRESS_KEY_MAX];
	int64_t spent_ns; /* of the minute: what was taken and has not come back */
	struct mono seen;
};

RB_HEAD(buckets, bucket);
TAILQ_HEAD(bucket_uses, bucket);

struct address_pace {
	struct buckets buckets;
	struct bucket_uses uses;
	size_t count, capacity;
};

static int compare(const struct bucket *a, const struct bucket *b)
{
	return strcmp(a->key, b->key);
}

RB_GENERATE_INTERNAL(buckets, bucket, node, compare, __attribute__((__unused__)) static)

void address_pace_key(const char *address, char key[ADDRESS_KEY_MAX])
{
	struct in6_addr v6;
	size_t len = strnlen(address, ADDRESS_KEY_MAX - 1);
	memcpy(key, address, len);
	key[len] = '\0';
	if (inet_pton(AF_INET6, key, &v6) != 1 || IN6_IS_ADDR_V4MAPPED(&v6))
		return;
	memset(v6.s6_addr + 8, 0, 8);
	if (inet_ntop(AF_INET6, &v6, key, ADDRESS_KEY_MAX) == NULL)
		abort();
}

struct address_pace *address_pace_new(size_t capacity)
{
	struct address_pace *pace = xcalloc(1, sizeof *pace);
	RB_INIT(&pace->buckets);
	TAILQ_INIT(&pace->uses);
	pace->capacity = capacity;
	return pace;
}

static void drop(struct address_pace *pace, struct bucket *bucket)
{
	RB_REMOVE(buckets, &pace->buckets, bucket);
	TAILQ_REMOVE(&pace->uses, bucket, use);
	pace->count--;
	free(bucket);
}

void address_pace_free(struct address_pace **pace)
{
	if (*pace == NULL)
		return;
	for (struct bucket *bucket; (bucket = TAILQ_FIRST(&(*pace)->uses)) != NULL;)
		drop(*pace, bucket);
	xfree(pace);
}

static struct bucket *bucket_of(struct address_pace *pace, const char *address, struct mono now)
{
	struct bucket key = {0};
	address_pace_key(address, key.key);
	struct bucket *bucket = RB_FIND(buckets, &pace->buckets, &key);
	if (bucket != NULL) {
		TAILQ_REMOVE(&pace->uses, bucket, use);
		TAILQ_INSERT_TAIL(&pace->uses, bucket, use);
		return bucket;
	}
	if (pace->count == pace->capacity)
		drop(pace, TAILQ_FIRST(&pace->uses));
	bucket = xcalloc(1, sizeof *bucket);
	memcpy(bucket->key, key.key, sizeof bucket->key);
	bucket->seen = now;
	RB_INSERT(buckets, &pace->buckets, bucket);
	TAILQ_INSERT_TAIL(&pace->uses, bucket, use);
	pace->count++;
	return bucket;
}

bool address_pace_take(
    struct address_pace *pace, const char *address, size_t per_minute, struct mono now)
{
	struct bucket *bucket = bucket_of(pace, address, now);
	int64_t price = MINUTE_NS / (int64_t)per_minute;
	int64_t back = now.ns - bucket->seen.ns;
	bucket->spent_ns = bucket->spent_ns > back ? bucket->spent_ns - back : 0;
	bucket->seen = now;
	if (bucket->spent_ns + price > MINUTE_NS)
		return false;
	bucket->spent_ns += price;
	return true;
}
