/* The keys that seal session tickets, shared by all contexts of all instances on a host, so that a
 * client that lands on another resumes there. Where they are kept is not known here. */
#ifndef EKSGATE_TLS_SEAL_H
#define EKSGATE_TLS_SEAL_H

#include <openssl/ssl.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"

#define TLS_SEAL_KEYS	2u
#define TLS_SEAL_NAME	16u
#define TLS_SEAL_SECRET 32u

struct tls_seal_key {
	uint8_t name[TLS_SEAL_NAME]; /* stands in the ticket, and says nothing */
	uint8_t secret[TLS_SEAL_SECRET];
};

struct tls_seal;

/* Begins with a key of its own, that nobody else has. `on_unknown` (NULL: nobody asks) is told of a
 * ticket of a key that is not known; it may set others. Outlives every context that uses it. */
struct tls_seal *tls_seal_new(void (*on_unknown)(void *arg), void *arg) MUST_USE;
void tls_seal_free(struct tls_seal **seal);
/* Copies at most TLS_SEAL_KEYS keys, the newest first: it seals, each of them opens. */
void tls_seal_set(struct tls_seal *seal, const struct tls_seal_key *keys, size_t count);
/* For tls.c: before the first session of `context`. What is sealed there opens only in contexts
 * with the same authorities for clients and the same revocation lists, since a resumed session is
 * not verified again. */
void tls_seal_use(SSL_CTX *context, struct tls_seal *seal);

#endif
