/* The certificates of the connections of now, by their digest: nobody chooses what a tree of
 * digests looks like. Whether a certificate is accepted is each connection's own matter. Called by
 * caller.c.
 */
#include "kubeproxyd/exchange/caller_shared.h"

#include <bsd/sys/tree.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/xmem.h"
#include "kubeproxyd/exchange/caller.h"
#include "kubeproxyd/gate/identity.h"
#include "kubeproxyd/gate/identity_certificate.h"

struct entry {
	struct caller_shared shared; /* first: what callers hold */
	RB_ENTRY(entry) link;
	uint8_t digest[SHA256_DIGEST_LENGTH];
	unsigned references;
};

static int compare(const struct entry *a, const struct entry *b)
{
	return memcmp(a->digest, b->digest, sizeof a->digest);
}

RB_HEAD(entries, entry);
RB_GENERATE_INTERNAL(entries, entry, link, compare, __attribute__((__unused__)) static)

static struct entries entries = RB_INITIALIZER(&entries);

static struct entry *add(X509 *certificate, const uint8_t *digest, const char **error)
{
	struct identity *identity = identity_from_certificate(certificate, error);
	if (identity == NULL)
		return NULL;
	struct entry *entry = xcalloc(1, sizeof *entry);
	entry->shared.identity = identity;
	memcpy(entry->digest, digest, sizeof entry->digest);
	RB_INSERT(entries, &entries, entry);
	return entry;
}

struct caller_shared *caller_shared_get(X509 *certificate, const char **error)
{
	struct entry wanted = {0};
	if (X509_digest(certificate, EVP_sha256(), wanted.digest, NULL) != 1)
		abort();
	struct entry *entry = RB_FIND(entries, &entries, &wanted);
	if (entry == NULL)
		entry = add(certificate, wanted.digest, error);
	if (entry == NULL)
		return NULL;
	entry->references++;
	return &entry->shared;
}

void caller_shared_unref(struct caller_shared **shared)
{
	struct entry *entry = (struct entry *)(void *)*shared;
	*shared = NULL;
	if (entry == NULL || --entry->references > 0)
		return;
	RB_REMOVE(entries, &entries, entry);
	caller_grants_unref(&entry->shared.grants);
	identity_unref(&entry->shared.identity);
	free(entry);
}
