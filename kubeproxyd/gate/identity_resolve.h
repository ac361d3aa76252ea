/* Who a request is from, by all that it carries. Asynchronous by signature: certificates answer at
 * once, later providers call out. */
#ifndef EKSGATE_IDENTITY_RESOLVE_H
#define EKSGATE_IDENTITY_RESOLVE_H

#include <openssl/x509.h>

#include "common/attr.h"

struct http_fields;
struct identity;
struct identity_query;

/* What a request carries. */
struct identity_evidence {
	X509 *certificate; /* verified, or NULL */
	const char *certificate_error; /* why the one that was sent is not accepted, or NULL */
	const struct http_fields *fields;
};

/* `identity` NULL: answer 401 with `message`. A reference is the callee's. */
typedef void identity_fn(void *arg, struct identity *identity, const char *message);

/* Decides per request; the answer comes inside the call when nothing has to be asked (then NULL is
 * returned). `of_connection` is what identity_from_certificate() gave for this connection, or NULL.
 */
struct identity_query *identity_resolve(struct identity *of_connection,
    const struct identity_evidence *evidence, identity_fn *fn, void *arg);
void identity_query_cancel(struct identity_query **query);

#endif
