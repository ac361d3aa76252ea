/* Sets of credentials, and the provider: it keeps one set, refreshes it ahead of its end, and hands
 * it to whoever asks. One fetch at a time, however many wait. A fetch ahead of time that fails
 * changes nothing while the old set is good. Where sets come from is behind struct aws_source_class
 * (aws_sources.c). Answers are handed out from deferred work, never inside aws_provider_get(). */
#include "common/aws_credentials.h"

#include <bsd/sys/queue.h>
#include <stdlib.h>
#include <string.h>

#include "common/aws_context.h"
#include "common/aws_provider.h"
#include "common/log.h"
#include "common/loop.h"
#include "common/xmem.h"

#define END_MARGIN_MS  INT64_C(5000) /* a set is not handed out in its last moments */
#define WINDOW_PERCENT 20 /* of its life: when a refresh starts before its end */
#define WINDOW_JITTER  10 /* percent of that window */
/* The window is at least so long. */
#define MIN_WINDOW_MS (INT64_C(5) * 60 * 1000)
/* Between fetches that fail while the old set is good; and when there is none, so that everybody
 * who asks meanwhile shares the failure. */
/* A lasting set near its end, or over: when the next is asked for, and how much longer it is taken
 * for good than that. */
#define LASTING_PAUSE_MS  (INT64_C(15) * 60 * 1000)
#define LASTING_JITTER_MS (INT64_C(8) * 60 * 1000) /* beyond the least, of 2 minutes */
#define LASTING_LEAST_MS  (INT64_C(2) * 60 * 1000)
#define PAUSE_WHILE_GOOD  INT64_C(30000)
#define PAUSE_WHILE_BAD	  INT64_C(1000)

struct aws_wait {
	struct aws_provider *provider;
	aws_provider_fn *fn;
	void *arg;
	bool is_due;
	bool is_running;
	TAILQ_ENTRY(aws_wait) entry;
};

struct aws_provider {
	struct aws_context *aws;
	const struct aws_source_class *class;
	void *source;
	char *text;
	unsigned references;
	struct aws_credentials *current;
	struct unix_time refresh_at; /* by AWS's clock; 0: never */
	bool is_refused; /* AWS says that `current` has expired */
	bool is_fetching;
	char *error; /* of the last fetch, when it failed */
	struct mono failed_at; /* when there is an error */
	TAILQ_HEAD(aws_wait_list, aws_wait) waits;
	struct deferred hand_out;
};

/* --- sets ------------------------------------------------------------------------------------ */

void aws_credentials_free(struct aws_credentials **handle)
{
	struct aws_credentials *credentials = *handle;
	if (credentials == NULL)
		return;
	xfree_secret(&credentials->access_key_id);
	xfree_secret(&credentials->secret_access_key);
	xfree_secret(&credentials->session_token);
	xfree(&credentials->source);
	xfree(handle);
}

struct aws_credentials *aws_credentials_copy(const struct aws_credentials *credentials)
{
	struct aws_credentials *copy = xcalloc(1, sizeof *copy);
	copy->access_key_id = xstrdup(credentials->access_key_id);
	copy->secret_access_key = xstrdup(credentials->secret_access_key);
	copy->session_token = xstrdup_or_null(credentials->session_token);
	copy->expires = credentials->expires;
	copy->is_lasting = credentials->is_lasting;
	copy->source = xstrdup_or_null(credentials->source);
	return copy;
}

static bool is_printable(const char *text)
{
	for (; text != NULL && *text != '\0'; text++) {
		if (*text <= ' ' || *text > '~')
			return false;
	}
	return true;
}

bool aws_credentials_are_sound(const struct aws_credentials *credentials, char **error)
{
	const char *const names[] = {"the access key", "the secret key", "the session token"};
	const char *const values[] = {
	    credentials->access_key_id, credentials->secret_access_key, credentials->session_token};
	for (size_t i = 0; i < 3; i++) {
		if (is_printable(values[i]))
			continue;
		*error = xasprintf(
		    "%s holds a space, a control character or something that is not ASCII",
		    names[i]);
		return false;
	}
	return true;
}

