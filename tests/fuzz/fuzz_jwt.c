/* ID tokens: header fields, the token, its claims. Whatever comes, nobody is let in whose claims do
 * not say what they must, and nothing verifies against a key that did not sign. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/json.h"
#include "common/settings_login.h"
#include "common/xmem.h"
#include "kubeproxyd/gate/identity.h"
#include "kubeproxyd/gate/jwks.h"
#include "kubeproxyd/gate/jwt.h"
#include "kubeproxyd/gate/oidc_claims.h"
#include "kubeproxyd/policy/principal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NOW INT64_C(1767323045000)

static void require(int holds)
{
	if (!holds)
		abort();
}

static void read_claims(struct json_object *claims)
{
	char issuer[] = "https://i", audience[] = "eksgate", sub[] = "sub", groups[] = "groups";
	char *audiences[] = {audience};
	struct oidc_login login = {.issuer = issuer,
	    .audiences = audiences,
	    .audience_count = 1,
	    .username_claim = sub,
	    .groups_claim = groups};
	char *error = NULL;
	struct identity *identity = oidc_identity(&login, claims, (struct unix_time){NOW}, &error);
	require((identity == NULL) == (error != NULL));
	if (identity != NULL) {
		require(identity->expires.ms > NOW && !principal_is_reserved(identity->user));
		require(!principal_is_arn(identity->user));
		require(principal_refuse(identity->user, strlen(identity->user)) == NULL);
	}
	identity_unref(&identity);
	free(error);
}

/* The input as a token, and as the JSON that a token holds. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char keys[] =
	    "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7"
	    "Tu6KPAqv7D4\",\"y\":\"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM\"}]}";
	char problem[JSON_ERROR_TEXT], *error = NULL;
	char *text = xstrndup((const char *)data, size);
	struct jwt jwt;
	const char *reason = NULL;
	if (jwt_parse(text, strlen(text), &jwt, &reason)) {
		struct jwks *jwks = jwks_parse(keys, strlen(keys), &error);
		require(jwks != NULL && jwks_verify(jwks, &jwt) != JWKS_SIGNED);
		read_claims(jwt.claims);
		jwks_free(&jwks);
		jwt_free(&jwt);
	} else {
		require(reason != NULL);
	}
	struct json_object *claims = json_parse(text, strlen(text), problem);
	if (json_object_is_type(claims, json_type_object))
		read_claims(claims);
	json_object_put(claims);
	struct jwks *jwks = jwks_parse(text, strlen(text), &error);
	require((jwks == NULL) == (error != NULL));
	jwks_free(&jwks);
	free(error);
	free(text);
	return 0;
}
