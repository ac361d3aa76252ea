/* Revocation lists of the authorities of client certificates, in a server's certificate store. For
 * tls.c alone. */
#ifndef EKSGATE_TLS_CRL_H
#define EKSGATE_TLS_CRL_H

#include <openssl/x509_vfy.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"

/* Adds every list of a PEM file; each must be signed by an authority in the store. False: *error
 * "FILE: what" (free()). */
bool tls_crl_load(X509_STORE *store, const char *file, char **error) MUST_USE;
/* Whether the store has any list. */
bool tls_crl_is_used(X509_STORE *store) MUST_USE;
/* Whether the failure that verification has just met is only that the issuer has no list at all:
 * an authority without one revokes nothing. */
bool tls_crl_is_unlisted(X509_STORE_CTX *check) MUST_USE;
/* When the first of the lists behind `after` is overdue, in Unix seconds; of an authority the one
 * counts that lasts longest. INT64_MAX: none is, ever. */
int64_t tls_crl_end(X509_STORE *store, int64_t after) MUST_USE;
/* Whether both stores have the same lists. */
bool tls_crl_are_same(X509_STORE *a, X509_STORE *b) MUST_USE;

#endif
