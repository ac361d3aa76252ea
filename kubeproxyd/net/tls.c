/* TLS policy and the server's contexts. One context holds certificate, key and client CA of one
 * configuration; reloading makes another beside it, and streams keep the one they began with. A
 * client certificate is asked for and never demanded: what is wrong with it is recorded, the
 * handshake goes on, and the gate answers over HTTP. */
#include "kubeproxyd/net/tls.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/xmem.h"
#include "kubeproxyd/net/tls_asked_name.h"
#include "kubeproxyd/net/tls_crl.h"
#include "kubeproxyd/net/tls_data.h"
#include "kubeproxyd/net/tls_parts.h"
#include "kubeproxyd/net/tls_seal.h"
#include "kubeproxyd/net/tls_ticket_end.h"

/* AEAD with forward secrecy alone; AES-128 first: 4 % less CPU than AES-256, 8 % less than
 * ChaCha20. */
#define SUITES_13 "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
#define SUITES_12                                                                                  \
	"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"                               \
	"ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"                               \
	"ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
#define GROUPS "X25519:P-256"
/* What anybody who connects can have kept for as long as the connection lives, each byte as a dozen
 * in memory. */
#define CLIENT_CHAIN_MAX (16L * 1024)

struct tls_server {
	SSL_CTX *context;
};

static int protocols_index = -1; /* in an SSL_CTX: its struct tls_protocols */
static int first_error_index = -1; /* in an SSL: the first thing wrong with the client's chain */

/* --- shared parts ---------------------------------------------------------------------------- */

const char *tls_error_text(void)
{
	static char text[256];
	unsigned long code = 0, next;
	/* What the system said is the origin of what OpenSSL says about it. */
	while ((next = ERR_get_error()) != 0)
		if (!ERR_SYSTEM_ERROR(code))
			code = next;
	const char *reason =
	    ERR_SYSTEM_ERROR(code) ? strerror(ERR_GET_REASON(code)) : ERR_reason_error_string(code);
	snprintf(text, sizeof text, "%s", reason != NULL ? reason : "unknown error");
	return text;
}

/* Keys with a passphrase are not served: nobody is there to be asked. */
static int no_passphrase(char *buffer, int size, int is_writing, void *arg)
{
	(void)is_writing;
	(void)arg;
	if (size > 0)
		buffer[0] = '\0';
	return -1;
}

SSL_CTX *tls_context_new(const SSL_METHOD *method)
{
	SSL_CTX *context = SSL_CTX_new(method);
	if (context == NULL || SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION) != 1 ||
	    SSL_CTX_set_ciphersuites(context, SUITES_13) != 1 ||
	    SSL_CTX_set_cipher_list(context, SUITES_12) != 1 ||
	    SSL_CTX_set1_groups_list(context, GROUPS) != 1)
		abort();
	SSL_CTX_set_options(context,
	    SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE);
	SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
				      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_NO_AUTO_CHAIN);
	SSL_CTX_set_default_passwd_cb(context, no_passphrase);
	return context;
}

struct tls_protocols tls_protocols_encode(const char *const *names)
{
	struct tls_protocols protocols = {0};
	for (; *names != NULL; names++) {
		size_t len = strlen(*names);
		if (len >= TLS_PROTOCOL_MAX || protocols.len + len + 1 > sizeof protocols.wire)
			abort();
		protocols.wire[protocols.len] = (uint8_t)len;
		memcpy(protocols.wire + protocols.len + 1, *names, len);
		protocols.len += (unsigned)len + 1;
		memcpy(protocols.last, *names, len + 1);
	}
	return protocols;
}

/* Whether the reading of PEM failed, first of all, because there is no (more) certificate. */
static bool is_end_of_pem(void)
{
	unsigned long code = ERR_peek_error();
	return ERR_GET_LIB(code) == ERR_LIB_PEM && ERR_GET_REASON(code) == PEM_R_NO_START_LINE;
}

