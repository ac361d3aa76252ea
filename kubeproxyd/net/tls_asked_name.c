/* The name decides about the cluster, so it is the one in the ClientHello of this connection: of a
 * session that is resumed in TLS 1.2 SSL_get_servername(3) tells the name of the first handshake,
 * or none. Called by OpenSSL, before it looks at the ticket. */
#include "kubeproxyd/net/tls_asked_name.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "common/xmem.h"
#include "kubeproxyd/net/tls_data.h"

#define TYPE_HOST_NAME 0u
/* Length of the list, type and length of its one entry. */
#define PREFIX_BYTES 5u

static int name_index = -1; /* in an SSL: the name, lower case */

static size_t number_at(const unsigned char *at)
{
	return (size_t)at[0] << 8 | at[1];
}

/* A list of one host name, as OpenSSL takes it. */
static bool is_one_name(const unsigned char *extension, size_t len)
{
	if (len <= PREFIX_BYTES || extension[2] != TYPE_HOST_NAME)
		return false;
	size_t name_len = len - PREFIX_BYTES;
	return number_at(extension) == len - 2 && number_at(extension + 3) == name_len &&
	       name_len <= TLSEXT_MAXLEN_host_name &&
	       memchr(extension + PREFIX_BYTES, '\0', name_len) == NULL;
}

static void set_name(SSL *ssl, char *name)
{
	free(SSL_get_ex_data(ssl, name_index));
	if (SSL_set_ex_data(ssl, name_index, name) != 1)
		abort();
}

/* SSL_CTX_set_client_hello_cb(3). It comes twice when the server wants another key share. */
static int on_client_hello(SSL *ssl, int *alert, void *arg)
{
	const unsigned char *extension;
	size_t len;
	(void)arg;
	set_name(ssl, NULL);
	if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &extension, &len) != 1)
		return SSL_CLIENT_HELLO_SUCCESS;
	if (!is_one_name(extension, len)) {
		*alert = SSL_AD_DECODE_ERROR;
		return SSL_CLIENT_HELLO_ERROR;
	}
	char *name = xstrndup((const char *)extension + PREFIX_BYTES, len - PREFIX_BYTES);
	for (char *c = name; *c != '\0'; c++)
		if (*c >= 'A' && *c <= 'Z')
			*c = (char)(*c + ('a' - 'A'));
	set_name(ssl, name);
	return SSL_CLIENT_HELLO_SUCCESS;
}

void tls_asked_name_note(SSL_CTX *context)
{
	if (name_index < 0)
		name_index = tls_data_place(CRYPTO_EX_INDEX_SSL, free);
	SSL_CTX_set_client_hello_cb(context, on_client_hello, NULL);
}

char *tls_asked_name_take(SSL *ssl)
{
	char *name = SSL_get_ex_data(ssl, name_index);
	if (SSL_set_ex_data(ssl, name_index, NULL) != 1)
		abort();
	return name;
}
