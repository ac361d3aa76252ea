/* Keys of issuers and claims of tokens: what of a key set is used, what verifies what, and a table
 * of claims each of which is wrong in one way. */
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base64url.h"
#include "common/buf.h"
#include "common/json.h"
#include "common/settings_login.h"
#include "common/xmem.h"
#include "kubeproxyd/gate/identity.h"
#include "kubeproxyd/gate/jwks.h"
#include "kubeproxyd/gate/jwt.h"
#include "kubeproxyd/gate/oidc_claims.h"

/* --- keys ------------------------------------------------------------------------------------ */

static char *number_text(const EVP_PKEY *key, const char *name)
{
	BIGNUM *number = NULL;
	struct buf out = {0};
	assert_int_equal(EVP_PKEY_get_bn_param(key, name, &number), 1);
	unsigned char bytes[1024];
	int len = BN_bn2bin(number, bytes);
	base64url_encode(bytes, (size_t)len, &out);
	BN_free(number);
	return buf_take(&out);
}

/* A key set of one RSA key with `more` members (",\"kid\":\"a\"") (free()). */
static char *rsa_set(const EVP_PKEY *key, const char *more)
{
	char *n = number_text(key, "n"), *e = number_text(key, "e");
	char *set =
	    xasprintf("{\"keys\":[{\"kty\":\"RSA\",\"n\":\"%s\",\"e\":\"%s\"%s}]}", n, e, more);
	free(n);
	free(e);
	return set;
}

/* {"alg": algorithm, "kid": kid}.{}.SIGNATURE by an RSA key (free()). */
static char *sign(EVP_PKEY *key, const char *algorithm, const char *kid)
{
	struct buf token = {0};
	char *header = kid != NULL ? xasprintf("{\"alg\":\"%s\",\"kid\":\"%s\"}", algorithm, kid)
				   : xasprintf("{\"alg\":\"%s\"}", algorithm);
	base64url_encode(header, strlen(header), &token);
	free(header);
	buf_append_text(&token, ".e30");
	EVP_MD_CTX *digest = EVP_MD_CTX_new();
	EVP_PKEY_CTX *context;
	unsigned char signature[1024];
	size_t len = sizeof signature;
	assert_int_equal(EVP_DigestSignInit(digest, &context, EVP_sha256(), NULL, key), 1);
	if (algorithm[0] == 'P') {
		EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING);
		EVP_PKEY_CTX_set_rsa_pss_saltlen(context, RSA_PSS_SALTLEN_DIGEST);
	}
	assert_int_equal(
	    EVP_DigestSign(digest, signature, &len, (const unsigned char *)token.data, token.len),
	    1);
	EVP_MD_CTX_free(digest);
	buf_append_char(&token, '.');
	base64url_encode(signature, len, &token);
	return buf_take(&token);
}

static enum jwks_verdict verify(const char *set, const char *token)
{
	char *error = NULL;
	const char *problem;
	struct jwt jwt;
	struct jwks *jwks = jwks_parse(set, strlen(set), &error);
	if (jwks == NULL)
		fail_msg("%s", error);
	assert_true(jwt_parse(token, strlen(token), &jwt, &problem));
	enum jwks_verdict verdict = jwks_verify(jwks, &jwt);
	jwt_free(&jwt);
	jwks_free(&jwks);
	return verdict;
}

