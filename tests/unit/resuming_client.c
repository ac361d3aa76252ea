/* Both ends of a handshake in memory. */
#include "tests/unit/resuming_client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static int keep_session(SSL *ssl, SSL_SESSION *session)
{
	struct resuming_client *client = SSL_get_app_data(ssl);
	SSL_SESSION_free(client->kept);
	client->kept = session;
	return 1;
}

void resuming_client_init(struct resuming_client *client, const struct identity *leaf, int version)
{
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(context, keep_session);
	SSL_CTX_set_max_proto_version(context, version);
	assert_int_equal(SSL_CTX_use_certificate(context, leaf->certificate), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey(context, leaf->key), 1);
	*client = (struct resuming_client){.context = context};
}

static void carry(SSL *from, SSL *to)
{
	uint8_t bytes[16384];
	int len;
	while ((len = BIO_read(SSL_get_wbio(from), bytes, sizeof bytes)) > 0)
		assert_int_equal(BIO_write(SSL_get_rbio(to), bytes, len), len);
}

static SSL *open_client(struct resuming_client *client)
{
	SSL *ssl = SSL_new(client->context);
	SSL_set_app_data(ssl, client);
	SSL_set_bio(ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
	if (client->asks_for != NULL)
		SSL_set_tlsext_host_name(ssl, client->asks_for);
	if (client->kept != NULL)
		assert_int_equal(SSL_set_session(ssl, client->kept), 1);
	SSL_set_connect_state(ssl);
	return ssl;
}

SSL *resuming_client_try(struct resuming_client *client, struct tls_server *server)
{
	SSL *ssl = open_client(client), *accepted = tls_server_session(server);
	SSL_set_bio(accepted, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
	for (unsigned i = 0; i < 5; i++) {
		(void)SSL_do_handshake(ssl);
		carry(ssl, accepted);
		(void)SSL_do_handshake(accepted);
		carry(accepted, ssl);
	}
	if (!SSL_is_init_finished(ssl) || !SSL_is_init_finished(accepted)) {
		SSL_free(ssl);
		SSL_free(accepted);
		return NULL;
	}
	char byte;
	(void)SSL_read(ssl, &byte, 1);
	/* Without this OpenSSL takes the session for broken and does not resume it. */
	SSL_set_shutdown(ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(ssl);
	return accepted;
}

SSL *resuming_client_connect(struct resuming_client *client, struct tls_server *server)
{
	SSL *accepted = resuming_client_try(client, server);
	assert_non_null(accepted);
	return accepted;
}

void resuming_client_forget(struct resuming_client *client)
{
	SSL_SESSION_free(client->kept);
	client->kept = NULL;
}

void resuming_client_free(struct resuming_client *client)
{
	resuming_client_forget(client);
	SSL_CTX_free(client->context);
	client->context = NULL;
}
