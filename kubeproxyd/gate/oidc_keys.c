/* Fetches an issuer's discovery document, then its keys. What an issuer answers is bounded in time
 * and size and believed in nothing but its keys; while it is down the keys that are known go on,
 * for a day. However many tokens with unknown keys arrive, it is asked once in ten seconds. Owned
 * by oidc.c. */
#include "kubeproxyd/gate/oidc_keys.h"

#include <bsd/sys/queue.h>
#include <stdlib.h>
#include <string.h>

#include "common/fetch.h"
#include "common/json.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/mono.h"
#include "common/xmem.h"
#include "kubeproxyd/gate/jwks.h"

#define WELL_KNOWN	   "/.well-known/openid-configuration"
#define DOCUMENT_MAX_BYTES ((size_t)256 * 1024)
#define TIMEOUT_SECONDS	   10
#define REFRESH_SECONDS	   3600
#define REFRESH_JITTER	   10
#define MIN_PAUSE_SECONDS  10 /* between two refreshes that tokens ask for */
#define RETRY_SECONDS	   1 /* after a failure, doubled up to */
#define RETRY_MAX_SECONDS  60
#define KEEP_SECONDS	   86400 /* without a refresh that worked */

struct oidc_keys_wait {
	struct oidc_keys *keys;
	oidc_keys_fn *fn;
	void *arg;
	bool is_due; /* waits for the refresh that ends now */
	TAILQ_ENTRY(oidc_keys_wait) entry;
};

struct oidc_keys {
	struct oidc_keys_options with;
	struct jwks *jwks;
	char *text; /* that they came as */
	char *error;
	struct fetch *fetch; /* NULL: nothing is under way */
	struct timer *timer; /* to the next refresh */
	struct mono asked; /* when the last refresh ended */
	struct mono good_until; /* the keys */
	unsigned failures; /* in a row */
	bool has_asked;
	TAILQ_HEAD(oidc_keys_waits, oidc_keys_wait) waits;
};

/* --- the end of a refresh -------------------------------------------------------------------- */

/* Those who wait now, not who comes meanwhile. */
static void tell_waits(struct oidc_keys *keys)
{
	struct oidc_keys_wait *wait;
	TAILQ_FOREACH(wait, &keys->waits, entry)
	wait->is_due = true;
	/* The analyser loses track of a list that is emptied element by element.
	 * NOLINTNEXTLINE(clang-analyzer-unix.Malloc) */
	while ((wait = TAILQ_FIRST(&keys->waits)) != NULL && wait->is_due) {
		TAILQ_REMOVE(&keys->waits, wait, entry);
		oidc_keys_fn *fn = wait->fn;
		void *arg = wait->arg;
		free(wait);
		fn(arg);
	}
}

static void plan(struct oidc_keys *keys)
{
	int64_t seconds = REFRESH_SECONDS;
	if (keys->failures > 0) {
		unsigned doublings = keys->failures - 1 < 6 ? keys->failures - 1 : 6;
		seconds = (int64_t)RETRY_SECONDS << doublings;
	}
	if (keys->failures > 0 && seconds > RETRY_MAX_SECONDS)
		seconds = RETRY_MAX_SECONDS;
	timer_set(keys->timer, duration_jitter(duration_seconds(seconds), REFRESH_JITTER));
}

static void end_refresh(struct oidc_keys *keys)
{
	keys->has_asked = true;
	keys->asked = mono_now();
	plan(keys);
	tell_waits(keys);
}

/* Takes `error`. */
static void fail(struct oidc_keys *keys, char *error)
{
	free(keys->error);
	keys->error = error;
	keys->failures++;
	log_warn("oidc", "keys-not-fetched", LOG_S("issuer", keys->with.issuer),
	    LOG_S("reason", error), LOG_I("failures", keys->failures),
	    LOG_B("has_older", oidc_keys_now(keys) != NULL));
	end_refresh(keys);
}

/* --- the keys -------------------------------------------------------------------------------- */

/* Takes `jwks`. */
static void take_keys(struct oidc_keys *keys, struct jwks *jwks, const char *text)
{
	bool is_same = keys->text != NULL && strcmp(keys->text, text) == 0;
	jwks_free(&keys->jwks);
	keys->jwks = jwks;
	keys->good_until = mono_add(mono_now(), duration_seconds(KEEP_SECONDS));
	keys->failures = 0;
	xfree(&keys->error);
	if (!is_same) {
		free(keys->text);
		keys->text = xstrdup(text);
		log_info("oidc", "keys", LOG_S("issuer", keys->with.issuer),
		    LOG_I("count", jwks_count(jwks)));
		keys->with.on_changed(keys->with.arg);
	}
	end_refresh(keys);
}

/* Why a reply is no document; NULL when it is one (free()). */
static char *refuse_reply(const char *what, const struct fetch_reply *reply)
{
	if (reply->error != NULL)
		return xasprintf("%s: %s", what, reply->error);
	if (reply->status != 200)
		return xasprintf("%s: answered with status %d", what, reply->status);
	return NULL;
}

