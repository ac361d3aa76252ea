/* Certificates made on the spot for tests: authorities, leaves with the names, usage and validity
 * that a case needs, as PEM text and PEM files. P-256 throughout. Whatever fails aborts. */
#ifndef EKSGATE_TESTS_CERTIFICATES_H
#define EKSGATE_TESTS_CERTIFICATES_H

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdbool.h>

struct identity {
	X509 *certificate;
	EVP_PKEY *key;
};

struct leaf_options {
	const char *common_name;
	const char *const *organizations; /* O, one each, up to NULL; NULL: none */
	const char
	    *names; /* subjectAltName as OpenSSL writes it: "DNS:a,IP:127.0.0.1"; NULL: none */
	const char *usage; /* extended key usage: "serverAuth", "clientAuth"; NULL: none */
	long begins, ends; /* seconds from now; both 0: from an hour ago to an hour ahead */
};

struct identity make_authority(const char *common_name);
struct identity make_authority_under(const struct identity *issuer, const char *common_name);
struct identity make_leaf(const struct identity *issuer, const struct leaf_options *options);
void free_identity(struct identity *identity);

/* PEM text; free(). */
char *certificate_pem(X509 *certificate);
char *key_pem(EVP_PKEY *key);
void write_certificate_file(const char *path, X509 *certificate);
void write_key_file(const char *path, EVP_PKEY *key);
void write_text_file(const char *path, const char *text);

#endif
