/* Who is asking. Asynchronous by signature: certificates answer at once, later providers call out.
 */
#ifndef EKSGATE_IDENTITY_H
#define EKSGATE_IDENTITY_H

#include <openssl/x509.h>
#include <stdbool.h>
#include <stddef.h>

#include "common/attr.h"
#include "common/mono.h"
#include "kubeproxyd/policy/traits.h"

/* Immutable, counted references: sessions and exchanges share it. */
struct identity {
	char *user; /* certificate: CN */
	char **groups; /* certificate: O; they only select roles */
	size_t group_count;
	const char *source; /* "certificate" */
	char *certificate_serial; /* hex, NULL for others */
	char *cluster; /* the one cluster this credential is scoped to, or NULL */
	struct traits traits; /* what else the credential says; roles' templates read it */
	struct unix_time expires; /* 0: never */
	unsigned references;
};

struct identity *identity_ref(struct identity *identity) MUST_USE;
void identity_unref(struct identity **identity);
bool identity_is_expired(const struct identity *identity, struct unix_time now) MUST_USE;

struct http_fields;

/* What a request carries. */
struct identity_evidence {
	X509 *certificate; /* verified, or NULL */
	const char *certificate_error; /* why the one that was sent is not accepted, or NULL */
	const struct http_fields *fields;
};

/* `identity` NULL: answer 401 with `message`. A reference is the callee's. */
typedef void identity_fn(void *arg, struct identity *identity, const char *message);
struct identity_query;

/* From a certificate; once per connection. NULL: *error (static) says what the certificate lacks.
 */
struct identity *identity_from_certificate(X509 *certificate, const char **error) MUST_USE;
/* Decides per request; the answer comes inside the call when nothing has to be asked (then NULL is
 * returned). `of_connection` is what identity_from_certificate() gave for this connection, or NULL.
 */
struct identity_query *identity_resolve(struct identity *of_connection,
    const struct identity_evidence *evidence, identity_fn *fn, void *arg);
void identity_query_cancel(struct identity_query **query);

#endif
