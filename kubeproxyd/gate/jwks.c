/* Keys of issuers. A key is bound to its kind when it is read: RSA keys verify RSA signatures, a
 * curve's keys that curve's, and no text of a token can make one serve as another or as a shared
 * secret. Called by oidc_keys.c and oidc.c. */
#include "kubeproxyd/gate/jwks.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>
#include <stdlib.h>
#include <string.h>

#include "common/base64url.h"
#include "common/json.h"
#include "common/xmem.h"
#include "kubeproxyd/gate/jwt.h"

#define RSA_MIN_BITS	   2048
#define RSA_MAX_BITS	   8192
#define COORDINATE_MAX	   66
#define ED25519_BYTES	   32
#define EXPONENT_MAX_BYTES 8

enum key_type { KEY_RSA, KEY_EC, KEY_ED25519 };

struct jwk {
	enum key_type type;
	const char *curve; /* as jwt_algorithm has it; NULL: none */
	char *kid; /* NULL: none */
	char *alg; /* the only algorithm it is for; NULL: any of its kind */
	EVP_PKEY *key;
};

struct jwks {
	struct jwk *keys;
	size_t count;
};

/* --- members --------------------------------------------------------------------------------- */

static const char *text_of(struct json_object *object, const char *key)
{
	const char *text = NULL;
	char problem[JSON_ERROR_TEXT];
	return json_get_optional_string(object, "", key, &text, problem) ? text : NULL;
}

/* The bytes of a member in base64url; false when it is missing, bad or empty. */
static bool bytes_of(struct json_object *object, const char *key, struct buf *bytes)
{
	const char *text = text_of(object, key);
	return text != NULL && base64url_decode(text, strlen(text), bytes) && bytes->len > 0;
}

/* "use" and "key_ops" may say that a key is for something else than signatures. */
static bool is_for_signatures(struct json_object *object)
{
	struct json_object *use = NULL, *operations = NULL;
	if (json_object_object_get_ex(object, "use", &use) &&
	    (!json_object_is_type(use, json_type_string) ||
		strcmp(json_object_get_string(use), "sig") != 0))
		return false;
	if (!json_object_object_get_ex(object, "key_ops", &operations))
		return true;
	if (!json_object_is_type(operations, json_type_array))
		return false;
	for (size_t i = 0; i < json_object_array_length(operations); i++) {
		struct json_object *operation = json_object_array_get_idx(operations, i);
		if (json_object_is_type(operation, json_type_string) &&
		    strcmp(json_object_get_string(operation), "verify") == 0)
			return true;
	}
	return false;
}

/* --- keys of each kind ----------------------------------------------------------------------- */

static EVP_PKEY *key_from(const char *type, OSSL_PARAM_BLD *builder)
{
	EVP_PKEY *key = NULL;
	OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(builder);
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	if (params == NULL || context == NULL || EVP_PKEY_fromdata_init(context) != 1 ||
	    EVP_PKEY_fromdata(context, &key, EVP_PKEY_PUBLIC_KEY, params) != 1)
		key = NULL;
	EVP_PKEY_CTX_free(context);
	OSSL_PARAM_free(params);
	return key;
}

static BIGNUM *number_of(const struct buf *bytes)
{
	BIGNUM *number = BN_bin2bn((const unsigned char *)bytes->data, (int)bytes->len, NULL);
	if (number == NULL)
		abort();
	return number;
}

static EVP_PKEY *rsa_from(const struct buf *modulus, const struct buf *exponent)
{
	EVP_PKEY *key = NULL;
	BIGNUM *n = number_of(modulus), *e = number_of(exponent);
	int bits = BN_num_bits(n);
	bool is_sound = bits >= RSA_MIN_BITS && bits <= RSA_MAX_BITS && BN_is_odd(n) &&
			BN_is_odd(e) && !BN_is_one(e);
	OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
	if (builder == NULL)
		abort();
	if (is_sound && OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_N, n) == 1 &&
	    OSSL_PARAM_BLD_push_BN(builder, OSSL_PKEY_PARAM_RSA_E, e) == 1)
		key = key_from("RSA", builder);
	OSSL_PARAM_BLD_free(builder);
	BN_free(n);
	BN_free(e);
	return key;
}

static EVP_PKEY *read_rsa(struct json_object *object)
{
	struct buf n = {0}, e = {0};
	EVP_PKEY *key = NULL;
	if (bytes_of(object, "n", &n) && bytes_of(object, "e", &e) &&
	    n.len <= RSA_MAX_BITS / 8 + 1 && e.len <= EXPONENT_MAX_BYTES)
		key = rsa_from(&n, &e);
	buf_free(&n);
	buf_free(&e);
	return key;
}

