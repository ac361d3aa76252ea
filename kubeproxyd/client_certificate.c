/* Issuing client certificates. What is refused here would be refused at the door as well; here the
 * one who asks for it is told at once. The record is on disk before the certificate is handed out,
 * so that none exists that nobody knows of. */
#include "kubeproxyd/client_certificate.h"

#include <json-c/json.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#include "common/kube_cluster.h"
#include "common/settings.h"
#include "common/xmem.h"
#include "kubeproxyd/gate/identity.h"
#include "kubeproxyd/gate/identity_certificate.h"
#include "kubeproxyd/new_file.h"
#include "kubeproxyd/pki.h"
#include "kubeproxyd/policy/principal.h"

/* Clocks of clients and proxy may differ by this much. */
#define BACKDATED_SECONDS 300
#define MINIMUM_TTL_MS	  60000

bool client_certificate_parse_ttl(const char *text, struct duration *ttl)
{
	static const struct {
		char unit;
		int64_t seconds;
	} units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
	size_t digits = strspn(text, "0123456789");
	if (digits == 0 || digits > 7 || text[digits] == '\0' || text[digits + 1] != '\0')
		return false;
	*ttl = duration_seconds(0);
	for (size_t i = 0; i < sizeof units / sizeof units[0]; i++) {
		if (text[digits] == units[i].unit)
			*ttl = duration_seconds(strtoll(text, NULL, 10) * units[i].seconds);
	}
	return ttl->ms >= MINIMUM_TTL_MS && ttl->ms <= CLIENT_CERTIFICATE_MAX_TTL * INT64_C(1000);
}

/* --- what may be certified ------------------------------------------------------------------- */

static bool check_name(const char *what, const char *name, char **error)
{
	const char *refusal = principal_refuse(name, strlen(name));
	if (refusal != NULL)
		*error = xasprintf("the %s %s", what, refusal);
	else if (principal_is_reserved(name))
		*error = xasprintf("the %s \"%s\" " PRINCIPAL_RESERVED, what, name);
	return *error == NULL;
}

static bool check_request(const struct client_certificate_request *request, char **error)
{
	*error = NULL;
	if (!check_name("user", request->user, error))
		return false;
	if (principal_is_arn(request->user)) {
		*error = xasprintf("the user \"%s\" " PRINCIPAL_ARN, request->user);
		return false;
	}
	if (request->group_count > PRINCIPAL_MAX_GROUPS) {
		*error = xasprintf("at most %d groups fit", PRINCIPAL_MAX_GROUPS);
		return false;
	}
	for (size_t i = 0; i < request->group_count; i++) {
		if (!check_name("group", request->groups[i], error))
			return false;
	}
	if (request->cluster == NULL || kube_cluster_name_is_valid(request->cluster))
		return true;
	*error = xasprintf("\"%s\" is no name of a cluster", request->cluster);
	return false;
}

/* --- the CA ---------------------------------------------------------------------------------- */

static void free_signer(struct pki_signer *signer)
{
	X509_free(signer->certificate);
	EVP_PKEY_free(signer->key);
}

static bool check_signer(
    const struct pki_signer *signer, const struct settings *settings, char **error)
{
	struct unix_time until = pki_not_after(signer->certificate);
	if (X509_check_private_key(signer->certificate, signer->key) != 1)
		*error = xasprintf("%s is not the key of %s", settings->proxy.client_ca_key,
		    settings->proxy.client_ca);
	else if (X509_check_ca(signer->certificate) != 1)
		*error = xasprintf("%s is no CA certificate", settings->proxy.client_ca);
	else if (until.ms <= unix_now().ms)
		*error =
		    xasprintf("%s has expired: make a new client CA", settings->proxy.client_ca);
	return *error == NULL;
}

static bool read_signer(const struct settings *settings, struct pki_signer *signer, char **error)
{
	*signer = (struct pki_signer){0};
	*error = NULL;
	if (settings->proxy.client_ca_key == NULL || settings->proxy.client_ca == NULL) {
		*error = xstrdup("eksgate.proxy.client_ca and client_ca_key are not set: "
				 "certificates come from elsewhere");
		return false;
	}
	signer->certificate = pki_read_certificate(settings->proxy.client_ca, error);
	if (signer->certificate != NULL)
		signer->key = pki_read_key(settings->proxy.client_ca_key, error);
	if (signer->key != NULL && check_signer(signer, settings, error))
		return true;
	free_signer(signer);
	return false;
}

