/* Users by client certificate: CN is the user, each O a group that bindings may select roles by,
 * and a URI name "eksgate://cluster/NAME" restricts the certificate to one cluster. Called once per
 * connection, and by the command that issues certificates. */
#include "kubeproxyd/gate/identity_certificate.h"

#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "common/kube_cluster.h"
#include "common/xmem.h"
#include "kubeproxyd/gate/identity.h"
#include "kubeproxyd/policy/principal.h"

#define SCHEME "eksgate://"

/* An attribute of a name as UTF-8 (free()), or NULL with *error. */
static char *attribute_text(const X509_NAME *name, int index, const char **error)
{
	unsigned char *utf8 = NULL;
	int len =
	    ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, index)));
	if (len < 0) {
		*error = "the subject of the client certificate holds text that cannot be read";
		return NULL;
	}
	char *text = NULL;
	if (principal_refuse((const char *)utf8, (size_t)len) == NULL)
		text = xstrndup((const char *)utf8, (size_t)len);
	else
		*error = "CN or O of the client certificate is empty, longer than 256 bytes, "
			 "begins or ends with a "
			 "space, or holds control or invisible characters";
	OPENSSL_free(utf8);
	return text;
}

static bool read_user(struct identity *identity, const X509_NAME *name, const char **error)
{
	int index = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
	if (index < 0) {
		*error = "the client certificate has no CN: it names the user";
		return false;
	}
	if (X509_NAME_get_index_by_NID(name, NID_commonName, index) >= 0) {
		*error = "the client certificate has more than one CN";
		return false;
	}
	identity->user = attribute_text(name, index, error);
	if (identity->user == NULL)
		return false;
	if (principal_is_reserved(identity->user))
		*error = "the CN of the client certificate " PRINCIPAL_RESERVED;
	else if (principal_is_arn(identity->user))
		*error = "the CN of the client certificate " PRINCIPAL_ARN;
	return *error == NULL;
}

static bool read_groups(struct identity *identity, const X509_NAME *name, const char **error)
{
	identity->groups = xcalloc(PRINCIPAL_MAX_GROUPS, sizeof *identity->groups);
	for (int at = -1;;) {
		at = X509_NAME_get_index_by_NID(name, NID_organizationName, at);
		if (at < 0)
			break;
		if (identity->group_count == PRINCIPAL_MAX_GROUPS) {
			*error = "the client certificate has more than 64 groups (O)";
			return false;
		}
		char *group = attribute_text(name, at, error);
		if (group == NULL)
			return false;
		identity->groups[identity->group_count++] = group;
	}
	/* They stay for hours: nothing more is taken than they need. */
	identity->groups =
	    xreallocarray(identity->groups, identity->group_count + 1, sizeof *identity->groups);
	return true;
}

/* What stands behind "eksgate://" must be understood: a restriction that is not would be lost. */
static bool read_scope_uri(
    struct identity *identity, const char *uri, size_t len, const char **error)
{
	static const char prefix[] = SCHEME "cluster/";
	char *text = xstrndup(uri, len);
	bool is_sound = strlen(text) == len && strncmp(text, prefix, strlen(prefix)) == 0 &&
			kube_cluster_name_is_valid(text + strlen(prefix));
	if (!is_sound)
		*error = "the client certificate has an eksgate:// name that is not "
			 "eksgate://cluster/NAME";
	else if (identity->cluster != NULL)
		*error = "the client certificate is restricted to more than one cluster";
	else
		identity->cluster = xstrdup(text + strlen(prefix));
	free(text);
	return *error == NULL;
}

static bool read_scope(struct identity *identity, X509 *certificate, const char **error)
{
	int found = -1;
	GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, &found, NULL);
	if (names == NULL && found != -1) {
		*error = "the alternative names of the client certificate cannot be read";
		return false;
	}
	for (int i = 0; *error == NULL && i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
		if (name->type != GEN_URI)
			continue;
		const char *uri =
		    (const char *)ASN1_STRING_get0_data(name->d.uniformResourceIdentifier);
		size_t len = (size_t)ASN1_STRING_length(name->d.uniformResourceIdentifier);
		if (len >= strlen(SCHEME) && strncasecmp(uri, SCHEME, strlen(SCHEME)) == 0)
			(void)read_scope_uri(identity, uri, len, error);
	}
	GENERAL_NAMES_free(names);
	return *error == NULL;
}

static bool read_validity(struct identity *identity, const X509 *certificate, const char **error)
{
	struct tm tm;
	if (ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &tm) != 1) {
		*error = "the validity of the client certificate cannot be read";
		return false;
	}
	identity->expires = (struct unix_time){(int64_t)timegm(&tm) * 1000};
	return true;
}

static bool read_serial(struct identity *identity, const X509 *certificate, const char **error)
{
	BIGNUM *number = ASN1_INTEGER_to_BN(X509_get0_serialNumber(certificate), NULL);
	char *hex = number != NULL ? BN_bn2hex(number) : NULL;
	if (hex != NULL)
		identity->certificate_serial = xstrdup(hex);
	else
		*error = "the serial number of the client certificate cannot be read";
	OPENSSL_free(hex);
	BN_free(number);
	return hex != NULL;
}

struct identity *identity_from_certificate(X509 *certificate, const char **error)
{
	const X509_NAME *name = X509_get_subject_name(certificate);
	struct identity *identity = xcalloc(1, sizeof *identity);
	identity->references = 1;
	identity->source = "certificate";
	*error = NULL;
	if (read_user(identity, name, error) && read_groups(identity, name, error) &&
	    read_scope(identity, certificate, error) &&
	    read_validity(identity, certificate, error) &&
	    read_serial(identity, certificate, error))
		return identity;
	identity_unref(&identity);
	return NULL;
}
