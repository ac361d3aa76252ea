/* ID tokens against keys that come, go and grow old: what is kept of a token, and when it is
 * refused for good or for now. The issuer's keys are made up here. */
#include <openssl/evp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/base64url.h"
#include "common/buf.h"
#include "common/mono.h"
#include "common/settings_login.h"
#include "common/xmem.h"
#include "kubeproxyd/gate/identity.h"
#include "kubeproxyd/gate/jwks.h"
#include "kubeproxyd/gate/oidc.h"
#include "kubeproxyd/gate/oidc_keys.h"

static struct jwks *known; /* NULL: none */
static const char *last_error;
static struct mono good_until;

/* --- the keys -------------------------------------------------------------------------------- */

struct oidc_keys {
	struct oidc_keys_options with;
};

static struct oidc_keys *made;

struct oidc_keys *oidc_keys_new(const struct oidc_keys_options *options)
{
	struct oidc_keys *keys = xcalloc(1, sizeof *keys);
	keys->with = *options;
	made = keys;
	return keys;
}

void oidc_keys_free(struct oidc_keys **keys)
{
	xfree(keys);
}

void oidc_keys_set(struct oidc_keys *keys, const char *issuer, const char *ca_file)
{
	(void)keys;
	(void)issuer;
	(void)ca_file;
}

const struct jwks *oidc_keys_now(const struct oidc_keys *keys)
{
	(void)keys;
	return mono_is_past(good_until) ? NULL : known;
}

struct mono oidc_keys_good_until(const struct oidc_keys *keys)
{
	(void)keys;
	return good_until;
}

const char *oidc_keys_error(const struct oidc_keys *keys)
{
	(void)keys;
	return last_error;
}

/* The issuer was asked a moment ago. */
struct oidc_keys_wait *oidc_keys_refresh(struct oidc_keys *keys, oidc_keys_fn *fn, void *arg)
{
	(void)keys;
	(void)fn;
	(void)arg;
	return NULL;
}

void oidc_keys_wait_cancel(struct oidc_keys_wait **wait)
{
	(void)wait;
}

/* --- tokens ---------------------------------------------------------------------------------- */

static EVP_PKEY *signer;

static struct jwks *make_keys(const char *kid)
{
	unsigned char point[32];
	size_t len = sizeof point;
	struct buf x = {0};
	char *error = NULL;
	assert_int_equal(EVP_PKEY_get_raw_public_key(signer, point, &len), 1);
	base64url_encode(point, len, &x);
	char *text = xasprintf(
	    "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"%s\",\"x\":\"%s\"}]}", kid,
	    buf_text(&x));
	struct jwks *jwks = jwks_parse(text, strlen(text), &error);
	if (jwks == NULL)
		fail_msg("%s", error);
	buf_free(&x);
	free(text);
	return jwks;
}

/* Of "alice" for `audience`, good for an hour, by the key that it calls "new" (free()). */
static char *make_token(const char *audience)
{
	static const char header[] = "{\"alg\":\"EdDSA\",\"kid\":\"new\"}";
	unsigned char signature[64];
	size_t len = sizeof signature;
	struct buf token = {0};
	char *claims =
	    xasprintf("{\"iss\":\"https://i\",\"aud\":\"%s\",\"sub\":\"alice\",\"exp\":%lld}",
		audience, (long long)(unix_now().ms / 1000 + 3600));
	base64url_encode(header, strlen(header), &token);
	buf_append_char(&token, '.');
	base64url_encode(claims, strlen(claims), &token);
	EVP_MD_CTX *digest = EVP_MD_CTX_new();
	assert_int_equal(EVP_DigestSignInit(digest, NULL, NULL, NULL, signer), 1);
	assert_int_equal(
	    EVP_DigestSign(digest, signature, &len, (unsigned char *)token.data, token.len), 1);
	EVP_MD_CTX_free(digest);
	buf_append_char(&token, '.');
	base64url_encode(signature, len, &token);
	free(claims);
	return buf_take(&token);
}

