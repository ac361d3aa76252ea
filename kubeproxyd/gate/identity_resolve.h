/* Who a request is from, by all that it carries: the certificate of its connection, a bearer token,
 * or both. */
#ifndef EKSGATE_IDENTITY_RESOLVE_H
#define EKSGATE_IDENTITY_RESOLVE_H

#include <openssl/x509.h>
#include <stdbool.h>

#include "common/attr.h"
#include "kubeproxyd/gate/refusal.h"

struct fetcher;
struct http_fields;
struct identity;
struct identity_providers;
struct identity_query;
struct loop;
struct metrics;
struct settings;

/* Whoever can tell who somebody is, as eksgate.proxy.login says. Everything is borrowed. */
struct identity_providers *identity_providers_new(struct loop *loop, struct fetcher *fetcher,
    struct metrics *metrics, const struct settings *settings) MUST_USE;
/* No query may be under way. */
void identity_providers_free(struct identity_providers **providers);
/* After SIGHUP. True when logins are judged otherwise now: what came in by a token must be judged
 * anew, and who waits is told to come again. */
bool identity_providers_set(
    struct identity_providers *providers, const struct settings *settings) MUST_USE;

/* What a request carries. */
struct identity_evidence {
	X509 *certificate; /* verified, or NULL */
	const char *certificate_error; /* why the one that was sent is not accepted, or NULL */
	const struct http_fields *fields;
	const char *address; /* the client's, without port */
};

/* Decides per request; the answer comes inside the call when nobody has to be asked (then NULL is
 * returned). `of_connection` is what identity_from_certificate() gave for this connection, or NULL.
 */
struct identity_query *identity_resolve(struct identity_providers *providers,
    struct identity *of_connection, const struct identity_evidence *evidence, identity_fn *fn,
    void *arg) MUST_USE;
void identity_query_cancel(struct identity_query **query);

#endif
