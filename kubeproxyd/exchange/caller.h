/* Who stands behind a client connection, as its requests share it: certificate, identity and
 * compiled grants. */
#ifndef EKSGATE_CALLER_H
#define EKSGATE_CALLER_H

#include <openssl/x509.h>
#include <stdbool.h>

#include "common/attr.h"

struct caller_shared;
struct grants;
struct identity;
struct policy;

/* Grants outlive the policy that made them for as long as an exchange needs them. */
struct caller_grants {
	unsigned references;
	struct policy *policy;
	struct identity *identity;
	struct grants *grants;
};

/* Embedded in the session; caller_init() and caller_clear(). */
struct caller {
	X509 *certificate; /* borrowed from the connection, or NULL */
	const char *certificate_error; /* why it is not accepted, or NULL; borrowed */
	const char *address; /* "203.0.113.7:51234"; borrowed */
	char *host; /* of it, without port and brackets */
	const char *server_name; /* that TLS was opened for, lower case, or NULL; borrowed */
	struct caller_shared *shared; /* with others of its certificate, or NULL */
	struct identity *identity; /* of the certificate, or NULL; the shared one */
	struct caller_grants *grants; /* the last ones used of another identity: a token's */
	bool is_known; /* a credential of it was accepted */
	void (*on_known)(void *arg); /* called once, or NULL */
	void *on_known_arg;
};

void caller_init(
    struct caller *caller, X509 *certificate, const char *certificate_error, const char *address);
void caller_clear(struct caller *caller);
/* A credential was accepted. */
void caller_note_known(struct caller *caller);

/* The grants of `identity` under `policy`: kept ones when nothing changed. The reference is the
 * callee's. */
struct caller_grants *caller_grants(
    struct caller *caller, struct policy *policy, struct identity *identity) MUST_USE;
void caller_grants_unref(struct caller_grants **grants);

#endif
