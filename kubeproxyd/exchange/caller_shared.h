/* What all connections with one client certificate have in common: whom it names, and the grants
 * that were compiled for that last. Controllers open hundreds. */
#ifndef EKSGATE_CALLER_SHARED_H
#define EKSGATE_CALLER_SHARED_H

#include <openssl/x509.h>

#include "common/attr.h"

struct caller_grants;
struct identity;

struct caller_shared {
	struct identity *identity;
	struct caller_grants *grants; /* NULL: none yet */
};

/* NULL: *error (static) says what the certificate lacks. Each call is one reference. */
struct caller_shared *caller_shared_get(X509 *certificate, const char **error) MUST_USE;
void caller_shared_unref(struct caller_shared **shared);

#endif
