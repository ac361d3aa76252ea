/* From what a request carries to the one who asks. Certificates are judged here and now, for each
 * request, since they expire under living connections; tokens go to the provider whose they look
 * like. Who shows two credentials must be one user by both, and every restriction of either holds.
 * There is no anonymous user. Called by the exchange. */
#include "kubeproxyd/gate/identity_resolve.h"

#include <bsd/sys/queue.h>
#include <stdlib.h>
#include <string.h>

#include "common/metrics.h"
#include "common/settings.h"
#include "common/xmem.h"
#include "kubeproxyd/gate/credential.h"
#include "kubeproxyd/gate/iam.h"
#include "kubeproxyd/gate/iam_token.h"
#include "kubeproxyd/gate/identity.h"
#include "kubeproxyd/gate/identity_certificate.h"
#include "kubeproxyd/gate/jwt.h"
#include "kubeproxyd/gate/oidc.h"

static const char no_credential[] =
    "no client certificate and no token was sent: ask an administrator for a kubeconfig "
    "(`kubeproxyd kubeconfig --cert-for USER`, or `kubeproxyd cert USER`)";

struct identity_query {
	struct identity_providers *providers;
	const char *source; /* of the token, for the metric */
	struct oidc_query *oidc; /* one of the two, */
	struct iam_query *iam;
	struct identity *of_certificate; /* that the token must agree with, or NULL */
	bool is_inside; /* identity_resolve() */
	bool is_answered;
	identity_fn *fn;
	void *arg;
	TAILQ_ENTRY(identity_query) entry;
};

struct identity_providers {
	struct loop *loop;
	struct fetcher *fetcher;
	struct oidc *oidc; /* NULL: off */
	struct iam *iam; /* NULL: off */
	char *text; /* of the settings, to be compared */
	struct metric *tokens;
	TAILQ_HEAD(, identity_query) queries;
};

/* --- refusals -------------------------------------------------------------------------------- */

/* Takes `message`. */
static void refuse(char *message, identity_fn *fn, void *arg)
{
	struct refusal refusal = {.status = 401, .message = message};
	fn(arg, NULL, &refusal);
	free(message);
}

static void refuse_expired(const struct identity *identity, identity_fn *fn, void *arg)
{
	char at[UNIX_TIME_TEXT];
	refuse(xasprintf("the client certificate of \"%s\" expired at %s: get a new one "
			 "(`kubeproxyd kubeconfig --cert-for USER`, or `kubeproxyd cert USER`)",
		   identity->user, unix_time_text(identity->expires, at)),
	    fn, arg);
}

static void refuse_certificate(const char *error, identity_fn *fn, void *arg)
{
	refuse(xasprintf("the client certificate is not accepted: %s; get a new one "
			 "(`kubeproxyd kubeconfig --cert-for USER`, or `kubeproxyd cert USER`)",
		   error),
	    fn, arg);
}

/* --- two credentials ------------------------------------------------------------------------- */

static struct unix_time sooner(struct unix_time a, struct unix_time b)
{
	if (a.ms == 0 || b.ms == 0)
		return a.ms == 0 ? b : a;
	return a.ms < b.ms ? a : b;
}

/* The user of both, restricted as either is; NULL when they do not agree. */
static struct identity *combine(
    const struct identity *of_certificate, const struct identity *of_token)
{
	bool is_scoped = of_certificate->cluster != NULL;
	if (strcmp(of_certificate->user, of_token->user) != 0 ||
	    (is_scoped && of_token->cluster != NULL &&
		strcmp(of_certificate->cluster, of_token->cluster) != 0))
		return NULL;
	struct identity *both = identity_copy(of_token);
	both->certificate_serial = xstrdup_or_null(of_certificate->certificate_serial);
	both->expires = sooner(of_certificate->expires, of_token->expires);
	both->ends = sooner(identity_end(of_certificate), identity_end(of_token));
	if (both->cluster == NULL)
		both->cluster = xstrdup_or_null(of_certificate->cluster);
	return both;
}

