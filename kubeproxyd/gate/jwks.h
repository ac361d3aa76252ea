/* The public keys of an issuer (JSON Web Key Set, RFC 7517), and whether one of them signed a
 * token. Pure. */
#ifndef EKSGATE_JWKS_H
#define EKSGATE_JWKS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/attr.h"

#define JWKS_MAX_KEYS 100

struct jwt;
struct jwks;

/* Keys that cannot be used here (symmetric, for encryption, weak, of another kind) are passed over.
 * NULL: *error says why none is left (free()). */
struct jwks *jwks_parse(const char *text, size_t len, char **error) MUST_USE;
void jwks_free(struct jwks **jwks);
size_t jwks_count(const struct jwks *jwks) MUST_USE;

enum jwks_verdict {
	JWKS_SIGNED,
	JWKS_FORGED, /* a key that fits the token did not sign it */
	JWKS_NO_KEY, /* no key fits: of another kind, or not known yet */
};

/* A key fits when it is of the algorithm's kind and has the token's kid; without a kid in the token
 * every key of the kind is tried. */
enum jwks_verdict jwks_verify(const struct jwks *jwks, const struct jwt *jwt) MUST_USE;

#endif