/* The point must lie on the curve: one that does not could be made to verify anything. */
static bool is_sound(EVP_PKEY *key)
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
	bool is_good = context != NULL && EVP_PKEY_public_check(context) == 1;
	EVP_PKEY_CTX_free(context);
	return is_good;
}

static EVP_PKEY *ec_from(const char *curve, const struct buf *x, const struct buf *y)
{
	unsigned char point[1 + 2 * COORDINATE_MAX] = {POINT_CONVERSION_UNCOMPRESSED};
	memcpy(point + 1, x->data, x->len);
	memcpy(point + 1 + x->len, y->data, y->len);
	EVP_PKEY *key = NULL;
	OSSL_PARAM_BLD *builder = OSSL_PARAM_BLD_new();
	if (builder == NULL)
		abort();
	if (OSSL_PARAM_BLD_push_utf8_string(builder, OSSL_PKEY_PARAM_GROUP_NAME, curve, 0) == 1 &&
	    OSSL_PARAM_BLD_push_octet_string(
		builder, OSSL_PKEY_PARAM_PUB_KEY, point, 1 + x->len + y->len) == 1)
		key = key_from("EC", builder);
	OSSL_PARAM_BLD_free(builder);
	if (key != NULL && !is_sound(key)) {
		EVP_PKEY_free(key);
		key = NULL;
	}
	return key;
}

static EVP_PKEY *read_ec(struct json_object *object, const char **curve)
{
	static const struct {
		const char *name;
		size_t coordinate;
	} curves[] = {{"P-256", 32}, {"P-384", 48}, {"P-521", 66}};
	const char *wanted = text_of(object, "crv");
	struct buf x = {0}, y = {0};
	EVP_PKEY *key = NULL;
	bool has_point = bytes_of(object, "x", &x) && bytes_of(object, "y", &y);
	for (size_t i = 0; i < sizeof curves / sizeof curves[0] && has_point && wanted != NULL;
	     i++) {
		if (strcmp(wanted, curves[i].name) != 0 || x.len != curves[i].coordinate ||
		    y.len != curves[i].coordinate)
			continue;
		*curve = curves[i].name;
		key = ec_from(*curve, &x, &y);
	}
	buf_free(&x);
	buf_free(&y);
	return key;
}

static EVP_PKEY *read_ed25519(struct json_object *object, const char **curve)
{
	const char *wanted = text_of(object, "crv");
	struct buf x = {0};
	EVP_PKEY *key = NULL;
	if (wanted != NULL && strcmp(wanted, "Ed25519") == 0 && bytes_of(object, "x", &x) &&
	    x.len == ED25519_BYTES) {
		*curve = "Ed25519";
		key = EVP_PKEY_new_raw_public_key(
		    EVP_PKEY_ED25519, NULL, (const unsigned char *)x.data, x.len);
	}
	buf_free(&x);
	return key;
}

/* --- the set --------------------------------------------------------------------------------- */

/* False when the key cannot be used here. */
static bool read_key(struct json_object *object, struct jwk *jwk)
{
	const char *type = text_of(object, "kty");
	*jwk = (struct jwk){0};
	if (type == NULL || !is_for_signatures(object))
		return false;
	if (strcmp(type, "RSA") == 0) {
		jwk->type = KEY_RSA;
		jwk->key = read_rsa(object);
	} else if (strcmp(type, "EC") == 0) {
		jwk->type = KEY_EC;
		jwk->key = read_ec(object, &jwk->curve);
	} else if (strcmp(type, "OKP") == 0) {
		jwk->type = KEY_ED25519;
		jwk->key = read_ed25519(object, &jwk->curve);
	}
	ERR_clear_error();
	if (jwk->key == NULL)
		return false;
	jwk->kid = xstrdup_or_null(text_of(object, "kid"));
	jwk->alg = xstrdup_or_null(text_of(object, "alg"));
	return true;
}

static void read_keys(struct jwks *jwks, struct json_object *list)
{
	size_t count = json_object_array_length(list);
	jwks->keys = xcalloc(count + 1, sizeof *jwks->keys);
	for (size_t i = 0; i < count; i++) {
		struct json_object *object = json_object_array_get_idx(list, i);
		if (json_object_is_type(object, json_type_object) &&
		    read_key(object, &jwks->keys[jwks->count]))
			jwks->count++;
	}
}

