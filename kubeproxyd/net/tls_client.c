/* TLS towards API servers. All connections share one context; what differs, the CAs of the cluster
 * and the host that the certificate must name, is set on each session, since a context per cluster
 * would cost 186 MiB for 10,000 of them. No CA of the system is ever trusted here. Why a
 * certificate is refused is put into words while it is at hand. */
#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/xmem.h"
#include "kubeproxyd/net/tls.h"
#include "kubeproxyd/net/tls_data.h"
#include "kubeproxyd/net/tls_parts.h"
#include "kubeproxyd/net/tls_resume.h"

#define NAMES_TOLD_MAX 8
#define HOST_MAX       253

struct tls_store {
	X509_STORE *store;
	unsigned references;
};

struct tls_client {
	char *host;
	bool is_address;
	struct tls_store *store;
	struct tls_protocols protocols;
	struct tls_tickets *tickets;
};

/* Lives in the SSL: the client may be gone by then. */
struct verdict {
	char *host;
	char *text;
};

static SSL_CTX *shared_context;
static int verdict_index = -1;

/* --- stores ---------------------------------------------------------------------------------- */

static STACK_OF(X509) * read_bundle(const char *pem, size_t len, char **error)
{
	if (len == 0 || len > INT_MAX) {
		*error = xstrdup("no PEM certificate in it");
		return NULL;
	}
	BIO *bio = BIO_new_mem_buf(pem, (int)len);
	if (bio == NULL)
		abort();
	STACK_OF(X509) *certificates = tls_read_certificates(bio, error);
	BIO_free(bio);
	return certificates;
}

struct tls_store *tls_store_new(const char *pem, size_t len, char **error)
{
	STACK_OF(X509) *certificates = read_bundle(pem, len, error);
	if (certificates == NULL)
		return NULL;
	struct tls_store *store = xcalloc(1, sizeof *store);
	store->references = 1;
	store->store = X509_STORE_new();
	if (store->store == NULL)
		abort();
	for (int i = 0; i < sk_X509_num(certificates); i++)
		if (X509_STORE_add_cert(store->store, sk_X509_value(certificates, i)) != 1)
			abort();
	sk_X509_pop_free(certificates, X509_free);
	return store;
}

struct tls_store *tls_store_ref(struct tls_store *store)
{
	store->references++;
	return store;
}

void tls_store_unref(struct tls_store **store)
{
	struct tls_store *last = *store;
	*store = NULL;
	if (last == NULL || --last->references > 0)
		return;
	X509_STORE_free(last->store);
	free(last);
}

/* --- why a certificate is refused ------------------------------------------------------------ */

static void free_verdict(void *data)
{
	struct verdict *verdict = data;
	free(verdict->host);
	free(verdict->text);
	free(verdict);
}

static void tell_name(struct buf *out, const GENERAL_NAME *name)
{
	char address[INET6_ADDRSTRLEN] = "";
	const ASN1_STRING *value = name->d.ia5;
	const unsigned char *data = ASN1_STRING_get0_data(value);
	int len = ASN1_STRING_length(value);
	if (name->type == GEN_DNS)
		buf_append(out, data, (size_t)len);
	if (name->type == GEN_IPADD && (len == 4 || len == 16))
		buf_append_text(
		    out, inet_ntop(len == 4 ? AF_INET : AF_INET6, data, address, sizeof address));
}

/* "it is for a, b": who the certificate is for, as far as that helps. */
static void tell_names(struct buf *out, X509 *certificate)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
	int told = 0, count = names != NULL ? sk_GENERAL_NAME_num(names) : 0;
	for (int i = 0; i < count && told < NAMES_TOLD_MAX; i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
		if (name->type != GEN_DNS && name->type != GEN_IPADD)
			continue;
		buf_append_text(out, told++ == 0 ? "; it is for " : ", ");
		tell_name(out, name);
	}
	if (told == 0)
		buf_append_text(out, "; it names no host");
	else if (count > NAMES_TOLD_MAX)
		buf_append_text(out, " and others");
	GENERAL_NAMES_free(names);
}

static void tell_time(struct buf *out, const char *what, const ASN1_TIME *at)
{
	struct tm tm;
	char text[32];
	if (ASN1_TIME_to_tm(at, &tm) == 1 &&
	    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm) > 0)
		buf_printf(out, "; %s %s", what, text);
}