static void refuse_disagreement(const struct identity *of_certificate,
    const struct identity *of_token, identity_fn *fn, void *arg)
{
	refuse(xasprintf("two credentials that do not agree: the client certificate is that of "
			 "\"%s\", the token that of \"%s\", or each is for another cluster; send "
			 "one of them",
		   of_certificate->user, of_token->user),
	    fn, arg);
}

/* --- tokens ---------------------------------------------------------------------------------- */

static void end_query(struct identity_query *query)
{
	TAILQ_REMOVE(&query->providers->queries, query, entry);
	identity_unref(&query->of_certificate);
	free(query);
}

static const char *outcome_of(const struct refusal *refusal)
{
	if (refusal == NULL)
		return "accepted";
	return refusal->status == 401 ? "refused" : "unavailable";
}

/* What a provider found; the reference of `identity` is ours. */
static void on_token(void *arg, struct identity *identity, const struct refusal *refusal)
{
	struct identity_query *query = arg;
	struct identity *of_certificate = query->of_certificate;
	identity_fn *fn = query->fn;
	void *asker = query->arg;
	query->oidc = NULL;
	query->iam = NULL;
	query->of_certificate = NULL;
	query->is_answered = true;
	metric_add(query->providers->tokens, 1, query->source, outcome_of(refusal));
	if (!query->is_inside)
		end_query(query);
	if (identity == NULL || of_certificate == NULL) {
		fn(asker, identity, refusal);
	} else {
		struct identity *both = combine(of_certificate, identity);
		if (both != NULL)
			fn(asker, both, NULL);
		else
			refuse_disagreement(of_certificate, identity, fn, asker);
		identity_unref(&identity);
	}
	identity_unref(&of_certificate);
}

/* "oidc", "iam", or NULL: nobody is there who could judge the token. */
static const char *source_of(
    const struct identity_providers *providers, const struct credential *credential)
{
	if (iam_token_is_likely(credential->token, credential->len))
		return providers->iam != NULL ? "iam" : NULL;
	return providers->oidc != NULL ? "oidc" : NULL;
}

static void refuse_unknown(const struct identity_providers *providers, identity_fn *fn, void *arg)
{
	bool is_off = providers->oidc == NULL && providers->iam == NULL;
	refuse(xstrdup(is_off ? "bearer tokens are not accepted here (eksgate.proxy.login): use a "
				"client certificate"
			      : "a token of this kind is not accepted here (eksgate.proxy.login)"),
	    fn, arg);
}

static struct identity_query *resolve_token(struct identity_providers *providers,
    const struct credential *credential, struct identity *of_certificate,
    const struct identity_evidence *evidence, identity_fn *fn, void *arg)
{
	const char *source = source_of(providers, credential);
	if (source == NULL) {
		refuse_unknown(providers, fn, arg);
		return NULL;
	}
	struct identity_query *query = xcalloc(1, sizeof *query);
	query->providers = providers;
	query->source = source;
	query->of_certificate = of_certificate != NULL ? identity_ref(of_certificate) : NULL;
	query->fn = fn;
	query->arg = arg;
	query->is_inside = true;
	TAILQ_INSERT_TAIL(&providers->queries, query, entry);
	if (strcmp(source, "iam") == 0)
		query->iam = iam_resolve(providers->iam, credential->token, credential->len,
		    evidence->address, on_token, query);
	else
		query->oidc = oidc_resolve(
		    providers->oidc, credential->token, credential->len, on_token, query);
	query->is_inside = false;
	if (!query->is_answered)
		return query;
	end_query(query);
	return NULL;
}

/* --- per request ----------------------------------------------------------------------------- */

/* The one whom the certificate names: of the connection, read anew, or none with *error. */
static struct identity *of_certificate(
    struct identity *of_connection, const struct identity_evidence *evidence, const char **error)
{
	*error = NULL;
	if (of_connection != NULL)
		return identity_ref(of_connection);
	*error = evidence->certificate_error;
	if (*error != NULL || evidence->certificate == NULL)
		return NULL;
	return identity_from_certificate(evidence->certificate, error);
}