static void test_verifies_by_kind_and_name(void **state)
{
	(void)state;
	EVP_PKEY *key = EVP_RSA_gen(2048), *stranger = EVP_RSA_gen(2048);
	const struct {
		const char *more, *algorithm, *kid;
		bool is_ours;
		enum jwks_verdict verdict;
	} rows[] = {
	    {",\"kid\":\"a\"", "RS256", "a", true, JWKS_SIGNED},
	    {",\"kid\":\"a\"", "PS256", "a", true, JWKS_SIGNED},
	    {",\"kid\":\"a\"", "RS256", NULL, true, JWKS_SIGNED},
	    {"", "RS256", NULL, true, JWKS_SIGNED},
	    {"", "RS256", "a", true, JWKS_NO_KEY},
	    {",\"kid\":\"a\"", "RS256", "b", true, JWKS_NO_KEY},
	    {",\"kid\":\"a\",\"alg\":\"RS256\"", "PS256", "a", true, JWKS_NO_KEY},
	    {",\"kid\":\"a\",\"use\":\"sig\",\"key_ops\":[\"verify\"]", "RS256", "a", true,
		JWKS_SIGNED},
	    {",\"kid\":\"a\"", "RS256", "a", false, JWKS_FORGED},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char *set = rsa_set(key, rows[i].more);
		char *token =
		    sign(rows[i].is_ours ? key : stranger, rows[i].algorithm, rows[i].kid);
		if (verify(set, token) != rows[i].verdict)
			fail_msg("row %zu", i);
		free(token);
		free(set);
	}
	EVP_PKEY_free(key);
	EVP_PKEY_free(stranger);
}

static void expect_no_set(const char *text, const char *part)
{
	char *error = NULL;
	struct jwks *jwks = jwks_parse(text, strlen(text), &error);
	if (jwks != NULL)
		fail_msg("taken: %s", text);
	if (strstr(error, part) == NULL)
		fail_msg("\"%s\" says nothing of \"%s\"", error, part);
	free(error);
}

/* A point of P-256 (RFC 7517, A.1). */
#define X "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4"
#define Y "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"

static void test_passes_over_keys_that_cannot_be_used(void **state)
{
	(void)state;
	static const char none[] = "no key that signatures can be checked with";
	expect_no_set("", "no JSON Web Key Set");
	expect_no_set("{}", "no JSON Web Key Set");
	expect_no_set("{\"keys\":{}}", "no JSON Web Key Set");
	expect_no_set("{\"keys\":[]}", none);
	expect_no_set("{\"keys\":[1,\"x\",null]}", none);
	expect_no_set("{\"keys\":[{\"kty\":\"oct\",\"k\":\"c2VjcmV0\"}]}", none);
	expect_no_set("{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" X "\",\"y\":\"" X
		      "\"}]}",
	    none);
	expect_no_set("{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-384\",\"x\":\"" X "\",\"y\":\"" Y
		      "\"}]}",
	    none);
	expect_no_set("{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"use\":\"enc\",\"x\":\"" X
		      "\",\"y\":\"" Y "\"}]}",
	    none);
	expect_no_set(
	    "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"key_ops\":[\"sign\"],\"x\":\"" X
	    "\",\"y\":\"" Y "\"}]}",
	    none);
	expect_no_set("{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"X25519\",\"x\":\"" X "\"}]}", none);
	EVP_PKEY *weak = EVP_RSA_gen(1024);
	char *set = rsa_set(weak, "");
	expect_no_set(set, none);
	free(set);
	EVP_PKEY_free(weak);
	struct buf many = {0};
	buf_append_text(&many, "{\"keys\":[{}");
	for (int i = 0; i < JWKS_MAX_KEYS; i++)
		buf_append_text(&many, ",{}");
	buf_append_text(&many, "]}");
	expect_no_set(buf_text(&many), "more than 100 keys");
	buf_free(&many);
	char *error = NULL;
	static const char good[] =
	    "{\"keys\":[{\"kty\":\"oct\",\"k\":\"c2VjcmV0\"},{\"kty\":\"EC\",\"crv\":\"P-256\","
	    "\"x\":\"" X "\",\"y\":\"" Y "\"}]}";
	struct jwks *jwks = jwks_parse(good, strlen(good), &error);
	assert_non_null(jwks);
	assert_int_equal(jwks_count(jwks), 1);
	jwks_free(&jwks);
}

/* --- claims ---------------------------------------------------------------------------------- */

#define NOW INT64_C(1767323045) /* 2026-01-02T03:04:05Z */

static struct identity *read_claims(const struct oidc_login *login, const char *text, char **error)
{
	char problem[JSON_ERROR_TEXT];
	struct json_object *claims = json_parse(text, strlen(text), problem);
	if (claims == NULL)
		fail_msg("%s: %s", text, problem);
	struct identity *identity =
	    oidc_identity(login, claims, (struct unix_time){NOW * 1000}, error);
	json_object_put(claims);
	return identity;
}