/* --- the state of a provider ----------------------------------------------------------------- */

static bool is_usable(const struct aws_provider *provider)
{
	const struct aws_credentials *current = provider->current;
	if (current == NULL || provider->is_refused)
		return false;
	return current->expires.ms == 0 ||
	       aws_now(provider->aws).ms < current->expires.ms - END_MARGIN_MS;
}

static bool is_refresh_due(const struct aws_provider *provider)
{
	if (!is_usable(provider))
		return true;
	return provider->refresh_at.ms != 0 && aws_now(provider->aws).ms >= provider->refresh_at.ms;
}

/* After a failed fetch. */
static bool is_pausing(const struct aws_provider *provider)
{
	int64_t pause = is_usable(provider) ? PAUSE_WHILE_GOOD : PAUSE_WHILE_BAD;
	return provider->error != NULL && mono_since(provider->failed_at).ms < pause;
}

static struct unix_time refresh_time(const struct aws_provider *provider)
{
	int64_t end = provider->current->expires.ms;
	if (end == 0)
		return (struct unix_time){0};
	int64_t life = end - aws_now(provider->aws).ms;
	int64_t window = life / 100 * WINDOW_PERCENT;
	if (window < MIN_WINDOW_MS)
		window = MIN_WINDOW_MS;
	if (window > life / 2)
		window = life / 2;
	return (struct unix_time){end - duration_jitter(duration_ms(window), WINDOW_JITTER).ms};
}

/* Static stability: an instance's set that is near its end or over stays in use, and the next is
 * asked for after a while, so that trouble at AWS is neither ours nor made worse by us. */
static bool make_last(struct aws_provider *provider)
{
	struct aws_credentials *current = provider->current;
	struct unix_time now = aws_now(provider->aws);
	if (current == NULL || !current->is_lasting || provider->is_refused)
		return false;
	if (current->expires.ms - now.ms > MIN_WINDOW_MS)
		return false;
	int64_t pause = LASTING_PAUSE_MS + LASTING_LEAST_MS + random() % LASTING_JITTER_MS;
	provider->refresh_at = unix_add(now, duration_ms(pause));
	current->expires = unix_add(provider->refresh_at, duration_ms(MIN_WINDOW_MS));
	log_warn("aws", "credentials-outlive-their-end", LOG_S("source", provider->text),
	    LOG_I("next_try_seconds", pause / 1000));
	return true;
}

static bool is_over(const struct aws_provider *provider, const struct aws_credentials *credentials)
{
	return credentials->expires.ms != 0 && !credentials->is_lasting &&
	       credentials->expires.ms - END_MARGIN_MS <= aws_now(provider->aws).ms;
}

static void start_fetch(struct aws_provider *provider)
{
	provider->is_fetching = true;
	provider->class->start(provider, provider->source);
}

static void take_set(struct aws_provider *provider, struct aws_credentials *credentials)
{
	aws_credentials_free(&provider->current);
	provider->current = credentials;
	provider->is_refused = false;
	provider->refresh_at = refresh_time(provider);
	(void)make_last(provider);
}

static void take_failure(struct aws_provider *provider, const char *error)
{
	bool is_good = make_last(provider) || is_usable(provider);
	provider->error = xstrdup(error);
	provider->failed_at = mono_now();
	log_warn("aws", is_good ? "refresh-failed" : "no-credentials",
	    LOG_S("source", provider->text), LOG_S("error", error));
}

void aws_provider_done(
    struct aws_provider *provider, struct aws_credentials *credentials, const char *error)
{
	provider->is_fetching = false;
	xfree(&provider->error);
	loop_defer(provider->aws->loop, &provider->hand_out);
	if (credentials == NULL) {
		take_failure(provider, error);
	} else if (is_over(provider, credentials)) {
		char at[UNIX_TIME_TEXT];
		char *text = xasprintf("%s gives credentials that have expired already (%s)",
		    provider->text, unix_time_text(credentials->expires, at));
		aws_credentials_free(&credentials);
		take_failure(provider, text);
		xfree(&text);
	} else {
		take_set(provider, credentials);
	}
}

