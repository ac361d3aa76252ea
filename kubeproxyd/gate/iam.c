/* AWS tokens. STS is asked once for each token, however many requests bring it, and what it said is
 * known by the token's digest for five minutes; a refusal for one. Ahead of it stand what the token
 * itself gives away, a limit for each client address, and bounds on calls under way (iam_room.h).
 * The value of x-k8s-aws-id is ours, so that a token for a cluster is none for this proxy: STS
 * finds its signature wrong. Called by identity_resolve.c. */
#include "kubeproxyd/gate/iam.h"

#include <bsd/sys/queue.h>
#include <stdlib.h>
#include <string.h>

#include "common/fetch.h"
#include "common/log.h"
#include "common/mono.h"
#include "common/settings_login.h"
#include "common/xmem.h"
#include "kubeproxyd/gate/address_pace.h"
#include "kubeproxyd/gate/iam_caller.h"
#include "kubeproxyd/gate/iam_mapping.h"
#include "kubeproxyd/gate/iam_room.h"
#include "kubeproxyd/gate/iam_token.h"
#include "kubeproxyd/gate/identity.h"
#include "kubeproxyd/gate/token_cache.h"

#define CACHE_CAPACITY	  8192
#define ADDRESS_CAPACITY  16384
#define TIMEOUT_SECONDS	  10
#define ANSWER_MAX_BYTES  ((size_t)64 * 1024)
#define KEEP_SECONDS	  300
#define REFUSE_SECONDS	  60
#define THROTTLED_SECONDS 2
#define UNCLEAR_SECONDS	  5
/* How long a request that the token began may go on: as long as a role's session does by default.
 * The token itself is good for 15 minutes alone. */
#define SESSION_SECONDS 3600

struct iam_query {
	struct call *call;
	identity_fn *fn;
	void *arg;
	LIST_ENTRY(iam_query) entry;
};

LIST_HEAD(iam_queries, iam_query);

/* One token that STS is asked about. Goes on when nobody waits any more: the answer is kept. */
struct call {
	struct iam *iam;
	struct token_digest digest;
	char access_key_id[IAM_KEY_ID_MAX + 1];
	struct unix_time signed_at;
	struct iam_place *place;
	struct fetch *fetch;
	struct iam_queries queries;
	LIST_ENTRY(call) entry;
};

struct iam {
	struct fetcher *fetcher;
	const struct iam_login *login;
	const char *test_host;
	struct iam_map *map;
	struct token_cache *cache;
	struct address_pace *pace;
	struct iam_room *room;
	LIST_HEAD(, call) calls;
};

/* --- answers --------------------------------------------------------------------------------- */

static void refuse(const char *message, identity_fn *fn, void *arg)
{
	struct refusal refusal = {.status = 401, .message = message};
	fn(arg, NULL, &refusal);
}

static void refuse_token(const char *why, identity_fn *fn, void *arg)
{
	char *message = xasprintf("the AWS token is not accepted: %s", why);
	refuse(message, fn, arg);
	free(message);
}

static void end_call(struct call *call)
{
	LIST_REMOVE(call, entry);
	iam_room_leave(&call->place);
	fetch_cancel(&call->fetch);
	free(call);
}

/* To all who wait; the call is over. */
static void answer_all(struct call *call, struct identity *identity, const struct refusal *refusal)
{
	struct iam_query *query;
	while ((query = LIST_FIRST(&call->queries)) != NULL) {
		LIST_REMOVE(query, entry);
		identity_fn *fn = query->fn;
		void *arg = query->arg;
		free(query);
		fn(arg, identity != NULL ? identity_ref(identity) : NULL, refusal);
	}
	end_call(call);
}

static void accept_all(struct call *call, struct identity *identity)
{
	identity->expires = (struct unix_time){call->signed_at.ms + IAM_TOKEN_LIFE_MS};
	identity->ends = unix_add(call->signed_at, duration_seconds(SESSION_SECONDS));
	token_cache_keep(call->iam->cache, &call->digest, identity,
	    mono_add(mono_now(), duration_seconds(KEEP_SECONDS)));
	answer_all(call, identity, NULL);
}

