/* Certificates as init and cert make them. Whether a name may be certified is decided by the
 * callers; here is only how. Serial numbers are 127 random bits, so that nothing has to be counted.
 */
#include "kubeproxyd/pki.h"

#include <errno.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/xmem.h"

#define SERIAL_BITS 127

static char *openssl_error(const char *what)
{
	char text[160] = "unknown error";
	unsigned long code = ERR_get_error();
	if (code != 0)
		ERR_error_string_n(code, text, sizeof text);
	ERR_clear_error();
	return xasprintf("%s: %s", what, text);
}

EVP_PKEY *pki_key_new(void)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	if (key == NULL)
		abort();
	return key;
}

/* --- making one ------------------------------------------------------------------------------ */

static bool add_name_entry(X509_NAME *name, int nid, const char *text, char **error)
{
	if (X509_NAME_add_entry_by_NID(
		name, nid, MBSTRING_UTF8, (const unsigned char *)text, -1, -1, 0) == 1)
		return true;
	ERR_clear_error();
	*error =
	    xasprintf("\"%s\" cannot stand in a certificate: at most 64 characters of UTF-8", text);
	return false;
}

static bool set_subject(X509 *certificate, const struct pki_subject *subject, char **error)
{
	X509_NAME *name = X509_get_subject_name(certificate);
	for (size_t i = 0; i < subject->organization_count; i++) {
		if (!add_name_entry(name, NID_organizationName, subject->organizations[i], error))
			return false;
	}
	return add_name_entry(name, NID_commonName, subject->common_name, error);
}

static bool set_serial(X509 *certificate)
{
	BIGNUM *number = BN_new();
	bool is_set = number != NULL &&
		      BN_rand(number, SERIAL_BITS, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) == 1 &&
		      BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != NULL;
	BN_free(number);
	return is_set;
}

static bool set_validity(X509 *certificate, const struct pki_validity *validity)
{
	return ASN1_TIME_set(
		   X509_getm_notBefore(certificate), (time_t)(validity->from.ms / 1000)) != NULL &&
	       ASN1_TIME_set(
		   X509_getm_notAfter(certificate), (time_t)(validity->until.ms / 1000)) != NULL;
}

static GENERAL_NAME *alternative_name(const char *text)
{
	GENERAL_NAME *name = GENERAL_NAME_new();
	ASN1_OCTET_STRING *address = a2i_IPADDRESS(text);
	if (name == NULL)
		abort();
	ERR_clear_error();
	if (address != NULL) {
		GENERAL_NAME_set0_value(name, GEN_IPADD, address);
		return name;
	}
	ASN1_IA5STRING *value = ASN1_IA5STRING_new();
	if (value == NULL || ASN1_STRING_set(value, text, -1) != 1)
		abort();
	GENERAL_NAME_set0_value(name, strstr(text, "://") != NULL ? GEN_URI : GEN_DNS, value);
	return name;
}

static bool add_alternative_names(X509 *certificate, const struct pki_subject *subject)
{
	if (subject->name_count == 0)
		return true;
	GENERAL_NAMES *names = sk_GENERAL_NAME_new_null();
	for (size_t i = 0; i < subject->name_count; i++) {
		if (sk_GENERAL_NAME_push(names, alternative_name(subject->names[i])) <= 0)
			abort();
	}
	bool is_added =
	    X509_add1_ext_i2d(certificate, NID_subject_alt_name, names, 0, X509V3_ADD_DEFAULT) == 1;
	GENERAL_NAMES_free(names);
	return is_added;
}

static bool add_extension(X509 *certificate, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX context;
	X509V3_set_ctx_nodb(&context);
	X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
	X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
	bool is_added = extension != NULL && X509_add_ext(certificate, extension, -1) == 1;
	X509_EXTENSION_free(extension);
	return is_added;
}

struct extension {
	int nid;
	const char *value;
};

static bool add_extensions(X509 *certificate, X509 *issuer, enum pki_kind kind)
{
	static const struct extension of_kind[][3] = {
	    [PKI_CLIENT_CA] = {{NID_basic_constraints, "critical,CA:TRUE,pathlen:0"},
		{NID_key_usage, "critical,keyCertSign,cRLSign"}, {NID_ext_key_usage, "clientAuth"}},
	    [PKI_SERVER] = {{NID_basic_constraints, "critical,CA:FALSE"},
		{NID_key_usage, "critical,digitalSignature"}, {NID_ext_key_usage, "serverAuth"}},
	    [PKI_CLIENT] = {{NID_basic_constraints, "critical,CA:FALSE"},
		{NID_key_usage, "critical,digitalSignature"}, {NID_ext_key_usage, "clientAuth"}},
	};
	for (size_t i = 0; i < 3; i++) {
		if (!add_extension(
			certificate, issuer, of_kind[kind][i].nid, of_kind[kind][i].value))
			return false;
	}
	bool is_self_signed = issuer == certificate;
	return add_extension(certificate, issuer, NID_subject_key_identifier, "hash") &&
	       (is_self_signed ||
		   add_extension(certificate, issuer, NID_authority_key_identifier, "keyid"));
}