/* --- handing out ----------------------------------------------------------------------------- */

/* Answers those who wait now, with the current set or with the last error; not who comes meanwhile.
 */
static void answer_waits(
    struct aws_provider *provider, const struct aws_credentials *credentials, const char *error)
{
	struct aws_wait *wait;
	for (wait = TAILQ_FIRST(&provider->waits); wait != NULL; wait = TAILQ_NEXT(wait, entry))
		wait->is_due = true;
	/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): what is freed left the list before */
	while ((wait = TAILQ_FIRST(&provider->waits)) != NULL && wait->is_due) {
		TAILQ_REMOVE(&provider->waits, wait, entry);
		wait->is_running = true;
		wait->fn(wait->arg, credentials, error);
		free(wait);
	}
}

static void hand_out(void *arg)
{
	struct aws_provider *provider = aws_provider_ref(arg);
	bool has_waits = !TAILQ_EMPTY(&provider->waits);
	if (has_waits && !provider->is_fetching && is_refresh_due(provider) &&
	    !is_pausing(provider))
		start_fetch(provider);
	if (is_usable(provider)) {
		answer_waits(provider, provider->current, NULL);
	} else if (!provider->is_fetching && provider->error != NULL) {
		char *error = xstrdup(provider->error);
		answer_waits(provider, NULL, error);
		xfree(&error);
	}
	aws_provider_unref(&provider);
}

struct aws_wait *aws_provider_get(struct aws_provider *provider, aws_provider_fn *fn, void *arg)
{
	struct aws_wait *wait = xcalloc(1, sizeof *wait);
	wait->provider = provider;
	wait->fn = fn;
	wait->arg = arg;
	TAILQ_INSERT_TAIL(&provider->waits, wait, entry);
	loop_defer(provider->aws->loop, &provider->hand_out);
	return wait;
}

void aws_wait_cancel(struct aws_wait **handle)
{
	struct aws_wait *wait = *handle;
	*handle = NULL;
	if (wait == NULL || wait->is_running)
		return;
	TAILQ_REMOVE(&wait->provider->waits, wait, entry);
	free(wait);
}

void aws_provider_expire(struct aws_provider *provider)
{
	provider->is_refused = true;
	xfree(&provider->error);
}

void aws_provider_refused(struct aws_provider *provider, const char *access_key_id)
{
	if (provider->current != NULL &&
	    strcmp(provider->current->access_key_id, access_key_id) == 0)
		aws_provider_expire(provider);
}

const char *aws_provider_text(const struct aws_provider *provider)
{
	return provider->text;
}

/* --- life ------------------------------------------------------------------------------------ */

struct aws_provider *aws_provider_new(
    struct aws_context *aws, const struct aws_source_class *class, void *source, char *text)
{
	struct aws_provider *provider = xcalloc(1, sizeof *provider);
	provider->aws = aws;
	provider->class = class;
	provider->source = source;
	provider->text = text;
	provider->references = 1;
	provider->hand_out = (struct deferred){.fn = hand_out, .arg = provider};
	TAILQ_INIT(&provider->waits);
	return provider;
}

struct aws_provider *aws_provider_ref(struct aws_provider *provider)
{
	provider->references++;
	return provider;
}

void aws_provider_unref(struct aws_provider **handle)
{
	struct aws_provider *provider = *handle;
	*handle = NULL;
	if (provider == NULL || --provider->references > 0)
		return;
	if (provider->is_fetching && provider->class->stop != NULL)
		provider->class->stop(provider->source);
	provider->class->free(provider->source);
	loop_undefer(provider->aws->loop, &provider->hand_out);
	for (struct aws_wait *wait; (wait = TAILQ_FIRST(&provider->waits)) != NULL;) {
		TAILQ_REMOVE(&provider->waits, wait, entry);
		free(wait);
	}
	aws_credentials_free(&provider->current);
	xfree(&provider->error);
	xfree(&provider->text);
	free(provider);
}