static char *audiences[] = {(char *)(uintptr_t) "eksgate", (char *)(uintptr_t) "second"};
static char *required[] = {(char *)(uintptr_t) "hd=example.com"};

static struct oidc_login plain_login(void)
{
	return (struct oidc_login){
	    .issuer = (char *)(uintptr_t) "https://i",
	    .audiences = audiences,
	    .audience_count = 2,
	    .username_claim = (char *)(uintptr_t) "sub",
	    .groups_claim = (char *)(uintptr_t) "groups",
	    .cluster_claim = (char *)(uintptr_t) "cluster",
	};
}

#define CLAIMS(more) "{\"iss\":\"https://i\",\"aud\":\"eksgate\",\"exp\":1767323105" more "}"
#define SUB	     ",\"sub\":\"a\""

static void test_refuses_bad_claims(void **state)
{
	(void)state;
	static const struct {
		const char *claims, *part;
	} rows[] = {
	    {"{}", "iss is not https://i"},
	    {"{\"iss\":\"https://i/\",\"aud\":\"eksgate\",\"exp\":1767323105" SUB "}",
		"iss is not"},
	    {"{\"iss\":[\"https://i\"],\"aud\":\"eksgate\",\"exp\":1767323105" SUB "}",
		"iss is not"},
	    {"{\"iss\":\"https://i\",\"exp\":1767323105" SUB "}", "aud is neither"},
	    {"{\"iss\":\"https://i\",\"aud\":\"Eksgate\",\"exp\":1767323105" SUB "}",
		"somebody else"},
	    {"{\"iss\":\"https://i\",\"aud\":[],\"exp\":1767323105" SUB "}", "somebody else"},
	    {"{\"iss\":\"https://i\",\"aud\":[\"eksgate\",1],\"exp\":1767323105" SUB "}",
		"aud is neither"},
	    {"{\"iss\":\"https://i\",\"aud\":\"eksgate/clusters/\",\"exp\":1767323105" SUB "}",
		"no name of a cluster"},
	    {"{\"iss\":\"https://i\",\"aud\":[\"eksgate/clusters/a\",\"eksgate/clusters/b\"],"
	     "\"exp\":1767323105" SUB "}",
		"more than one cluster"},
	    {"{\"iss\":\"https://i\",\"aud\":\"eksgate\"" SUB "}", "exp is missing"},
	    {"{\"iss\":\"https://i\",\"aud\":\"eksgate\",\"exp\":\"1767323105\"" SUB "}",
		"exp is missing"},
	    {"{\"iss\":\"https://i\",\"aud\":\"eksgate\",\"exp\":1767323045" SUB "}", "expired at"},
	    {"{\"iss\":\"https://i\",\"aud\":\"eksgate\",\"exp\":1e300" SUB "}", "exp is missing"},
	    {"{\"iss\":\"https://i\",\"aud\":\"eksgate\",\"exp\":-5" SUB "}", "exp is missing"},
	    {CLAIMS(",\"nbf\":1767323106" SUB), "nbf lies in the future"},
	    {CLAIMS(",\"iat\":1767323106" SUB), "iat lies in the future"},
	    {CLAIMS(",\"nbf\":\"x\"" SUB), "nbf is no time"},
	    {CLAIMS(""), "sub, which names the user, is missing"},
	    {CLAIMS(",\"sub\":\"\""), "is empty"},
	    {CLAIMS(",\"sub\":[\"a\"]"), "is missing or no text"},
	    {CLAIMS(",\"sub\":\"a\\u0000b\""), "its sub holds a NUL"},
	    {CLAIMS(",\"groups\":[\"a\",\"a\\u0000\"]" SUB), "its groups holds a NUL"},
	    {CLAIMS(",\"cluster\":\"a\\u0000b\"" SUB), "its cluster holds a NUL"},
	    {CLAIMS(",\"team\":\"a\\u0000b\"" SUB), "its team holds a NUL"},
	    {CLAIMS(",\"teams\":[1,\"a\",\"\\u0000\"]" SUB), "its teams holds a NUL"},
	    {"{\"iss\":\"https://i\\u0000\",\"aud\":\"eksgate\",\"exp\":1767323105" SUB "}",
		"its iss holds a NUL"},
	    {"{\"iss\":\"https://i\",\"aud\":[\"eksgate\",\"a\\u0000\"],\"exp\":1767323105" SUB "}",
		"its aud holds a NUL"},
	    {CLAIMS(",\"sub\":\"a\\r\\nb\""), "control character"},
	    {CLAIMS(",\"sub\":\"system:node:x\""), "belongs to Kubernetes"},
	    {CLAIMS(",\"sub\":\"eks:addon-manager\""), "belongs to Kubernetes"},
	    {CLAIMS(",\"sub\":\"arn:aws:iam::123456789012:role/a\""), "begins with arn:"},
	    {CLAIMS(",\"groups\":{}" SUB), "groups are neither"},
	    {CLAIMS(",\"groups\":[[\"a\"]]" SUB), "groups are neither"},
	    {CLAIMS(",\"groups\":[\"\"]" SUB), "a group that it names is empty"},
	    {CLAIMS(",\"cluster\":\"a/b\"" SUB), "no name of a cluster"},
	    {CLAIMS(",\"cluster\":null" SUB), "no name of a cluster"},
	};
	struct oidc_login login = plain_login();
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char *error = NULL;
		if (read_claims(&login, rows[i].claims, &error) != NULL)
			fail_msg("taken: %s", rows[i].claims);
		if (strstr(error, rows[i].part) == NULL)
			fail_msg("\"%s\" says nothing of \"%s\"", error, rows[i].part);
		free(error);
	}
}