static void on_answer(void *arg, struct identity *identity, const struct refusal *refusal)
{
	unsigned *status = arg;
	*status = identity != NULL ? 200 : refusal->status;
	if (*status == 503)
		assert_int_equal(refusal->retry_after, 5);
	identity_unref(&identity);
}

static unsigned ask(struct oidc *oidc, const char *token)
{
	unsigned status = 0;
	assert_null(oidc_resolve(oidc, token, strlen(token), on_answer, &status));
	return status;
}

static struct oidc *make_oidc(void)
{
	static char issuer[] = "https://i", audience[] = "eksgate", algorithm[] = "EdDSA";
	static char sub[] = "sub", groups[] = "groups";
	static char *audiences[] = {audience}, *algorithms[] = {algorithm};
	static struct oidc_login login = {.issuer = issuer,
	    .audiences = audiences,
	    .audience_count = 1,
	    .algorithms = algorithms,
	    .algorithm_count = 1,
	    .username_claim = sub,
	    .groups_claim = groups};
	static const struct login_settings settings = {.oidc = &login, .oidc_count = 1};
	return oidc_new(NULL, NULL, &settings);
}

/* --- tests ----------------------------------------------------------------------------------- */

/* A key that nobody knows is none, unless its issuer could not be asked about it. */
static void test_an_unknown_key_is_refused_when_its_issuer_told_so(void **state)
{
	(void)state;
	struct oidc *oidc = make_oidc();
	char *token = make_token("eksgate");
	good_until = mono_add(mono_now(), duration_seconds(60));
	known = make_keys("old");
	last_error = NULL;
	assert_int_equal(ask(oidc, token), 401);
	last_error = "answered with status 500";
	assert_int_equal(ask(oidc, token), 503);
	jwks_free(&known);
	assert_int_equal(ask(oidc, token), 503);
	last_error = NULL;
	known = make_keys("new");
	assert_int_equal(ask(oidc, token), 200);
	/* What is wrong otherwise is wrong whatever the keys are. */
	last_error = "answered with status 500";
	assert_int_equal(ask(oidc, "a.b.c"), 401);
	char *foreign = make_token("somebody else");
	assert_int_equal(ask(oidc, foreign), 401);
	free(foreign);
	jwks_free(&known);
	free(token);
	oidc_free(&oidc);
}

static void test_what_is_known_is_known_as_long_as_the_keys(void **state)
{
	(void)state;
	struct oidc *oidc = make_oidc();
	char *token = make_token("eksgate");
	known = make_keys("new");
	last_error = "answered with status 500";
	good_until = mono_add(mono_now(), duration_ms(200));
	assert_int_equal(ask(oidc, token), 200);
	for (unsigned i = 0; i < 100 && !mono_is_past(good_until); i++)
		usleep(20000);
	assert_int_equal(ask(oidc, token), 503);
	good_until = mono_add(mono_now(), duration_seconds(60));
	assert_int_equal(ask(oidc, token), 200);
	/* Now it is known, and needs no key, until there are others. */
	jwks_free(&known);
	assert_int_equal(ask(oidc, token), 200);
	known = make_keys("other");
	last_error = NULL;
	made->with.on_changed(made->with.arg);
	assert_int_equal(ask(oidc, token), 401);
	jwks_free(&known);
	free(token);
	oidc_free(&oidc);
}

static int make_signer(void **state)
{
	(void)state;
	signer = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	return signer == NULL;
}

static int drop_signer(void **state)
{
	(void)state;
	EVP_PKEY_free(signer);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_an_unknown_key_is_refused_when_its_issuer_told_so),
	    cmocka_unit_test(test_what_is_known_is_known_as_long_as_the_keys),
	};
	return cmocka_run_group_tests(tests, make_signer, drop_signer);
}
