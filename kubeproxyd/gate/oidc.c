/* ID tokens. A token is checked once and known by its digest afterwards, until it expires, the keys
 * of an issuer change, or its issuer's become too old. Only the issuer that a token names is ever
 * asked about it, and only when a key is missing; tokens for which no key comes are refused, for
 * now when the issuer could not be asked. Called by identity_resolve.c. */
#include "kubeproxyd/gate/oidc.h"

#include <stdlib.h>
#include <string.h>

#include "common/mono.h"
#include "common/settings_login.h"
#include "common/xmem.h"
#include "kubeproxyd/gate/identity.h"
#include "kubeproxyd/gate/jwks.h"
#include "kubeproxyd/gate/jwt.h"
#include "kubeproxyd/gate/oidc_claims.h"
#include "kubeproxyd/gate/oidc_keys.h"
#include "kubeproxyd/gate/token_cache.h"

#define CACHE_CAPACITY	    8192
#define KEEP_MAX_MS	    INT64_C(86400000) /* of a token that lasts for ages: then once more */
#define UNREACHABLE_SECONDS 5

struct issuer {
	const struct oidc_login *login;
	struct oidc_keys *keys;
};

struct oidc {
	struct issuer *issuers;
	size_t count;
	struct token_cache *cache;
};

/* A token that waits for keys. */
struct oidc_query {
	struct oidc *oidc;
	struct issuer *issuer;
	struct oidc_keys_wait *wait;
	char *token;
	identity_fn *fn;
	void *arg;
};

/* What is known of a token. */
enum verdict { ACCEPTED, REFUSED, KEY_MISSING };

/* --- refusals -------------------------------------------------------------------------------- */

static void refuse(const char *why, identity_fn *fn, void *arg)
{
	char *message = xasprintf("the ID token is not accepted: %s", why);
	struct refusal refusal = {.status = 401, .message = message};
	fn(arg, NULL, &refusal);
	free(message);
}

static void refuse_for_now(const struct issuer *issuer, identity_fn *fn, void *arg)
{
	const char *error = oidc_keys_error(issuer->keys);
	bool has_keys = oidc_keys_now(issuer->keys) != NULL;
	char *message =
	    xasprintf("the ID token cannot be checked now: %s of the issuer %s %s (%s); "
		      "it is asked again, try later",
		has_keys ? "no known key" : "no keys", issuer->login->issuer,
		has_keys ? "signed it" : "are known", error != NULL ? error : "not asked yet");
	struct refusal refusal = {
	    .status = 503, .message = message, .retry_after = UNREACHABLE_SECONDS};
	fn(arg, NULL, &refusal);
	free(message);
}

/* --- one token ------------------------------------------------------------------------------- */

/* The issuer that the token says it is from, which proves nothing yet. */
static struct issuer *issuer_of(struct oidc *oidc, const struct jwt *jwt)
{
	struct json_object *value = NULL;
	if (!json_object_object_get_ex(jwt->claims, "iss", &value) ||
	    !json_object_is_type(value, json_type_string))
		return NULL;
	for (size_t i = 0; i < oidc->count; i++) {
		if (strcmp(oidc->issuers[i].login->issuer, json_object_get_string(value)) == 0)
			return &oidc->issuers[i];
	}
	return NULL;
}

static bool may_sign_so(const struct oidc_login *login, const struct jwt *jwt)
{
	for (size_t i = 0; i < login->algorithm_count; i++) {
		if (strcmp(login->algorithms[i], jwt->algorithm->name) == 0)
			return true;
	}
	return false;
}

static enum verdict check_signature(
    const struct issuer *issuer, const struct jwt *jwt, char **error)
{
	const struct jwks *jwks = oidc_keys_now(issuer->keys);
	if (jwks == NULL)
		return KEY_MISSING;
	switch (jwks_verify(jwks, jwt)) {
	case JWKS_SIGNED:
		return ACCEPTED;
	case JWKS_NO_KEY:
		*error = xstrdup("its issuer has no such key");
		return KEY_MISSING;
	case JWKS_FORGED:
		break;
	}
	*error = xstrdup("its signature is not that of its issuer");
	/* The issuer may have changed the key behind the same name, or behind none. */
	return KEY_MISSING;
}

/* ACCEPTED: *identity. KEY_MISSING: *error is why it is refused when there are no other keys; NULL
 * when none are known at all. */
static enum verdict check(
    const struct issuer *issuer, const struct jwt *jwt, struct identity **identity, char **error)
{
	*identity = NULL;
	*error = NULL;
	if (!may_sign_so(issuer->login, jwt)) {
		*error = xasprintf("%s is not among the algorithms that are accepted from its "
				   "issuer",
		    jwt->algorithm->name);
		return REFUSED;
	}
	enum verdict verdict = check_signature(issuer, jwt, error);
	if (verdict != ACCEPTED)
		return verdict;
	*identity = oidc_identity(issuer->login, jwt->claims, unix_now(), error);
	return *identity != NULL ? ACCEPTED : REFUSED;
}

/* No longer than it would be accepted anew by the keys that are known now. */
static void keep(struct oidc *oidc, const struct issuer *issuer, const char *token, size_t len,
    struct identity *identity)
{
	struct token_digest digest = token_digest_of(token, len);
	int64_t left = identity->expires.ms - unix_now().ms;
	struct duration kept = duration_ms(left < KEEP_MAX_MS ? left : KEEP_MAX_MS);
	struct mono until = mono_add(mono_now(), kept);
	struct mono good_until = oidc_keys_good_until(issuer->keys);
	token_cache_keep(
	    oidc->cache, &digest, identity, until.ns < good_until.ns ? until : good_until);
}