static void expect_with(const struct oidc_login *login, const char *claims, const char *user,
    const char *group, const char *cluster, const char *refusal)
{
	char *error = NULL;
	struct identity *identity = read_claims(login, claims, &error);
	if (refusal != NULL) {
		assert_null(identity);
		assert_non_null(strstr(error, refusal));
		free(error);
		return;
	}
	if (identity == NULL)
		fail_msg("%s: %s", claims, error);
	assert_string_equal(identity->user, user);
	assert_int_equal(identity->group_count, group != NULL);
	if (group != NULL)
		assert_string_equal(identity->groups[0], group);
	if (cluster != NULL)
		assert_string_equal(identity->cluster, cluster);
	else
		assert_null(identity->cluster);
	assert_int_equal(identity->expires.ms, INT64_C(1767323105000));
	identity_unref(&identity);
}

static void test_claims_become_a_user(void **state)
{
	(void)state;
	struct oidc_login login = plain_login();
	expect_with(
	    &login, CLAIMS(SUB ",\"nbf\":1767323105,\"iat\":1767323040.5"), "a", NULL, NULL, NULL);
	expect_with(&login, CLAIMS(SUB ",\"groups\":\"g\""), "a", "g", NULL, NULL);
	expect_with(&login, CLAIMS(SUB ",\"groups\":null"), "a", NULL, NULL, NULL);
	expect_with(
	    &login, CLAIMS(SUB ",\"groups\":[\"g\"],\"cluster\":\"c\""), "a", "g", "c", NULL);
	expect_with(&login,
	    "{\"iss\":\"https://i\",\"aud\":[\"x\",\"second/clusters/c\"],\"exp\":1767323105" SUB
	    "}",
	    "a", NULL, "c", NULL);
	login.username_prefix = (char *)(uintptr_t) "u:";
	login.groups_prefix = (char *)(uintptr_t) "g:";
	expect_with(&login, CLAIMS(SUB ",\"groups\":[\"g\"]"), "u:a", "g:g", NULL, NULL);
	expect_with(&login, CLAIMS(",\"sub\":\"arn:a\""), "u:arn:a", NULL, NULL, NULL);
	login.username_claim = (char *)(uintptr_t) "email";
	expect_with(&login, CLAIMS(",\"email\":\"a@b\""), "u:a@b", NULL, NULL, NULL);
	expect_with(&login, CLAIMS(",\"email\":\"a@b\",\"email_verified\":true"), "u:a@b", NULL,
	    NULL, NULL);
	expect_with(&login, CLAIMS(",\"email\":\"a@b\",\"email_verified\":false"), NULL, NULL, NULL,
	    "not verified");
	expect_with(&login, CLAIMS(",\"email\":\"a@b\",\"email_verified\":\"true\""), NULL, NULL,
	    NULL, "not verified");
	login.required_claims = required;
	login.required_claim_count = 1;
	expect_with(
	    &login, CLAIMS(",\"email\":\"a@b\",\"hd\":\"example.com\""), "u:a@b", NULL, NULL, NULL);
	expect_with(&login, CLAIMS(",\"email\":\"a@b\",\"hd\":\"example.org\""), NULL, NULL, NULL,
	    "hd is not what is required");
	expect_with(&login, CLAIMS(",\"email\":\"a@b\",\"hd\":[\"example.com\"]"), NULL, NULL, NULL,
	    "hd is not what is required");
}

