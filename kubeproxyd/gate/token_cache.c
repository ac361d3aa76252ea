/* A table of digests in the order of their use. A digest is compared as a whole by memcmp(): who
 * could learn from its time how many bytes of a digest agree still cannot make a token from that.
 * Owned by the providers of tokens (oidc.c, iam.c). */
#include "kubeproxyd/gate/token_cache.h"

#include <bsd/sys/queue.h>
#include <bsd/sys/tree.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "common/xmem.h"
#include "kubeproxyd/gate/identity.h"

struct entry {
	RB_ENTRY(entry) node;
	TAILQ_ENTRY(entry) use;
	struct token_digest digest;
	struct identity *identity; /* or */
	char *refusal;
	struct mono until;
};

RB_HEAD(entries, entry);
TAILQ_HEAD(uses, entry);

struct token_cache {
	struct entries entries;
	struct uses uses; /* the one used last at the end */
	size_t count, capacity;
};

static int compare(const struct entry *a, const struct entry *b)
{
	return memcmp(a->digest.bytes, b->digest.bytes, sizeof a->digest.bytes);
}

RB_GENERATE_INTERNAL(entries, entry, node, compare, __attribute__((__unused__)) static)

struct token_digest token_digest_of(const char *token, size_t len)
{
	struct token_digest digest;
	if (EVP_Digest(token, len, digest.bytes, NULL, EVP_sha256(), NULL) != 1)
		abort();
	return digest;
}

struct token_cache *token_cache_new(size_t capacity)
{
	struct token_cache *cache = xcalloc(1, sizeof *cache);
	RB_INIT(&cache->entries);
	TAILQ_INIT(&cache->uses);
	cache->capacity = capacity;
	return cache;
}

static void drop(struct token_cache *cache, struct entry *entry)
{
	RB_REMOVE(entries, &cache->entries, entry);
	TAILQ_REMOVE(&cache->uses, entry, use);
	cache->count--;
	identity_unref(&entry->identity);
	free(entry->refusal);
	free(entry);
}

void token_cache_clear(struct token_cache *cache)
{
	for (struct entry *entry; (entry = TAILQ_FIRST(&cache->uses)) != NULL;)
		drop(cache, entry);
}

void token_cache_free(struct token_cache **cache)
{
	if (*cache == NULL)
		return;
	token_cache_clear(*cache);
	xfree(cache);
}

static struct entry *find(struct token_cache *cache, const struct token_digest *digest)
{
	struct entry key = {.digest = *digest};
	return RB_FIND(entries, &cache->entries, &key);
}

bool token_cache_find(struct token_cache *cache, const struct token_digest *digest,
    struct identity **identity, const char **refusal)
{
	struct entry *entry = find(cache, digest);
	*identity = NULL;
	*refusal = NULL;
	if (entry == NULL)
		return false;
	if (mono_is_past(entry->until)) {
		drop(cache, entry);
		return false;
	}
	TAILQ_REMOVE(&cache->uses, entry, use);
	TAILQ_INSERT_TAIL(&cache->uses, entry, use);
	*identity = entry->identity;
	*refusal = entry->refusal;
	return true;
}

/* An empty entry for the digest, in place of what stood there. */
static struct entry *put(
    struct token_cache *cache, const struct token_digest *digest, struct mono until)
{
	struct entry *old = find(cache, digest);
	if (old != NULL)
		drop(cache, old);
	if (cache->count == cache->capacity)
		drop(cache, TAILQ_FIRST(&cache->uses));
	struct entry *entry = xcalloc(1, sizeof *entry);
	entry->digest = *digest;
	entry->until = until;
	RB_INSERT(entries, &cache->entries, entry);
	TAILQ_INSERT_TAIL(&cache->uses, entry, use);
	cache->count++;
	return entry;
}

void token_cache_keep(struct token_cache *cache, const struct token_digest *digest,
    struct identity *identity, struct mono until)
{
	put(cache, digest, until)->identity = identity_ref(identity);
}

void token_cache_refuse(struct token_cache *cache, const struct token_digest *digest,
    const char *refusal, struct mono until)
{
	put(cache, digest, until)->refusal = xstrdup(refusal);
}

size_t token_cache_count(const struct token_cache *cache)
{
	return cache->count;
}