struct jwks *jwks_parse(const char *text, size_t len, char **error)
{
	char problem[JSON_ERROR_TEXT];
	struct json_object *list = NULL, *document = json_parse(text, len, problem);
	if (document == NULL || !json_get_array(document, "", "keys", &list, problem)) {
		*error = xasprintf("it is no JSON Web Key Set: %s", problem);
		json_object_put(document);
		return NULL;
	}
	if (json_object_array_length(list) > JWKS_MAX_KEYS) {
		*error = xasprintf("it has more than %d keys", JWKS_MAX_KEYS);
		json_object_put(document);
		return NULL;
	}
	struct jwks *jwks = xcalloc(1, sizeof *jwks);
	read_keys(jwks, list);
	json_object_put(document);
	if (jwks->count > 0)
		return jwks;
	*error = xstrdup("it has no key that signatures can be checked with (RSA of 2048 to 8192 "
			 "bits, P-256, P-384, P-521, Ed25519)");
	jwks_free(&jwks);
	return NULL;
}

void jwks_free(struct jwks **jwks)
{
	struct jwks *old = *jwks;
	*jwks = NULL;
	if (old == NULL)
		return;
	for (size_t i = 0; i < old->count; i++) {
		EVP_PKEY_free(old->keys[i].key);
		free(old->keys[i].kid);
		free(old->keys[i].alg);
	}
	free(old->keys);
	free(old);
}

size_t jwks_count(const struct jwks *jwks)
{
	return jwks->count;
}

/* --- signatures ------------------------------------------------------------------------------ */

static bool is_of_kind(const struct jwk *key, const struct jwt_algorithm *algorithm)
{
	switch (algorithm->kind) {
	case JWT_RSA:
	case JWT_RSA_PSS:
		return key->type == KEY_RSA;
	case JWT_EC:
		return key->type == KEY_EC && strcmp(key->curve, algorithm->curve) == 0;
	case JWT_ED25519:
		return key->type == KEY_ED25519;
	}
	return false;
}

static bool fits(const struct jwk *key, const struct jwt *jwt)
{
	if (!is_of_kind(key, jwt->algorithm))
		return false;
	if (key->alg != NULL && strcmp(key->alg, jwt->algorithm->name) != 0)
		return false;
	return jwt->kid == NULL || (key->kid != NULL && strcmp(key->kid, jwt->kid) == 0);
}

/* r and s side by side (RFC 7518, 3.4) as OpenSSL wants them; the length, 0 when they are not. */
static int ec_signature(const struct jwt *jwt, unsigned char **der)
{
	size_t half = jwt->algorithm->coordinate;
	*der = NULL;
	if (jwt->signature.len != 2 * half)
		return 0;
	const unsigned char *bytes = (const unsigned char *)jwt->signature.data;
	ECDSA_SIG *pair = ECDSA_SIG_new();
	BIGNUM *r = BN_bin2bn(bytes, (int)half, NULL);
	BIGNUM *s = BN_bin2bn(bytes + half, (int)half, NULL);
	if (pair == NULL || r == NULL || s == NULL || ECDSA_SIG_set0(pair, r, s) != 1)
		abort();
	int len = i2d_ECDSA_SIG(pair, der);
	ECDSA_SIG_free(pair);
	return len > 0 ? len : 0;
}

static bool use_padding(EVP_PKEY_CTX *context, enum jwt_kind kind)
{
	if (kind == JWT_RSA)
		return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING) == 1;
	if (kind == JWT_RSA_PSS)
		return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING) == 1 &&
		       EVP_PKEY_CTX_set_rsa_pss_saltlen(context, RSA_PSS_SALTLEN_DIGEST) == 1;
	return true;
}

static bool has_signed(const struct jwk *key, const struct jwt *jwt)
{
	const struct jwt_algorithm *algorithm = jwt->algorithm;
	const unsigned char *signature = (const unsigned char *)jwt->signature.data;
	unsigned char *der = NULL;
	size_t len = jwt->signature.len;
	if (algorithm->kind == JWT_EC) {
		len = (size_t)ec_signature(jwt, &der);
		signature = der;
	}
	EVP_MD_CTX *digest = EVP_MD_CTX_new();
	EVP_PKEY_CTX *context = NULL;
	if (digest == NULL)
		abort();
	bool is_signed = len > 0 &&
			 EVP_DigestVerifyInit_ex(digest, &context, algorithm->digest, NULL, NULL,
			     key->key, NULL) == 1 &&
			 use_padding(context, algorithm->kind) &&
			 EVP_DigestVerify(digest, signature, len,
			     (const unsigned char *)jwt->signed_text, jwt->signed_len) == 1;
	EVP_MD_CTX_free(digest);
	OPENSSL_free(der);
	ERR_clear_error();
	return is_signed;
}

enum jwks_verdict jwks_verify(const struct jwks *jwks, const struct jwt *jwt)
{
	enum jwks_verdict verdict = JWKS_NO_KEY;
	for (size_t i = 0; i < jwks->count; i++) {
		if (!fits(&jwks->keys[i], jwt))
			continue;
		if (has_signed(&jwks->keys[i], jwt))
			return JWKS_SIGNED;
		verdict = JWKS_FORGED;
	}
	return verdict;
}