static void test_bounds_groups(void **state)
{
	(void)state;
	struct oidc_login login = plain_login();
	for (int extra = 0; extra < 2; extra++) {
		struct buf text = {0};
		char *error = NULL;
		buf_append_text(&text,
		    "{\"iss\":\"https://i\",\"aud\":\"eksgate\",\"exp\":1767323105"
		    ",\"sub\":\"a\",\"groups\":[\"g\"");
		for (int i = 1; i < OIDC_MAX_GROUPS + extra; i++)
			buf_append_text(&text, ",\"g\"");
		buf_append_text(&text, "]}");
		struct identity *identity = read_claims(&login, buf_text(&text), &error);
		assert_int_equal(identity != NULL, extra == 0);
		if (extra > 0)
			assert_non_null(strstr(error, "more than 500 groups"));
		free(error);
		identity_unref(&identity);
		buf_free(&text);
	}
}

static void expect_last_value(const char *name, const char *claims)
{
	struct oidc_login login = plain_login();
	char *error = NULL;
	struct identity *identity = read_claims(&login, claims, &error);
	if (identity == NULL)
		fail_msg("%s", error);
	const struct trait *trait = traits_get(&identity->traits, name);
	assert_non_null(trait);
	assert_string_equal(trait->values[trait->count - 1], "suspended");
	identity_unref(&identity);
}

/* A role may deny by any of them: none is left out for being late, long or one of many. */
static void test_keeps_all_that_roles_may_deny_by(void **state)
{
	(void)state;
	struct buf claims = {0};
	buf_append_text(&claims, "{\"iss\":\"https://i\",\"aud\":\"eksgate\",\"exp\":1767323105");
	buf_append_text(&claims, SUB);
	size_t begin = claims.len;
	buf_append_text(&claims, ",\"groups\":[");
	for (int i = 0; i < OIDC_MAX_GROUPS - 1; i++)
		buf_printf(&claims, "\"g%d\",", i);
	buf_append_text(&claims, "\"suspended\"]}");
	expect_last_value("groups", buf_text(&claims));

	claims.len = begin;
	buf_printf(&claims, ",\"roles\":[\"%0*d\",\"suspended\"]}", 5000, 0);
	expect_last_value("roles", buf_text(&claims));

	claims.len = begin;
	for (int i = 0; i < 500; i++)
		buf_printf(&claims, ",\"c%d\":\"\"", i);
	buf_append_text(&claims, ",\"state\":\"suspended\"}");
	expect_last_value("state", buf_text(&claims));
	buf_free(&claims);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_verifies_by_kind_and_name),
	    cmocka_unit_test(test_passes_over_keys_that_cannot_be_used),
	    cmocka_unit_test(test_refuses_bad_claims),
	    cmocka_unit_test(test_claims_become_a_user),
	    cmocka_unit_test(test_bounds_groups),
	    cmocka_unit_test(test_keeps_all_that_roles_may_deny_by),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