STACK_OF(X509) * tls_read_certificates(BIO *bio, char **error)
{
	STACK_OF(X509) *certificates = sk_X509_new_null();
	X509 *certificate;
	if (certificates == NULL)
		abort();
	ERR_clear_error();
	while ((certificate = PEM_read_bio_X509(bio, NULL, no_passphrase, NULL)) != NULL)
		if (sk_X509_push(certificates, certificate) <= 0)
			abort();
	int count = sk_X509_num(certificates);
	if (is_end_of_pem() && count > 0) {
		ERR_clear_error();
		return certificates;
	}
	*error = is_end_of_pem() ? xstrdup("no PEM certificate in it")
				 : xasprintf("certificate %d: %s", count + 1, tls_error_text());
	ERR_clear_error();
	sk_X509_pop_free(certificates, X509_free);
	return NULL;
}

void tls_session_protocol(const SSL *ssl, char protocol[TLS_PROTOCOL_MAX])
{
	const unsigned char *chosen = NULL;
	unsigned len = 0;
	SSL_get0_alpn_selected(ssl, &chosen, &len);
	protocol[0] = '\0';
	if (len > 0 && len < TLS_PROTOCOL_MAX) {
		memcpy(protocol, chosen, len);
		protocol[len] = '\0';
		return;
	}
	if (!SSL_is_server(ssl))
		return;
	const struct tls_protocols *protocols =
	    SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), protocols_index);
	memcpy(protocol, protocols->last, TLS_PROTOCOL_MAX);
}

/* --- the server ------------------------------------------------------------------------------ */

static void make_indexes(void)
{
	if (protocols_index >= 0)
		return;
	protocols_index = tls_data_place(CRYPTO_EX_INDEX_SSL_CTX, free);
	first_error_index = tls_data_place(CRYPTO_EX_INDEX_SSL, free);
}

static int select_protocol(SSL *ssl, const unsigned char **chosen, unsigned char *chosen_len,
    const unsigned char *offered, unsigned offered_len, void *arg)
{
	(void)ssl;
	const struct tls_protocols *protocols = arg;
	unsigned char *out = NULL;
	int result = SSL_select_next_proto(
	    &out, chosen_len, protocols->wire, protocols->len, offered, offered_len);
	*chosen = out;
	return result == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

/* Whatever is wrong, the handshake goes on; the first error is the one worth telling, and it
 * becomes the verification result. */
static int on_verify(int is_ok, X509_STORE_CTX *store)
{
	if (is_ok)
		return 1;
	bool is_unlisted = tls_crl_is_unlisted(store);
	SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
	int *first = SSL_get_ex_data(ssl, first_error_index);
	if (first == NULL && is_unlisted) {
		X509_STORE_CTX_set_error(store, X509_V_OK);
		return 1;
	}
	if (first == NULL) {
		first = xmalloc(sizeof *first);
		*first = X509_STORE_CTX_get_error(store);
		if (SSL_set_ex_data(ssl, first_error_index, first) != 1)
			abort();
	}
	X509_STORE_CTX_set_error(store, *first);
	return 1;
}

static bool use_client_ca(SSL_CTX *context, const char *file, char **error)
{
	ERR_clear_error();
	BIO *bio = BIO_new_file(file, "r");
	if (bio == NULL) {
		*error = xasprintf("%s: %s", file, tls_error_text());
		return false;
	}
	char *reason = NULL;
	STACK_OF(X509) *certificates = tls_read_certificates(bio, &reason);
	BIO_free(bio);
	if (certificates == NULL) {
		*error = xasprintf("%s: %s", file, reason);
		free(reason);
		return false;
	}
	for (int i = 0; i < sk_X509_num(certificates); i++) {
		X509 *certificate = sk_X509_value(certificates, i);
		if (X509_STORE_add_cert(SSL_CTX_get_cert_store(context), certificate) != 1 ||
		    SSL_CTX_add_client_CA(context, certificate) != 1)
			abort();
	}
	sk_X509_pop_free(certificates, X509_free);
	X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(context), X509_V_FLAG_PARTIAL_CHAIN);
	SSL_CTX_set_max_cert_list(context, CLIENT_CHAIN_MAX);
	SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_CLIENT_ONCE, on_verify);
	return true;
}