static struct identity_query *resolve(struct identity_providers *providers,
    const struct credential *credential, struct identity *certified,
    const struct identity_evidence *evidence, identity_fn *fn, void *arg)
{
	if (certified != NULL && identity_is_expired(certified, unix_now_coarse())) {
		refuse_expired(certified, fn, arg);
		return NULL;
	}
	if (credential->token != NULL)
		return resolve_token(providers, credential, certified, evidence, fn, arg);
	if (certified != NULL)
		fn(arg, identity_ref(certified), NULL);
	else
		refuse(xstrdup(no_credential), fn, arg);
	return NULL;
}

struct identity_query *identity_resolve(struct identity_providers *providers,
    struct identity *of_connection, const struct identity_evidence *evidence, identity_fn *fn,
    void *arg)
{
	const char *error;
	struct credential credential;
	struct identity_query *query = NULL;
	if (!credential_find(evidence->fields, &credential, &error)) {
		refuse(xstrdup(error), fn, arg);
		credential_free(&credential);
		return NULL;
	}
	struct identity *certified = of_certificate(of_connection, evidence, &error);
	if (error != NULL)
		refuse_certificate(error, fn, arg);
	else
		query = resolve(providers, &credential, certified, evidence, fn, arg);
	identity_unref(&certified);
	credential_free(&credential);
	return query;
}

static void cancel_asked(struct identity_query *query)
{
	oidc_query_cancel(&query->oidc);
	iam_query_cancel(&query->iam);
}

void identity_query_cancel(struct identity_query **query)
{
	if (*query == NULL)
		return;
	cancel_asked(*query);
	end_query(*query);
	*query = NULL;
}

/* --- the set --------------------------------------------------------------------------------- */

static void make(struct identity_providers *providers, const struct settings *settings)
{
	const struct login_settings *login = &settings->proxy.login;
	providers->oidc = oidc_new(providers->loop, providers->fetcher, login);
	providers->iam = iam_new(providers->fetcher, &login->iam, settings->test.verifier_sts_host);
	providers->text = settings_login_text(login);
}

struct identity_providers *identity_providers_new(struct loop *loop, struct fetcher *fetcher,
    struct metrics *metrics, const struct settings *settings)
{
	struct identity_providers *providers = xcalloc(1, sizeof *providers);
	providers->loop = loop;
	providers->fetcher = fetcher;
	TAILQ_INIT(&providers->queries);
	providers->tokens = metrics_counter(metrics, "eksgate_proxy_tokens_total",
	    "Bearer tokens of requests, by who judged them and how.", "source outcome");
	make(providers, settings);
	return providers;
}

static void drop_all(struct identity_providers *providers)
{
	oidc_free(&providers->oidc);
	iam_free(&providers->iam);
	xfree(&providers->text);
}

void identity_providers_free(struct identity_providers **providers)
{
	if (*providers == NULL)
		return;
	drop_all(*providers);
	xfree(providers);
}

static void send_away(struct identity_providers *providers)
{
	static const struct refusal refusal = {.status = 503,
	    .message = "the settings of logins were changed while the token was checked: try again",
	    .retry_after = 1};
	for (struct identity_query *query; (query = TAILQ_FIRST(&providers->queries)) != NULL;) {
		/* The analyser loses track of a list that is emptied element by element.
		 * NOLINTNEXTLINE(clang-analyzer-unix.Malloc) */
		identity_fn *fn = query->fn;
		void *arg = query->arg;
		cancel_asked(query);
		end_query(query);
		fn(arg, NULL, &refusal);
	}
}

bool identity_providers_set(struct identity_providers *providers, const struct settings *settings)
{
	const struct login_settings *login = &settings->proxy.login;
	char *text = settings_login_text(login);
	bool has_changed = strcmp(text, providers->text) != 0;
	free(text);
	if (has_changed) {
		send_away(providers);
		drop_all(providers);
		make(providers, settings);
		return true;
	}
	if (providers->oidc != NULL)
		oidc_set(providers->oidc, login);
	if (providers->iam != NULL)
		iam_set(providers->iam, &login->iam, settings->test.verifier_sts_host);
	return false;
}
