/* Takes JSON Web Tokens apart. Nothing of a header is obeyed but the name of a key and of an
 * algorithm that stands in the table here; keys that a token brings along (jwk, jku, x5c, x5u) are
 * not even looked at. Called by oidc.c. */
#include "kubeproxyd/gate/jwt.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/base64url.h"
#include "common/json.h"
#include "common/xmem.h"

static const struct jwt_algorithm algorithms[] = {
    {"RS256", JWT_RSA, "SHA256", NULL, 0},
    {"RS384", JWT_RSA, "SHA384", NULL, 0},
    {"RS512", JWT_RSA, "SHA512", NULL, 0},
    {"PS256", JWT_RSA_PSS, "SHA256", NULL, 0},
    {"PS384", JWT_RSA_PSS, "SHA384", NULL, 0},
    {"PS512", JWT_RSA_PSS, "SHA512", NULL, 0},
    {"ES256", JWT_EC, "SHA256", "P-256", 32},
    {"ES384", JWT_EC, "SHA384", "P-384", 48},
    {"ES512", JWT_EC, "SHA512", "P-521", 66},
    {"EdDSA", JWT_ED25519, NULL, "Ed25519", 0},
};

const struct jwt_algorithm *jwt_algorithm_find(const char *name)
{
	for (size_t i = 0; i < sizeof algorithms / sizeof algorithms[0]; i++) {
		if (strcmp(algorithms[i].name, name) == 0)
			return &algorithms[i];
	}
	return NULL;
}

/* --- parts ----------------------------------------------------------------------------------- */

/* A part of the token as the JSON object that it holds, or NULL with *error. */
static struct json_object *read_object(const char *text, size_t len, const char *bad_encoding,
    const char *bad_json, const char **error)
{
	struct buf bytes = {0};
	char problem[JSON_ERROR_TEXT];
	struct json_object *object = NULL;
	if (!base64url_decode(text, len, &bytes)) {
		*error = bad_encoding;
	} else {
		object = json_parse(buf_text(&bytes), bytes.len, problem);
		if (!json_object_is_type(object, json_type_object)) {
			json_object_put(object);
			object = NULL;
			*error = bad_json;
		}
	}
	buf_free_secret(&bytes);
	return object;
}

static bool read_algorithm(struct json_object *header, struct jwt *jwt, const char **error)
{
	const char *name;
	char problem[JSON_ERROR_TEXT];
	if (!json_get_string(header, "", "alg", &name, problem)) {
		*error = "its header names no algorithm";
		return false;
	}
	jwt->algorithm = jwt_algorithm_find(name);
	if (jwt->algorithm == NULL)
		*error = "its algorithm is not one of RS256, RS384, RS512, PS256, PS384, PS512, "
			 "ES256, ES384, ES512 and EdDSA";
	return jwt->algorithm != NULL;
}

/* An ID token says "JWT" or nothing; others ("at+jwt", "logout+jwt") are for somebody else. */
static bool check_type(struct json_object *header, const char **error)
{
	const char *type;
	char problem[JSON_ERROR_TEXT];
	if (json_get_optional_string(header, "", "typ", &type, problem) &&
	    (type == NULL || strcasecmp(type, "JWT") == 0))
		return true;
	*error = "its type is not JWT: an ID token is asked for";
	return false;
}

static bool read_header(struct json_object *header, struct jwt *jwt, const char **error)
{
	const char *kid;
	char problem[JSON_ERROR_TEXT];
	if (!read_algorithm(header, jwt, error) || !check_type(header, error))
		return false;
	if (json_object_object_get_ex(header, "crit", NULL)) {
		*error = "its header demands extensions (crit) that are not known";
		return false;
	}
	if (!json_get_optional_string(header, "", "kid", &kid, problem) ||
	    (kid != NULL && (*kid == '\0' || strlen(kid) > JWT_KID_MAX))) {
		*error = "its kid is not a short text";
		return false;
	}
	jwt->kid = xstrdup_or_null(kid);
	return true;
}

/* --- the whole ------------------------------------------------------------------------------- */

/* Where the three parts end; false when there are not exactly three. */
static bool find_dots(const char *text, size_t len, const char **first, const char **second)
{
	*first = memchr(text, '.', len);
	if (*first == NULL)
		return false;
	size_t left = len - (size_t)(*first + 1 - text);
	*second = memchr(*first + 1, '.', left);
	if (*second == NULL)
		return false;
	left = len - (size_t)(*second + 1 - text);
	return memchr(*second + 1, '.', left) == NULL;
}

bool jwt_is_likely(const char *text, size_t len)
{
	const char *first, *second;
	return len > 2 && memcmp(text, "ey", 2) == 0 && find_dots(text, len, &first, &second);
}

static bool read_parts(const char *text, size_t len, struct jwt *jwt, const char **error)
{
	const char *first, *second;
	if (len > JWT_MAX_BYTES) {
		*error = "it is longer than 16384 bytes";
		return false;
	}
	if (!find_dots(text, len, &first, &second)) {
		*error = "it has not three parts";
		return false;
	}
	struct json_object *header =
	    read_object(text, (size_t)(first - text), "its header is not base64url",
		"its header is not a JSON object without repeated keys", error);
	bool is_good = header != NULL && read_header(header, jwt, error);
	json_object_put(header);
	if (!is_good)
		return false;
	jwt->signed_text = text;
	jwt->signed_len = (size_t)(second - text);
	jwt->claims =
	    read_object(first + 1, (size_t)(second - first - 1), "its claims are not base64url",
		"its claims are not a JSON object without repeated keys", error);
	if (jwt->claims == NULL)
		return false;
	if (base64url_decode(second + 1, len - jwt->signed_len - 1, &jwt->signature) &&
	    jwt->signature.len > 0)
		return true;
	*error = "its signature is missing or not base64url";
	return false;
}

bool jwt_parse(const char *text, size_t len, struct jwt *jwt, const char **error)
{
	*jwt = (struct jwt){0};
	if (read_parts(text, len, jwt, error))
		return true;
	jwt_free(jwt);
	return false;
}

void jwt_free(struct jwt *jwt)
{
	free(jwt->kid);
	json_object_put(jwt->claims);
	buf_free(&jwt->signature);
	*jwt = (struct jwt){0};
}
