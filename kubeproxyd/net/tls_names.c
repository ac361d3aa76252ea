/* More server certificates, chosen by the server name that the client asks for (RFC 6066, 3). They
 * hang on the server's context, which every stream keeps for as long as it shakes hands, so that a
 * reload takes them from nobody. Called by whoever loads the files; OpenSSL asks. */
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#include "common/xmem.h"
#include "kubeproxyd/net/tls_data.h"
#include "kubeproxyd/net/tls_parts.h"

#define NAMED_MAX 256u

/* Each in a context that serves for holding it. */
struct named_certificates {
	SSL_CTX *items[NAMED_MAX];
	size_t count;
};

static int named_index = -1; /* in an SSL_CTX: its struct named_certificates */

static void free_named(void *data)
{
	struct named_certificates *named = data;
	for (size_t i = 0; i < named->count; i++)
		SSL_CTX_free(named->items[i]);
	free(named);
}

static bool is_for(X509 *certificate, const char *name)
{
	bool fits =
	    certificate != NULL && X509_check_host(certificate, name, strlen(name), 0, NULL) == 1;
	ERR_clear_error();
	return fits;
}

static bool use(SSL *ssl, SSL_CTX *holder)
{
	STACK_OF(X509) *chain = NULL;
	return SSL_CTX_get0_chain_certs(holder, &chain) == 1 &&
	       SSL_use_cert_and_key(ssl, SSL_CTX_get0_certificate(holder),
		   SSL_CTX_get0_privatekey(holder), chain, 1) == 1;
}

/* The server's own certificate goes first, and serves whoever asks for a name that nobody has. */
static int choose(SSL *ssl, int *alert, void *arg)
{
	(void)arg;
	const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	const struct named_certificates *named =
	    SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), named_index);
	if (name == NULL || is_for(SSL_get_certificate(ssl), name))
		return SSL_TLSEXT_ERR_OK;
	for (size_t i = 0; i < named->count; i++) {
		if (!is_for(SSL_CTX_get0_certificate(named->items[i]), name))
			continue;
		if (use(ssl, named->items[i]))
			return SSL_TLSEXT_ERR_OK;
		*alert = SSL_AD_INTERNAL_ERROR;
		return SSL_TLSEXT_ERR_ALERT_FATAL;
	}
	return SSL_TLSEXT_ERR_OK;
}

static struct named_certificates *named_of(SSL_CTX *context)
{
	if (named_index < 0)
		named_index = tls_data_place(CRYPTO_EX_INDEX_SSL_CTX, free_named);
	struct named_certificates *named = SSL_CTX_get_ex_data(context, named_index);
	if (named != NULL)
		return named;
	named = xcalloc(1, sizeof *named);
	if (SSL_CTX_set_ex_data(context, named_index, named) != 1)
		abort();
	SSL_CTX_set_tlsext_servername_callback(context, choose);
	return named;
}

bool tls_names_add(
    SSL_CTX *context, const char *certificate_file, const char *key_file, char **error)
{
	struct named_certificates *named = named_of(context);
	if (named->count == NAMED_MAX) {
		*error = xasprintf("%s: more than %u certificates", certificate_file, NAMED_MAX);
		return false;
	}
	SSL_CTX *holder = tls_context_new(TLS_server_method());
	if (!tls_use_certificate(holder, certificate_file, key_file, error)) {
		SSL_CTX_free(holder);
		return false;
	}
	named->items[named->count++] = holder;
	return true;
}