static void on_keys(void *arg, const struct fetch_reply *reply)
{
	struct oidc_keys *keys = arg;
	keys->fetch = NULL;
	char *error = refuse_reply("its keys (jwks_uri)", reply), *problem = NULL;
	struct jwks *jwks =
	    error == NULL ? jwks_parse(reply->body, reply->body_len, &problem) : NULL;
	if (jwks != NULL) {
		take_keys(keys, jwks, reply->body);
		return;
	}
	if (error == NULL)
		error = xasprintf("its keys (jwks_uri): %s", problem);
	free(problem);
	fail(keys, error);
}

static void get(struct oidc_keys *keys, const char *url, fetch_fn *fn)
{
	static const struct fetch_header headers[] = {{"Accept", "application/json"}};
	struct fetch_request request = {
	    .method = "GET",
	    .url = url,
	    .headers = headers,
	    .header_count = 1,
	    .timeout = duration_seconds(TIMEOUT_SECONDS),
	    .max_bytes = DOCUMENT_MAX_BYTES,
	    .ca_file = keys->with.ca_file,
	};
	keys->fetch = fetch_start(keys->with.fetcher, &request, fn, keys);
}

/* --- discovery ------------------------------------------------------------------------------- */

/* The jwks_uri of a discovery document, or NULL with *error (free()). The issuer in it must be the
 * one that was asked for, or keys of one issuer would serve for another. */
static char *read_discovery(
    const struct oidc_keys *keys, const struct fetch_reply *reply, char **error)
{
	char problem[JSON_ERROR_TEXT];
	const char *issuer, *uri;
	char *copy = NULL;
	struct json_object *document = json_parse(reply->body, reply->body_len, problem);
	if (document == NULL || !json_get_string(document, "", "issuer", &issuer, problem) ||
	    !json_get_string(document, "", "jwks_uri", &uri, problem))
		*error = xasprintf("its discovery document: %s", problem);
	else if (strcmp(issuer, keys->with.issuer) != 0)
		*error = xstrdup("its discovery document names another issuer");
	else if (strncmp(uri, "https://", strlen("https://")) != 0)
		*error = xstrdup("its jwks_uri is not https");
	else
		copy = xstrdup(uri);
	json_object_put(document);
	return copy;
}

static void on_discovery(void *arg, const struct fetch_reply *reply)
{
	struct oidc_keys *keys = arg;
	keys->fetch = NULL;
	char *error = refuse_reply("its discovery document", reply);
	char *uri = error == NULL ? read_discovery(keys, reply, &error) : NULL;
	if (uri != NULL)
		get(keys, uri, on_keys);
	else
		fail(keys, error);
	free(uri);
}

static void start(struct oidc_keys *keys)
{
	size_t len = strlen(keys->with.issuer);
	while (len > 0 && keys->with.issuer[len - 1] == '/')
		len--;
	char *url = xasprintf("%.*s" WELL_KNOWN, (int)len, keys->with.issuer);
	timer_cancel(keys->timer);
	get(keys, url, on_discovery);
	free(url);
}

static void on_timer(void *arg)
{
	struct oidc_keys *keys = arg;
	if (keys->fetch == NULL)
		start(keys);
}

/* --- public ---------------------------------------------------------------------------------- */

struct oidc_keys *oidc_keys_new(const struct oidc_keys_options *options)
{
	struct oidc_keys *keys = xcalloc(1, sizeof *keys);
	keys->with = *options;
	TAILQ_INIT(&keys->waits);
	keys->timer = timer_new(options->loop, on_timer, keys);
	start(keys);
	return keys;
}

void oidc_keys_free(struct oidc_keys **keys)
{
	struct oidc_keys *old = *keys;
	*keys = NULL;
	if (old == NULL)
		return;
	fetch_cancel(&old->fetch);
	timer_free(&old->timer);
	for (struct oidc_keys_wait *wait; (wait = TAILQ_FIRST(&old->waits)) != NULL;) {
		TAILQ_REMOVE(&old->waits, wait, entry);
		free(wait);
	}
	jwks_free(&old->jwks);
	free(old->text);
	free(old->error);
	free(old);
}

void oidc_keys_set(struct oidc_keys *keys, const char *issuer, const char *ca_file)
{
	keys->with.issuer = issuer;
	keys->with.ca_file = ca_file;
}

const struct jwks *oidc_keys_now(const struct oidc_keys *keys)
{
	return keys->jwks != NULL && !mono_is_past(keys->good_until) ? keys->jwks : NULL;
}

struct mono oidc_keys_good_until(const struct oidc_keys *keys)
{
	return keys->good_until;
}

const char *oidc_keys_error(const struct oidc_keys *keys)
{
	return keys->error;
}

struct oidc_keys_wait *oidc_keys_refresh(struct oidc_keys *keys, oidc_keys_fn *fn, void *arg)
{
	struct mono again = mono_add(keys->asked, duration_seconds(MIN_PAUSE_SECONDS));
	if (keys->fetch == NULL && keys->has_asked && !mono_is_past(again))
		return NULL;
	if (keys->fetch == NULL)
		start(keys);
	struct oidc_keys_wait *wait = xcalloc(1, sizeof *wait);
	wait->keys = keys;
	wait->fn = fn;
	wait->arg = arg;
	TAILQ_INSERT_TAIL(&keys->waits, wait, entry);
	return wait;
}

void oidc_keys_wait_cancel(struct oidc_keys_wait **wait)
{
	if (*wait == NULL)
		return;
	TAILQ_REMOVE(&(*wait)->keys->waits, *wait, entry);
	xfree(wait);
}
