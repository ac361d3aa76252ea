/* JSON Web Tokens in compact form (RFC 7515, 7519): taken apart, never trusted. Whether the
 * signature is an issuer's is for jwks.h to say, what the claims mean for oidc_claims.h. Pure. */
#ifndef EKSGATE_JWT_H
#define EKSGATE_JWT_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>

#include "common/attr.h"
#include "common/buf.h"

#define JWT_MAX_BYTES 16384
#define JWT_KID_MAX   256

/* What may sign. Symmetric algorithms and "none" are not among them: nothing in here could be made
 * to take one. */
enum jwt_kind { JWT_RSA, JWT_RSA_PSS, JWT_EC, JWT_ED25519 };

struct jwt_algorithm {
	const char *name; /* "RS256" */
	enum jwt_kind kind;
	const char *digest; /* "SHA256"; NULL: the algorithm has its own */
	const char *curve; /* "P-256"; NULL: none */
	size_t coordinate; /* bytes of each half of an EC signature */
};

/* NULL when `name` is not one of RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 EdDSA. */
const struct jwt_algorithm *jwt_algorithm_find(const char *name);

struct jwt {
	const struct jwt_algorithm *algorithm;
	char *kid; /* NULL: the header names no key */
	struct json_object *claims; /* an object, no key of it twice */
	const char *signed_text; /* header and claims as they were sent; borrowed */
	size_t signed_len;
	struct buf signature;
};

/* Whether it has the look of one: three parts, the first of which begins as JSON objects do. */
bool jwt_is_likely(const char *text, size_t len) MUST_USE;
/* False: *error (static) says what is wrong, and jwt_free() is not needed. `text` must live as long
 * as the token. */
bool jwt_parse(const char *text, size_t len, struct jwt *jwt, const char **error) MUST_USE;
void jwt_free(struct jwt *jwt);

#endif