/* Takes `why`. */
static void refuse_all(struct call *call, char *why)
{
	char *message = xasprintf("the AWS token is not accepted: %s", why);
	struct refusal refusal = {.status = 401, .message = message};
	token_cache_refuse(call->iam->cache, &call->digest, message,
	    mono_add(mono_now(), duration_seconds(REFUSE_SECONDS)));
	answer_all(call, NULL, &refusal);
	free(message);
	free(why);
}

/* Takes `why`. Nothing is kept: the next request asks again. */
static void fail_all(struct call *call, enum iam_outcome outcome, char *why)
{
	bool is_throttled = outcome == IAM_THROTTLED;
	char *message = xasprintf("the AWS token cannot be checked now: %s; try again", why);
	struct refusal refusal = {.status = is_throttled ? 429 : 503,
	    .message = message,
	    .retry_after = is_throttled ? THROTTLED_SECONDS : UNCLEAR_SECONDS};
	log_warn("iam", "not-checked", LOG_S("reason", why));
	answer_all(call, NULL, &refusal);
	free(message);
	free(why);
}

/* --- STS ------------------------------------------------------------------------------------- */

static void on_caller(struct call *call, const struct iam_caller *caller)
{
	char *error = NULL;
	struct identity *identity =
	    iam_map_identity(call->iam->map, caller, call->access_key_id, &error);
	if (identity == NULL) {
		refuse_all(call, error);
		return;
	}
	log_info("iam", "accepted", LOG_S("arn", caller->arn),
	    LOG_S("principal_id", caller->principal_id), LOG_S("user", identity->user));
	accept_all(call, identity);
	identity_unref(&identity);
}

static void on_reply(void *arg, const struct fetch_reply *reply)
{
	struct call *call = arg;
	struct iam_caller caller = {0};
	char *error = NULL;
	call->fetch = NULL;
	iam_place_note(call->place, reply->error == NULL);
	if (reply->error != NULL) {
		fail_all(call, IAM_UNCLEAR, xstrdup(reply->error));
		return;
	}
	enum iam_outcome outcome = iam_caller_read(reply->status, reply->body, reply->body_len,
	    call->iam->login->partition, &caller, &error);
	if (outcome == IAM_CALLER)
		on_caller(call, &caller);
	else if (outcome == IAM_REFUSED)
		refuse_all(call, error);
	else
		fail_all(call, outcome, error);
	iam_caller_free(&caller);
}

/* The host was found in AWS's list: the URL leads nowhere else. */
static void ask(struct call *call, const struct iam_token *token)
{
	const struct iam *iam = call->iam;
	struct fetch_header headers[] = {{"x-k8s-aws-id", iam->login->id},
	    {"Accept", "application/json"}, {"Host", token->host}};
	char *query = iam_token_query(token);
	char *url = iam->test_host != NULL ? xasprintf("http://%s/?%s", iam->test_host, query)
					   : xasprintf("https://%s/?%s", token->host, query);
	struct fetch_request request = {
	    .method = "GET",
	    .url = url,
	    .headers = headers,
	    .header_count = sizeof headers / sizeof headers[0],
	    .timeout = duration_seconds(TIMEOUT_SECONDS),
	    .max_bytes = ANSWER_MAX_BYTES,
	};
	call->fetch = fetch_start(iam->fetcher, &request, on_reply, call);
	xfree_secret(&url);
	xfree_secret(&query);
}

static struct call *call_of(struct iam *iam, const struct token_digest *digest)
{
	struct call *call;
	LIST_FOREACH(call, &iam->calls, entry)
	{
		if (memcmp(&call->digest, digest, sizeof *digest) == 0)
			return call;
	}
	return NULL;
}

/* Takes `place`. */
static struct call *start_call(struct iam *iam, const struct token_digest *digest,
    const struct iam_token *token, struct iam_place *place)
{
	struct call *call = xcalloc(1, sizeof *call);
	call->iam = iam;
	call->digest = *digest;
	call->signed_at = token->signed_at;
	call->place = place;
	memcpy(call->access_key_id, token->access_key_id, sizeof call->access_key_id);
	LIST_INIT(&call->queries);
	LIST_INSERT_HEAD(&iam->calls, call, entry);
	ask(call, token);
	return call;
}

