/* What became of bearer tokens, by their digests: the user, or why one was refused. Tokens
 * themselves are never kept. Bounded; the one that was used longest ago makes room. */
#ifndef EKSGATE_TOKEN_CACHE_H
#define EKSGATE_TOKEN_CACHE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/attr.h"
#include "common/mono.h"

struct identity;
struct token_cache;

struct token_digest {
	unsigned char bytes[32]; /* SHA-256 */
};
struct token_digest token_digest_of(const char *token, size_t len);

struct token_cache *token_cache_new(size_t capacity) MUST_USE;
void token_cache_free(struct token_cache **cache);
/* True when the token is known: then either *identity or *refusal is set, borrowed until the cache
 * is touched again. */
bool token_cache_find(struct token_cache *cache, const struct token_digest *digest,
    struct identity **identity, const char **refusal) MUST_USE;
/* Takes a reference. An identity that expires sooner than `until` is found until then, too: whoever
 * finds it looks. */
void token_cache_keep(struct token_cache *cache, const struct token_digest *digest,
    struct identity *identity, struct mono until);
void token_cache_refuse(struct token_cache *cache, const struct token_digest *digest,
    const char *refusal, struct mono until);
void token_cache_clear(struct token_cache *cache);
size_t token_cache_count(const struct token_cache *cache) MUST_USE;

#endif