/* --- the record ------------------------------------------------------------------------------ */

static void add_text(struct json_object *object, const char *key, const char *value)
{
	json_object_object_add(object, key, value != NULL ? json_object_new_string(value) : NULL);
}

static char *record_line(
    const struct client_certificate_request *request, const struct client_certificate *made)
{
	char now[UNIX_TIME_TEXT], until[UNIX_TIME_TEXT];
	struct json_object *record = json_object_new_object();
	struct json_object *groups = json_object_new_array();
	for (size_t i = 0; i < request->group_count; i++)
		json_object_array_add(groups, json_object_new_string(request->groups[i]));
	add_text(record, "issued_at", unix_time_text(unix_now(), now));
	add_text(record, "serial", made->serial);
	add_text(record, "user", request->user);
	json_object_object_add(record, "groups", groups);
	add_text(record, "cluster", request->cluster);
	add_text(record, "not_after", unix_time_text(made->not_after, until));
	char *line =
	    xasprintf("%s\n", json_object_to_json_string_ext(
				  record, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
	json_object_put(record);
	return line;
}

static bool record(const struct settings *settings,
    const struct client_certificate_request *request, const struct client_certificate *made,
    char **error)
{
	char *directory = new_file_directory(settings->proxy.client_ca_key);
	char *path = xasprintf("%s/" CLIENT_CERTIFICATE_RECORD, directory);
	char *line = record_line(request, made);
	bool is_recorded = new_file_append(path, line, 0600, error);
	free(line);
	free(path);
	free(directory);
	return is_recorded;
}

/* --- issuing --------------------------------------------------------------------------------- */

static X509 *sign(const struct client_certificate_request *request, const struct pki_signer *signer,
    EVP_PKEY *key, char **error)
{
	struct unix_time now = unix_now();
	struct pki_validity validity = {
	    unix_add(now, duration_seconds(-BACKDATED_SECONDS)), unix_add(now, request->ttl)};
	struct unix_time ca_until = pki_not_after(signer->certificate);
	if (validity.until.ms > ca_until.ms)
		validity.until = ca_until;
	char *scope =
	    request->cluster != NULL ? xasprintf("eksgate://cluster/%s", request->cluster) : NULL;
	const char *const names[] = {scope};
	struct pki_subject subject = {
	    .common_name = request->user,
	    .organizations = request->groups,
	    .organization_count = request->group_count,
	    .names = names,
	    .name_count = scope != NULL,
	};
	X509 *certificate =
	    pki_certificate_new(PKI_CLIENT, &subject, &validity, key, signer, error);
	free(scope);
	return certificate;
}

/* The door's own reading of it: what is handed out must be let in. */
static bool is_accepted(X509 *certificate, char **error)
{
	const char *reason;
	struct identity *identity = identity_from_certificate(certificate, &reason);
	bool is_good = identity != NULL;
	if (!is_good)
		*error = xstrdup(reason);
	identity_unref(&identity);
	return is_good;
}

bool client_certificate_issue(const struct settings *settings,
    const struct client_certificate_request *request, struct client_certificate *certificate,
    char **error)
{
	struct pki_signer signer;
	*certificate = (struct client_certificate){0};
	if (!check_request(request, error) || !read_signer(settings, &signer, error))
		return false;
	EVP_PKEY *key = pki_key_new();
	X509 *signed_one = sign(request, &signer, key, error);
	bool is_made = signed_one != NULL && is_accepted(signed_one, error);
	if (is_made) {
		certificate->certificate = pki_certificate_text(signed_one);
		certificate->key = pki_key_text(key);
		certificate->serial = pki_serial_text(signed_one);
		certificate->not_after = pki_not_after(signed_one);
		is_made = record(settings, request, certificate, error);
	}
	X509_free(signed_one);
	EVP_PKEY_free(key);
	free_signer(&signer);
	if (!is_made)
		client_certificate_free(certificate);
	return is_made;
}

void client_certificate_free(struct client_certificate *certificate)
{
	free(certificate->certificate);
	xfree_secret(&certificate->key);
	free(certificate->serial);
	*certificate = (struct client_certificate){0};
}