/* --- a query --------------------------------------------------------------------------------- */

static bool answer_known(
    struct iam *iam, const struct token_digest *digest, identity_fn *fn, void *arg)
{
	struct identity *identity;
	const char *refusal;
	if (!token_cache_find(iam->cache, digest, &identity, &refusal))
		return false;
	if (identity == NULL)
		refuse(refusal, fn, arg);
	else if (identity_is_expired(identity, unix_now()))
		refuse_token("it is older than 15 minutes: get a new one", fn, arg);
	else
		fn(arg, identity_ref(identity), NULL);
	return true;
}

/* A place for a call to STS, if it may be asked now for this address; else it is answered. */
static struct iam_place *enter(
    struct iam *iam, const char *address, const struct iam_token *token, identity_fn *fn, void *arg)
{
	struct refusal refusal = {.status = 429, .retry_after = THROTTLED_SECONDS};
	struct iam_place *place = NULL;
	if (!address_pace_take(iam->pace, address, iam->login->calls_per_address, mono_now()))
		refusal.message = "too many new AWS tokens from this address in a minute "
				  "(eksgate.proxy.login.iam.calls_per_address): try again";
	else
		place = iam_room_enter(
		    iam->room, address, iam->login->calls_per_address, token->host, &refusal);
	if (place == NULL)
		fn(arg, NULL, &refusal);
	return place;
}

static struct iam_query *wait_for(struct call *call, identity_fn *fn, void *arg)
{
	struct iam_query *query = xcalloc(1, sizeof *query);
	query->call = call;
	query->fn = fn;
	query->arg = arg;
	LIST_INSERT_HEAD(&call->queries, query, entry);
	return query;
}

struct iam_query *iam_resolve(
    struct iam *iam, const char *token, size_t len, const char *address, identity_fn *fn, void *arg)
{
	struct token_digest digest = token_digest_of(token, len);
	struct iam_token parsed;
	const char *error;
	if (answer_known(iam, &digest, fn, arg))
		return NULL;
	struct call *call = call_of(iam, &digest);
	if (call != NULL)
		return wait_for(call, fn, arg);
	if (!iam_token_parse(token, len, iam->login->partition, unix_now(), &parsed, &error)) {
		refuse_token(error, fn, arg);
		return NULL;
	}
	struct iam_query *query = NULL;
	struct iam_place *place = enter(iam, address, &parsed, fn, arg);
	if (place != NULL)
		query = wait_for(start_call(iam, &digest, &parsed, place), fn, arg);
	iam_token_free(&parsed);
	return query;
}

void iam_query_cancel(struct iam_query **query)
{
	if (*query == NULL)
		return;
	LIST_REMOVE(*query, entry);
	xfree(query);
}

/* --- the provider ---------------------------------------------------------------------------- */

struct iam *iam_new(struct fetcher *fetcher, const struct iam_login *login, const char *test_host)
{
	if (login->account_count == 0 && login->arn_count == 0)
		return NULL;
	struct iam *iam = xcalloc(1, sizeof *iam);
	iam->fetcher = fetcher;
	iam->login = login;
	iam->test_host = test_host;
	iam->map = iam_map_new(login);
	iam->cache = token_cache_new(CACHE_CAPACITY);
	iam->pace = address_pace_new(ADDRESS_CAPACITY);
	iam->room = iam_room_new();
	LIST_INIT(&iam->calls);
	return iam;
}

void iam_free(struct iam **iam)
{
	struct iam *old = *iam;
	*iam = NULL;
	if (old == NULL)
		return;
	for (struct call *call; (call = LIST_FIRST(&old->calls)) != NULL;)
		/* The analyser loses track of a list that is emptied element by element.
		 * NOLINTNEXTLINE(clang-analyzer-unix.Malloc) */
		end_call(call);
	iam_map_free(&old->map);
	token_cache_free(&old->cache);
	address_pace_free(&old->pace);
	iam_room_free(&old->room);
	free(old);
}

void iam_set(struct iam *iam, const struct iam_login *login, const char *test_host)
{
	iam->login = login;
	iam->test_host = test_host;
	iam_map_set(iam->map, login);
}