static bool is_about_another_key(void)
{
	unsigned long code = ERR_peek_last_error();
	int reason = ERR_GET_REASON(code);
	if (ERR_GET_LIB(code) == ERR_LIB_X509)
		return reason == X509_R_KEY_VALUES_MISMATCH || reason == X509_R_KEY_TYPE_MISMATCH;
	return ERR_GET_LIB(code) == ERR_LIB_SSL && reason == SSL_R_NO_CERTIFICATE_ASSIGNED;
}

bool tls_use_certificate(
    SSL_CTX *context, const char *certificate_file, const char *key_file, char **error)
{
	ERR_clear_error();
	if (SSL_CTX_use_certificate_chain_file(context, certificate_file) != 1) {
		const char *reason =
		    is_end_of_pem() ? "no PEM certificate in it" : tls_error_text();
		*error = xasprintf("%s: %s", certificate_file, reason);
		ERR_clear_error();
		return false;
	}
	if (SSL_CTX_use_PrivateKey_file(context, key_file, SSL_FILETYPE_PEM) == 1 &&
	    SSL_CTX_check_private_key(context) == 1)
		return true;
	if (is_about_another_key())
		*error = xasprintf("%s: the key does not belong to the certificate in %s", key_file,
		    certificate_file);
	else
		*error = xasprintf(
		    "%s: no PEM private key without passphrase: %s", key_file, tls_error_text());
	ERR_clear_error();
	return false;
}

/* Tickets are sealed by keys of this context alone, unless tls_server_share_tickets() says
 * otherwise: they end with it, and so with its client CA.
 * 0-RTT stays off, which is OpenSSL's default. */
static void use_tickets(SSL_CTX *context)
{
	static const unsigned char id[] = "kubeproxyd";
	if (SSL_CTX_set_session_id_context(context, id, sizeof id - 1) != 1)
		abort();
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_num_tickets(context, 1);
	tls_ticket_end_mark(context);
}

struct tls_server *tls_server_new(const char *certificate_file, const char *key_file,
    const char *client_ca_file, const char *const *protocols, char **error)
{
	make_indexes();
	SSL_CTX *context = tls_context_new(TLS_server_method());
	if (!tls_use_certificate(context, certificate_file, key_file, error) ||
	    !use_client_ca(context, client_ca_file, error)) {
		SSL_CTX_free(context);
		return NULL;
	}
	use_tickets(context);
	tls_asked_name_note(context);
	struct tls_protocols *list = xmalloc(sizeof *list);
	*list = tls_protocols_encode(protocols);
	if (SSL_CTX_set_ex_data(context, protocols_index, list) != 1)
		abort();
	SSL_CTX_set_alpn_select_cb(context, select_protocol, list);
	struct tls_server *server = xcalloc(1, sizeof *server);
	server->context = context;
	return server;
}

bool tls_server_add(
    struct tls_server *server, const char *certificate_file, const char *key_file, char **error)
{
	return tls_names_add(server->context, certificate_file, key_file, error);
}

bool tls_server_use_crls(struct tls_server *server, char *const *files, size_t count, char **error)
{
	for (size_t i = 0; i < count; i++) {
		if (!tls_crl_load(SSL_CTX_get_cert_store(server->context), files[i], error))
			return false;
	}
	if (count > 0)
		X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(server->context),
		    X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
	return true;
}

void tls_server_share_tickets(struct tls_server *server, struct tls_seal *seal)
{
	tls_seal_use(server->context, seal);
}

void tls_server_free(struct tls_server **server)
{
	if (*server == NULL)
		return;
	SSL_CTX_free((*server)->context);
	xfree(server);
}

