/* Keys and certificates for the offline commands: `init` makes a server certificate and a client CA
 * with it, `cert` and `kubeconfig` client certificates. ECDSA P-256, SHA-256. No settings, no
 * output. */
#ifndef EKSGATE_PKI_H
#define EKSGATE_PKI_H

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdbool.h>
#include <stddef.h>

#include "common/attr.h"
#include "common/mono.h"

enum pki_kind {
	PKI_CLIENT_CA, /* signs client certificates, nothing below it */
	PKI_SERVER,
	PKI_CLIENT,
};

struct pki_subject {
	const char *common_name;
	const char *const *organizations;
	size_t organization_count;
	/* Alternative names: host names, IP addresses and URIs (whatever has "://"). */
	const char *const *names;
	size_t name_count;
};

struct pki_validity {
	struct unix_time from, until;
};

struct pki_signer {
	X509 *certificate;
	EVP_PKEY *key;
};

EVP_PKEY *pki_key_new(void) MUST_USE;
/* A certificate for `key`, signed by `signer`, or by itself when NULL. NULL: *error (free()). */
X509 *pki_certificate_new(enum pki_kind kind, const struct pki_subject *subject,
    const struct pki_validity *validity, EVP_PKEY *key, const struct pki_signer *signer,
    char **error) MUST_USE;

/* PEM. A key's text is a secret: xfree_secret(). */
char *pki_certificate_text(X509 *certificate) MUST_USE;
char *pki_key_text(EVP_PKEY *key) MUST_USE;
/* The serial number in upper-case hexadecimal, as identity.h has it (free()). */
char *pki_serial_text(const X509 *certificate) MUST_USE;
struct unix_time pki_not_after(const X509 *certificate);

/* The first certificate of a PEM file; NULL: *error "FILE: what" (free()). */
X509 *pki_read_certificate(const char *path, char **error) MUST_USE;
/* The last certificate of a PEM file: the one nearest to the root of a chain. */
X509 *pki_read_last_certificate(const char *path, char **error) MUST_USE;
EVP_PKEY *pki_read_key(const char *path, char **error) MUST_USE;

#endif
