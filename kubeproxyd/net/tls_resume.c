/* Resuming sessions with API servers (RFC 8446, 2.2): the newest ticket of each client, that is of
 * one host under one store of authorities, spares the next connection the certificates and their
 * signatures. A ticket never outlives what it was verified against: another store is another
 * client. What OpenSSL calls back with may come when the client is gone, so each session holds a
 * reference to where tickets go. Called by tls_client.c. */
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdlib.h>

#include "common/xmem.h"
#include "kubeproxyd/net/tls_data.h"
#include "kubeproxyd/net/tls_resume.h"

struct tls_tickets {
	unsigned references;
	SSL_SESSION *newest; /* NULL: none yet */
};

static int tickets_index = -1; /* in an SSL: its struct tls_tickets */

struct tls_tickets *tls_tickets_new(void)
{
	struct tls_tickets *tickets = xcalloc(1, sizeof *tickets);
	tickets->references = 1;
	return tickets;
}

void tls_tickets_unref(struct tls_tickets **tickets)
{
	struct tls_tickets *last = *tickets;
	*tickets = NULL;
	if (last == NULL || --last->references > 0)
		return;
	SSL_SESSION_free(last->newest);
	free(last);
}

static void drop_reference(void *data)
{
	struct tls_tickets *tickets = data;
	tls_tickets_unref(&tickets);
}

/* A copy: OpenSSL spoils the session of a connection that ends without close_notify, which says
 * nothing about the ticket. 0: the original is not kept. */
static int on_ticket(SSL *ssl, SSL_SESSION *session)
{
	struct tls_tickets *tickets = SSL_get_ex_data(ssl, tickets_index);
	if (tickets == NULL)
		return 0;
	SSL_SESSION_free(tickets->newest);
	tickets->newest = SSL_SESSION_dup(session);
	return 0;
}

void tls_resume_enable(SSL_CTX *context)
{
	tickets_index = tls_data_place(CRYPTO_EX_INDEX_SSL, drop_reference);
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(context, on_ticket);
}

void tls_resume_use(SSL *ssl, struct tls_tickets *tickets)
{
	tickets->references++;
	if (SSL_set_ex_data(ssl, tickets_index, tickets) != 1)
		abort();
	bool is_of_use = tickets->newest != NULL && SSL_SESSION_is_resumable(tickets->newest) == 1;
	if (is_of_use && SSL_set_session(ssl, tickets->newest) != 1)
		abort();
}
