/* Certificates for tests, by OpenSSL's own functions. */
#include "tests/unit/certificates.h"

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/xmem.h"

#define HOUR 3600L

static void demand(bool is_good, const char *what)
{
	if (is_good)
		return;
	fprintf(stderr, "certificates: %s failed\n", what);
	abort();
}

static X509 *make_certificate(EVP_PKEY *key, long begins, long ends)
{
	X509 *certificate = X509_new();
	uint64_t serial = 0;
	demand(
	    certificate != NULL && RAND_bytes((unsigned char *)&serial, sizeof serial) == 1, "new");
	demand(X509_set_version(certificate, X509_VERSION_3) == 1, "version");
	demand(ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate), serial >> 1) == 1,
	    "serial");
	demand(X509_gmtime_adj(X509_getm_notBefore(certificate), begins) != NULL, "notBefore");
	demand(X509_gmtime_adj(X509_getm_notAfter(certificate), ends) != NULL, "notAfter");
	demand(X509_set_pubkey(certificate, key) == 1, "public key");
	return certificate;
}

static void add_name(X509 *certificate, const char *attribute, const char *value)
{
	X509_NAME *name = X509_get_subject_name(certificate);
	demand(X509_NAME_add_entry_by_txt(
		   name, attribute, MBSTRING_UTF8, (const unsigned char *)value, -1, -1, 0) == 1,
	    attribute);
}

static void add_extension(X509 *certificate, X509 *issuer, int kind, const char *value)
{
	X509V3_CTX context;
	X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
	X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, kind, value);
	demand(extension != NULL && X509_add_ext(certificate, extension, -1) == 1, value);
	X509_EXTENSION_free(extension);
}

static void sign(X509 *certificate, X509 *issuer, EVP_PKEY *key)
{
	demand(X509_set_issuer_name(certificate, X509_get_subject_name(issuer)) == 1, "issuer");
	demand(X509_sign(certificate, key, EVP_sha256()) > 0, "signing");
}

/* `issuer` NULL: itself. */
static struct identity make_authority_of(const struct identity *issuer, const char *common_name)
{
	struct identity authority = {.key = EVP_EC_gen("P-256")};
	demand(authority.key != NULL, "key generation");
	authority.certificate = make_certificate(authority.key, -HOUR, 24 * HOUR);
	X509 *certificate = authority.certificate;
	add_name(certificate, "CN", common_name);
	add_extension(certificate, certificate, NID_basic_constraints, "critical,CA:TRUE");
	add_extension(certificate, certificate, NID_key_usage, "critical,keyCertSign,cRLSign");
	add_extension(certificate, certificate, NID_subject_key_identifier, "hash");
	if (issuer == NULL)
		issuer = &authority;
	sign(certificate, issuer->certificate, issuer->key);
	return authority;
}

struct identity make_authority(const char *common_name)
{
	return make_authority_of(NULL, common_name);
}

struct identity make_authority_under(const struct identity *issuer, const char *common_name)
{
	return make_authority_of(issuer, common_name);
}

struct identity make_leaf(const struct identity *issuer, const struct leaf_options *options)
{
	struct identity leaf = {.key = EVP_EC_gen("P-256")};
	demand(leaf.key != NULL, "key generation");
	bool is_usual = options->begins == 0 && options->ends == 0;
	leaf.certificate = make_certificate(
	    leaf.key, is_usual ? -HOUR : options->begins, is_usual ? HOUR : options->ends);
	X509 *certificate = leaf.certificate;
	if (options->common_name != NULL)
		add_name(certificate, "CN", options->common_name);
	for (const char *const *name = options->organizations; name != NULL && *name != NULL;
	     name++)
		add_name(certificate, "O", *name);
	add_extension(certificate, issuer->certificate, NID_basic_constraints, "critical,CA:FALSE");
	add_extension(certificate, issuer->certificate, NID_authority_key_identifier, "keyid");
	if (options->names != NULL)
		add_extension(
		    certificate, issuer->certificate, NID_subject_alt_name, options->names);
	if (options->usage != NULL)
		add_extension(certificate, issuer->certificate, NID_ext_key_usage, options->usage);
	sign(certificate, issuer->certificate, issuer->key);
	return leaf;
}

void free_identity(struct identity *identity)
{
	X509_free(identity->certificate);
	EVP_PKEY_free(identity->key);
	*identity = (struct identity){0};
}

static char *take_text(BIO *bio)
{
	char *data;
	long len = BIO_get_mem_data(bio, &data);
	char *text = xstrndup(data, (size_t)len);
	BIO_free(bio);
	return text;
}

char *certificate_pem(X509 *certificate)
{
	BIO *bio = BIO_new(BIO_s_mem());
	demand(bio != NULL && PEM_write_bio_X509(bio, certificate) == 1, "PEM certificate");
	return take_text(bio);
}

char *key_pem(EVP_PKEY *key)
{
	BIO *bio = BIO_new(BIO_s_mem());
	demand(
	    bio != NULL && PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1,
	    "PEM key");
	return take_text(bio);
}

void write_text_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");
	demand(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0, path);
}

void write_certificate_file(const char *path, X509 *certificate)
{
	char *text = certificate_pem(certificate);
	write_text_file(path, text);
	free(text);
}

void write_key_file(const char *path, EVP_PKEY *key)
{
	char *text = key_pem(key);
	write_text_file(path, text);
	free(text);
}