static STACK_OF(X509) * authorities_of(const struct tls_server *server)
{
	STACK_OF(X509) *all = X509_STORE_get1_all_certs(SSL_CTX_get_cert_store(server->context));
	if (all == NULL)
		abort();
	return all;
}

static bool has_authority(STACK_OF(X509) * all, const X509 *wanted)
{
	for (int i = 0; i < sk_X509_num(all); i++)
		if (X509_cmp(sk_X509_value(all, i), wanted) == 0)
			return true;
	return false;
}

bool tls_server_has_same_authorities(const struct tls_server *a, const struct tls_server *b)
{
	STACK_OF(X509) *of_a = authorities_of(a), *of_b = authorities_of(b);
	bool is_same = sk_X509_num(of_a) == sk_X509_num(of_b);
	for (int i = 0; is_same && i < sk_X509_num(of_a); i++)
		is_same = has_authority(of_b, sk_X509_value(of_a, i));
	sk_X509_pop_free(of_a, X509_free);
	sk_X509_pop_free(of_b, X509_free);
	return is_same && tls_crl_are_same(SSL_CTX_get_cert_store(a->context),
			      SSL_CTX_get_cert_store(b->context));
}

struct unix_time tls_server_lists_end(const struct tls_server *server, struct unix_time after)
{
	int64_t end = tls_crl_end(SSL_CTX_get_cert_store(server->context), after.ms / 1000);
	return (struct unix_time){end == INT64_MAX ? 0 : end * 1000};
}

/* When certificates end is each request's own question; when lists do is not. One that is of the
 * future, because the clock here is a little late, says all the same whom it revokes. */
static int allow_unlisted_and_expired(int is_ok, X509_STORE_CTX *check)
{
	int error = X509_STORE_CTX_get_error(check);
	return is_ok || error == X509_V_ERR_CERT_HAS_EXPIRED ||
	       error == X509_V_ERR_CERT_NOT_YET_VALID || error == X509_V_ERR_CRL_NOT_YET_VALID ||
	       tls_crl_is_unlisted(check);
}

bool tls_server_trusts(const struct tls_server *server, X509 *certificate, STACK_OF(X509) * chain)
{
	X509_STORE_CTX *check = X509_STORE_CTX_new();
	if (check == NULL || X509_STORE_CTX_init(check, SSL_CTX_get_cert_store(server->context),
				 certificate, chain) != 1)
		abort();
	X509_STORE_CTX_set_default(check, "ssl_client");
	X509_STORE_CTX_set_flags(check, X509_V_FLAG_PARTIAL_CHAIN);
	if (tls_crl_is_used(SSL_CTX_get_cert_store(server->context)))
		X509_STORE_CTX_set_flags(check, X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL);
	X509_STORE_CTX_set_verify_cb(check, allow_unlisted_and_expired);
	bool is_trusted = X509_verify_cert(check) == 1;
	X509_STORE_CTX_free(check);
	ERR_clear_error();
	return is_trusted;
}

bool tls_server_trusts_session(const struct tls_server *server, const SSL *ssl)
{
	X509 *certificate = SSL_get0_peer_certificate(ssl);
	if (!SSL_session_reused(ssl))
		return tls_server_trusts(server, certificate, SSL_get_peer_cert_chain(ssl));
	STACK_OF(X509) *between = tls_ticket_end_between(ssl);
	bool is_trusted = tls_server_trusts(server, certificate, between);
	sk_X509_pop_free(between, X509_free);
	return is_trusted;
}

struct unix_time tls_session_authorities_end(const SSL *ssl)
{
	int64_t end = tls_ticket_end_authorities(ssl);
	return (struct unix_time){end == INT64_MAX ? 0 : end * 1000};
}

SSL *tls_server_session(struct tls_server *server)
{
	SSL *ssl = SSL_new(server->context);
	if (ssl == NULL)
		abort();
	SSL_set_accept_state(ssl);
	return ssl;
}
