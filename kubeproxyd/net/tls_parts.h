/* What servers' and clients' contexts have in common. For tls.c, tls_client.c and tls_names.c
 * alone.
 */
#ifndef EKSGATE_TLS_PARTS_H
#define EKSGATE_TLS_PARTS_H

#include <openssl/bio.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/attr.h"
#include "kubeproxyd/net/tls.h"

/* Protocol names as ALPN writes them: each behind its length (RFC 7301, 3.1). */
struct tls_protocols {
	uint8_t wire[64];
	unsigned len;
	char last[TLS_PROTOCOL_MAX];
};

/* A context with the versions, suites, groups and modes of this house. Aborts when OpenSSL cannot
 * make one. */
SSL_CTX *tls_context_new(const SSL_METHOD *method) MUST_USE;
struct tls_protocols tls_protocols_encode(const char *const *names);
/* Chain and key of a server. False: *error "FILE: what" (free()). */
bool tls_use_certificate(
    SSL_CTX *context, const char *certificate_file, const char *key_file, char **error) MUST_USE;
/* tls_names.c: another one, for the names it is for. */
bool tls_names_add(
    SSL_CTX *context, const char *certificate_file, const char *key_file, char **error) MUST_USE;
/* All certificates of a PEM text, at least one. NULL: *error says why, without the name of the
 * source (free()). */
STACK_OF(X509) * tls_read_certificates(BIO *bio, char **error) MUST_USE;

#endif
