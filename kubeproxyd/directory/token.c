/* Bearer tokens for EKS API servers: a presigned GetCallerIdentity URL in disguise. Minting is
 * offline and takes microseconds; what can take long is the provider's credentials, and there
 * everybody who wants the same cluster's token waits together. Called by the request path (back/)
 * for each upstream connection; tokens are wiped when they are replaced. */
#include "kubeproxyd/directory/token.h"

#include <bsd/sys/queue.h>
#include <stdlib.h>
#include <string.h>

#include "common/eks_token.h"
#include "common/xmem.h"

#define END_MARGIN_MS                                                                              \
	INT64_C(10000) /* a token is not handed out in the last moments of its credentials */

struct token_wait {
	struct token_source *source;
	token_fn *fn;
	void *arg;
	bool is_due;
	bool is_running;
	TAILQ_ENTRY(token_wait) entry;
};

struct token_source {
	struct aws_provider *provider;
	char *cluster; /* what is signed: name, or id on Outposts */
	char *region;
	char *sts_host; /* NULL: the region's own */
	struct duration lifetime;
	const struct duration *clock_offset;
	char *token;
	struct mono good_until; /* coarse */
	struct aws_wait *wait; /* for credentials */
	TAILQ_HEAD(token_wait_list, token_wait) waits;
	bool is_freed; /* inside a callback of ours */
	bool is_answering;
};

/* --- the source ------------------------------------------------------------------------------ */

static void free_source(struct token_source *source)
{
	aws_wait_cancel(&source->wait);
	for (struct token_wait *wait; (wait = TAILQ_FIRST(&source->waits)) != NULL;) {
		TAILQ_REMOVE(&source->waits, wait, entry);
		free(wait);
	}
	aws_provider_unref(&source->provider);
	xfree_secret(&source->token);
	xfree(&source->cluster);
	xfree(&source->region);
	xfree(&source->sts_host);
	free(source);
}

/* Answers those who wait now, not who comes meanwhile. A callback may free the source. */
static void answer_waits(struct token_source *source, const char *token, const char *error)
{
	struct token_wait *wait;
	for (wait = TAILQ_FIRST(&source->waits); wait != NULL; wait = TAILQ_NEXT(wait, entry))
		wait->is_due = true;
	source->is_answering = true;
	/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc): what is freed left the list before */
	while (!source->is_freed && (wait = TAILQ_FIRST(&source->waits)) != NULL && wait->is_due) {
		TAILQ_REMOVE(&source->waits, wait, entry);
		wait->is_running = true;
		wait->fn(wait->arg, token, error);
		free(wait);
	}
	source->is_answering = false;
	if (source->is_freed)
		free_source(source);
}

/* The lifetime, cut by the end of the credentials. */
static struct duration keep_for(const struct token_source *source,
    const struct aws_credentials *credentials, struct unix_time now)
{
	int64_t ms = source->lifetime.ms;
	if (credentials->expires.ms != 0 && credentials->expires.ms - END_MARGIN_MS - now.ms < ms)
		ms = credentials->expires.ms - END_MARGIN_MS - now.ms;
	return duration_ms(ms > 0 ? ms : 0);
}

static void on_credentials(void *arg, const struct aws_credentials *credentials, const char *why)
{
	struct token_source *source = arg;
	char *error = NULL, *token = NULL;
	source->wait = NULL;
	xfree_secret(&source->token);
	if (credentials == NULL) {
		error = xasprintf("no AWS credentials to make a token with: %s", why);
	} else {
		struct unix_time now = unix_add(unix_now(), *source->clock_offset);
		token = eks_token_mint(
		    credentials, source->cluster, source->region, source->sts_host, now, &error);
		source->good_until =
		    mono_add(mono_now_coarse(), keep_for(source, credentials, now));
		source->token = xstrdup_or_null(token);
	}
	/* Callbacks may drop source->token: they get a copy. */
	answer_waits(source, token, error);
	xfree_secret(&token);
	xfree(&error);
}

struct token_source *token_source_new(struct aws_provider *provider,
    const struct kube_cluster *cluster, const char *sts_host, struct duration lifetime,
    const struct duration *clock_offset)
{
	struct token_source *source = xcalloc(1, sizeof *source);
	const char *id =
	    cluster->aws.cluster_id != NULL ? cluster->aws.cluster_id : cluster->aws.name;
	source->provider = aws_provider_ref(provider);
	source->cluster = xstrdup(id);
	source->region = xstrdup(cluster->aws.region);
	source->sts_host = xstrdup_or_null(sts_host);
	source->lifetime = lifetime;
	source->clock_offset = clock_offset;
	TAILQ_INIT(&source->waits);
	return source;
}

void token_source_free(struct token_source **handle)
{
	struct token_source *source = *handle;
	*handle = NULL;
	if (source == NULL)
		return;
	source->is_freed = true;
	if (!source->is_answering)
		free_source(source);
}

struct token_wait *token_source_get(struct token_source *source, token_fn *fn, void *arg)
{
	if (source->token != NULL && mono_now_coarse().ns < source->good_until.ns) {
		fn(arg, source->token, NULL);
		return NULL;
	}
	struct token_wait *wait = xcalloc(1, sizeof *wait);
	wait->source = source;
	wait->fn = fn;
	wait->arg = arg;
	TAILQ_INSERT_TAIL(&source->waits, wait, entry);
	if (source->wait == NULL)
		source->wait = aws_provider_get(source->provider, on_credentials, source);
	return wait;
}

void token_wait_cancel(struct token_wait **handle)
{
	struct token_wait *wait = *handle;
	*handle = NULL;
	if (wait == NULL || wait->is_running)
		return;
	TAILQ_REMOVE(&wait->source->waits, wait, entry);
	free(wait);
}

void token_source_drop(struct token_source *source)
{
	xfree_secret(&source->token);
}