static bool fill(X509 *certificate, enum pki_kind kind, const struct pki_subject *subject,
    const struct pki_validity *validity, EVP_PKEY *key, const struct pki_signer *signer)
{
	X509 *issuer = signer != NULL ? signer->certificate : certificate;
	return X509_set_version(certificate, X509_VERSION_3) == 1 && set_serial(certificate) &&
	       set_validity(certificate, validity) && X509_set_pubkey(certificate, key) == 1 &&
	       X509_set_issuer_name(certificate, X509_get_subject_name(issuer)) == 1 &&
	       add_extensions(certificate, issuer, kind) &&
	       add_alternative_names(certificate, subject) &&
	       X509_sign(certificate, signer != NULL ? signer->key : key, EVP_sha256()) > 0;
}

X509 *pki_certificate_new(enum pki_kind kind, const struct pki_subject *subject,
    const struct pki_validity *validity, EVP_PKEY *key, const struct pki_signer *signer,
    char **error)
{
	X509 *certificate = X509_new();
	if (certificate == NULL)
		abort();
	*error = NULL;
	if (set_subject(certificate, subject, error) &&
	    fill(certificate, kind, subject, validity, key, signer))
		return certificate;
	if (*error == NULL)
		*error = openssl_error("cannot make the certificate");
	X509_free(certificate);
	return NULL;
}

/* --- text ------------------------------------------------------------------------------------ */

/* What a memory BIO holds; wipes and frees it. */
static char *take_text(BIO *bio)
{
	char *data;
	long len = BIO_get_mem_data(bio, &data);
	char *text = xstrndup(data, (size_t)len);
	explicit_bzero(data, (size_t)len);
	BIO_free(bio);
	return text;
}

char *pki_certificate_text(X509 *certificate)
{
	BIO *bio = BIO_new(BIO_s_mem());
	if (bio == NULL || PEM_write_bio_X509(bio, certificate) != 1)
		abort();
	return take_text(bio);
}

char *pki_key_text(EVP_PKEY *key)
{
	BIO *bio = BIO_new(BIO_s_secmem());
	if (bio == NULL || PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) != 1)
		abort();
	return take_text(bio);
}

char *pki_serial_text(const X509 *certificate)
{
	BIGNUM *number = ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate), NULL);
	char *hex = number != NULL ? BN_bn2hex(number) : NULL;
	if (hex == NULL)
		abort();
	char *text = xstrdup(hex);
	OPENSSL_free(hex);
	BN_free(number);
	return text;
}

struct unix_time pki_not_after(const X509 *certificate)
{
	struct tm tm;
	if (ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &tm) != 1)
		return (struct unix_time){0};
	return (struct unix_time){(int64_t)timegm(&tm) * 1000};
}

/* --- files ----------------------------------------------------------------------------------- */

static BIO *open_file(const char *path, char **error)
{
	BIO *bio = BIO_new_file(path, "re");
	if (bio == NULL) {
		*error = xasprintf("%s: %s", path, strerror(errno));
		ERR_clear_error();
	}
	return bio;
}

static X509 *read_certificate(const char *path, bool want_last, char **error)
{
	BIO *bio = open_file(path, error);
	if (bio == NULL)
		return NULL;
	X509 *certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL);
	for (X509 *next = certificate; want_last && next != NULL;) {
		next = PEM_read_bio_X509(bio, NULL, NULL, NULL);
		if (next == NULL)
			break;
		X509_free(certificate);
		certificate = next;
	}
	BIO_free(bio);
	ERR_clear_error();
	if (certificate == NULL)
		*error = xasprintf("%s: holds no certificate in PEM form", path);
	return certificate;
}

X509 *pki_read_certificate(const char *path, char **error)
{
	return read_certificate(path, false, error);
}

X509 *pki_read_last_certificate(const char *path, char **error)
{
	return read_certificate(path, true, error);
}

/* Never asks at the terminal: a key with a passphrase is refused. */
static int no_passphrase(char *text, int size, int rwflag, void *arg)
{
	(void)text, (void)size, (void)rwflag, (void)arg;
	return -1;
}

EVP_PKEY *pki_read_key(const char *path, char **error)
{
	BIO *bio = open_file(path, error);
	if (bio == NULL)
		return NULL;
	EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
	BIO_free(bio);
	ERR_clear_error();
	if (key == NULL)
		*error =
		    xasprintf("%s: holds no private key in PEM form without a passphrase", path);
	return key;
}