/* A token that was checked. While the issuer cannot tell its newest keys, nobody knows whether one
 * of them signed it. Takes `identity` and `error`. */
static void answer(const struct issuer *issuer, enum verdict verdict, struct identity *identity,
    char *error, identity_fn *fn, void *arg)
{
	bool is_unclear =
	    verdict == KEY_MISSING && (error == NULL || oidc_keys_error(issuer->keys) != NULL);
	if (identity != NULL)
		fn(arg, identity, NULL);
	else if (is_unclear)
		refuse_for_now(issuer, fn, arg);
	else
		refuse(error, fn, arg);
	free(error);
}

/* --- when a key is missing ------------------------------------------------------------------- */

static void end_query(struct oidc_query *query)
{
	xfree_secret(&query->token);
	free(query);
}

/* The refresh is over: once more, and for good. */
static void on_keys(void *arg)
{
	struct oidc_query *query = arg;
	struct jwt jwt;
	struct identity *identity = NULL;
	char *error = NULL;
	const char *problem;
	query->wait = NULL;
	if (!jwt_parse(query->token, strlen(query->token), &jwt, &problem)) {
		refuse(problem, query->fn, query->arg);
		end_query(query);
		return;
	}
	enum verdict verdict = check(query->issuer, &jwt, &identity, &error);
	if (identity != NULL)
		keep(query->oidc, query->issuer, query->token, strlen(query->token), identity);
	answer(query->issuer, verdict, identity, error, query->fn, query->arg);
	jwt_free(&jwt);
	end_query(query);
}

static struct oidc_query *wait_for_keys(struct oidc *oidc, struct issuer *issuer, const char *token,
    size_t len, identity_fn *fn, void *arg)
{
	struct oidc_query *query = xcalloc(1, sizeof *query);
	*query = (struct oidc_query){.oidc = oidc, .issuer = issuer, .fn = fn, .arg = arg};
	query->wait = oidc_keys_refresh(issuer->keys, on_keys, query);
	if (query->wait == NULL) {
		free(query);
		return NULL;
	}
	query->token = xstrndup(token, len);
	return query;
}

static struct oidc_query *resolve_parsed(struct oidc *oidc, const struct jwt *jwt,
    const char *token, size_t len, identity_fn *fn, void *arg)
{
	struct identity *identity = NULL;
	char *error = NULL;
	struct issuer *issuer = issuer_of(oidc, jwt);
	if (issuer == NULL) {
		refuse("its iss is no issuer that is configured here", fn, arg);
		return NULL;
	}
	enum verdict verdict = check(issuer, jwt, &identity, &error);
	if (verdict == KEY_MISSING) {
		struct oidc_query *query = wait_for_keys(oidc, issuer, token, len, fn, arg);
		if (query != NULL) {
			free(error);
			return query;
		}
	}
	if (identity != NULL)
		keep(oidc, issuer, token, len, identity);
	answer(issuer, verdict, identity, error, fn, arg);
	return NULL;
}

struct oidc_query *oidc_resolve(
    struct oidc *oidc, const char *token, size_t len, identity_fn *fn, void *arg)
{
	struct token_digest digest = token_digest_of(token, len);
	struct identity *identity;
	const char *problem;
	struct jwt jwt;
	if (token_cache_find(oidc->cache, &digest, &identity, &problem) &&
	    !identity_is_expired(identity, unix_now())) {
		fn(arg, identity_ref(identity), NULL);
		return NULL;
	}
	if (!jwt_parse(token, len, &jwt, &problem)) {
		refuse(problem, fn, arg);
		return NULL;
	}
	struct oidc_query *query = resolve_parsed(oidc, &jwt, token, len, fn, arg);
	jwt_free(&jwt);
	return query;
}

void oidc_query_cancel(struct oidc_query **query)
{
	if (*query == NULL)
		return;
	oidc_keys_wait_cancel(&(*query)->wait);
	end_query(*query);
	*query = NULL;
}

/* --- the set --------------------------------------------------------------------------------- */

/* A key that is gone must not go on through what it had signed. */
static void on_changed(void *arg)
{
	struct oidc *oidc = arg;
	token_cache_clear(oidc->cache);
}

struct oidc *oidc_new(
    struct loop *loop, struct fetcher *fetcher, const struct login_settings *settings)
{
	if (settings->oidc_count == 0)
		return NULL;
	struct oidc *oidc = xcalloc(1, sizeof *oidc);
	oidc->count = settings->oidc_count;
	oidc->issuers = xcalloc(oidc->count, sizeof *oidc->issuers);
	oidc->cache = token_cache_new(CACHE_CAPACITY);
	for (size_t i = 0; i < oidc->count; i++) {
		const struct oidc_login *login = &settings->oidc[i];
		struct oidc_keys_options options = {
		    loop, fetcher, login->issuer, login->ca_file, on_changed, oidc};
		oidc->issuers[i] = (struct issuer){login, oidc_keys_new(&options)};
	}
	return oidc;
}

void oidc_free(struct oidc **oidc)
{
	struct oidc *old = *oidc;
	*oidc = NULL;
	if (old == NULL)
		return;
	for (size_t i = 0; i < old->count; i++)
		oidc_keys_free(&old->issuers[i].keys);
	token_cache_free(&old->cache);
	free(old->issuers);
	free(old);
}

void oidc_set(struct oidc *oidc, const struct login_settings *settings)
{
	for (size_t i = 0; i < oidc->count; i++) {
		oidc->issuers[i].login = &settings->oidc[i];
		oidc_keys_set(
		    oidc->issuers[i].keys, settings->oidc[i].issuer, settings->oidc[i].ca_file);
	}
}
