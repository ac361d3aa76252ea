/* Who a client certificate names. Pure. */
#ifndef EKSGATE_IDENTITY_CERTIFICATE_H
#define EKSGATE_IDENTITY_CERTIFICATE_H

#include <openssl/x509.h>

#include "common/attr.h"

struct identity;

/* Once per connection. NULL: *error (static) says what the certificate lacks. */
struct identity *identity_from_certificate(X509 *certificate, const char **error) MUST_USE;

#endif