static char *put_into_words(const char *host, int error, X509 *certificate)
{
	struct buf out = {0};
	buf_printf(&out, "certificate of %s: %s", host, X509_verify_cert_error_string(error));
	switch (error) {
	case X509_V_ERR_HOSTNAME_MISMATCH:
	case X509_V_ERR_IP_ADDRESS_MISMATCH:
		tell_names(&out, certificate);
		break;
	case X509_V_ERR_CERT_HAS_EXPIRED:
		tell_time(&out, "it ended", X509_get0_notAfter(certificate));
		break;
	case X509_V_ERR_CERT_NOT_YET_VALID:
		tell_time(&out, "it begins", X509_get0_notBefore(certificate));
		break;
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
	case X509_V_ERR_CERT_SIGNATURE_FAILURE:
		buf_append_text(
		    &out, "; it was not issued by the certificate authority of the cluster");
		break;
	default:
		break;
	}
	return buf_take(&out);
}

static int on_verify(int is_ok, X509_STORE_CTX *store)
{
	if (is_ok)
		return 1;
	SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct verdict *verdict = SSL_get_ex_data(ssl, verdict_index);
	X509 *certificate = X509_STORE_CTX_get_current_cert(store);
	if (certificate == NULL)
		certificate = X509_STORE_CTX_get0_cert(store);
	free(verdict->text);
	verdict->text = put_into_words(verdict->host, X509_STORE_CTX_get_error(store), certificate);
	return 0;
}

const char *tls_client_verdict(const SSL *ssl)
{
	const struct verdict *verdict =
	    verdict_index >= 0 ? SSL_get_ex_data(ssl, verdict_index) : NULL;
	return verdict != NULL ? verdict->text : NULL;
}

/* --- clients --------------------------------------------------------------------------------- */

static SSL_CTX *get_context(void)
{
	if (shared_context != NULL)
		return shared_context;
	verdict_index = tls_data_place(CRYPTO_EX_INDEX_SSL, free_verdict);
	shared_context = tls_context_new(TLS_client_method());
	SSL_CTX_set_verify(shared_context, SSL_VERIFY_PEER, on_verify);
	tls_resume_enable(shared_context);
	return shared_context;
}

struct tls_client *tls_client_new(
    const char *host, struct tls_store *store, const char *const *protocols)
{
	struct tls_client *client = xcalloc(1, sizeof *client);
	struct in6_addr address;
	/* Without a name OpenSSL would check none: what cannot be a host becomes one that nobody
	 * has (RFC 6761, 6.4). */
	if (host[0] == '\0' || strlen(host) > HOST_MAX)
		host = "malformed-host.invalid";
	size_t len = strlen(host);
	bool is_bracketed = len > 2 && host[0] == '[' && host[len - 1] == ']';
	client->host = is_bracketed ? xstrndup(host + 1, len - 2) : xstrdup(host);
	client->is_address = inet_pton(AF_INET, client->host, &address) == 1 ||
			     inet_pton(AF_INET6, client->host, &address) == 1;
	client->store = tls_store_ref(store);
	client->protocols = tls_protocols_encode(protocols);
	client->tickets = tls_tickets_new();
	return client;
}

void tls_client_free(struct tls_client **client)
{
	if (*client == NULL)
		return;
	free((*client)->host);
	tls_store_unref(&(*client)->store);
	tls_tickets_unref(&(*client)->tickets);
	xfree(client);
}

/* Exactly this host: no partial wildcards, no common name (RFC 6125). */
static bool demand_host(SSL *ssl, const struct tls_client *client)
{
	X509_VERIFY_PARAM *param = SSL_get0_param(ssl);
	X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_PARTIAL_CHAIN);
	if (client->is_address)
		return X509_VERIFY_PARAM_set1_ip_asc(param, client->host) == 1;
	X509_VERIFY_PARAM_set_hostflags(
	    param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
	return X509_VERIFY_PARAM_set1_host(param, client->host, 0) == 1 &&
	       SSL_set_tlsext_host_name(ssl, client->host) == 1;
}

SSL *tls_client_session(struct tls_client *client)
{
	SSL *ssl = SSL_new(get_context());
	struct verdict *verdict = xcalloc(1, sizeof *verdict);
	verdict->host = xstrdup(client->host);
	if (ssl == NULL || SSL_set_ex_data(ssl, verdict_index, verdict) != 1 ||
	    SSL_set1_verify_cert_store(ssl, client->store->store) != 1 ||
	    !demand_host(ssl, client) ||
	    SSL_set_alpn_protos(ssl, client->protocols.wire, client->protocols.len) != 0)
		abort();
	tls_resume_use(ssl, client->tickets);
	SSL_set_connect_state(ssl);
	return ssl;
}
