/* A resumed session is not verified again, and each one gets another ticket: without an end a
 * client could go on by a revocation list that is overdue, and one that was refused once (its
 * certificate was not valid yet, or had just been renewed) would be refused for ever. So a ticket
 * says when the first thing ends that spoke for its client: a certificate of the chain, or the
 * revocation list of one's issuer. Behind that the client shakes hands in full. Of a resumed
 * session the ticket is all that is known about the chain. Called by OpenSSL when it seals and
 * opens tickets, and by tls.c. */
#include "kubeproxyd/net/tls_ticket_end.h"

#include <openssl/x509.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* What stands in a ticket beside its session: Unix time. Both are of one host. */
struct mark {
	int64_t end;
	int64_t authorities_end; /* of the chain without the client's own; INT64_MAX: never */
};

static int64_t seconds_of(const ASN1_TIME *time)
{
	struct tm parts;
	return ASN1_TIME_to_tm(time, &parts) == 1 ? (int64_t)timegm(&parts) : 0;
}

static void end_with(int64_t *end, const ASN1_TIME *time)
{
	int64_t seconds = seconds_of(time);
	if (seconds < *end)
		*end = seconds;
}

static bool is_of_issuer(const X509_CRL *list, STACK_OF(X509) * chain)
{
	bool is_of = false;
	for (int i = 0; !is_of && i < sk_X509_num(chain); i++)
		is_of = X509_NAME_cmp(X509_CRL_get_issuer(list),
			    X509_get_issuer_name(sk_X509_value(chain, i))) == 0;
	return is_of;
}

/* A list that names no next one is never overdue. */
static void end_with_lists(struct mark *mark, X509_STORE *store, STACK_OF(X509) * chain)
{
	STACK_OF(X509_OBJECT) *objects = X509_STORE_get0_objects(store);
	for (int i = 0; i < sk_X509_OBJECT_num(objects); i++) {
		const X509_CRL *list = X509_OBJECT_get0_X509_CRL(sk_X509_OBJECT_value(objects, i));
		if (list != NULL && X509_CRL_get0_nextUpdate(list) != NULL &&
		    is_of_issuer(list, chain))
			end_with(&mark->end, X509_CRL_get0_nextUpdate(list));
	}
}

static struct mark mark_of(const SSL *ssl)
{
	STACK_OF(X509) *chain = SSL_get0_verified_chain(ssl);
	struct mark mark = {INT64_MAX, INT64_MAX};
	if (chain == NULL || SSL_get_verify_result(ssl) != X509_V_OK)
		return (struct mark){0};
	for (int i = 0; i < sk_X509_num(chain); i++) {
		const ASN1_TIME *end = X509_get0_notAfter(sk_X509_value(chain, i));
		end_with(&mark.end, end);
		if (i > 0)
			end_with(&mark.authorities_end, end);
	}
	end_with_lists(&mark, SSL_CTX_get_cert_store(SSL_get_SSL_CTX(ssl)), chain);
	return mark;
}

/* SSL_CTX_set_session_ticket_cb(3). Of a resumed session the mark of the first one stays: what
 * spoke for its client is known no more. 0 would end the handshake. */
static int on_seal(SSL *ssl, void *arg)
{
	(void)arg;
	if (SSL_session_reused(ssl) || SSL_get0_peer_certificate(ssl) == NULL)
		return 1;
	struct mark mark = mark_of(ssl);
	return SSL_SESSION_set1_ticket_appdata(SSL_get_session(ssl), &mark, sizeof mark);
}

static struct mark mark_in(SSL_SESSION *session)
{
	void *data = NULL;
	size_t len = 0;
	struct mark mark = {0};
	if (SSL_SESSION_get0_ticket_appdata(session, &data, &len) == 1 && len == sizeof mark)
		memcpy(&mark, data, sizeof mark);
	return mark;
}

static bool is_good(SSL_SESSION *session)
{
	return SSL_SESSION_get0_peer(session) == NULL || (int64_t)time(NULL) < mark_in(session).end;
}

static SSL_TICKET_RETURN on_opened(SSL *ssl, SSL_SESSION *session, const unsigned char *key_name,
    size_t key_name_len, SSL_TICKET_STATUS status, void *arg)
{
	(void)ssl;
	(void)key_name;
	(void)key_name_len;
	(void)arg;
	bool is_opened = status == SSL_TICKET_SUCCESS || status == SSL_TICKET_SUCCESS_RENEW;
	if (!is_opened || !is_good(session))
		return SSL_TICKET_RETURN_IGNORE_RENEW;
	return status == SSL_TICKET_SUCCESS ? SSL_TICKET_RETURN_USE : SSL_TICKET_RETURN_USE_RENEW;
}

void tls_ticket_end_mark(SSL_CTX *context)
{
	if (SSL_CTX_set_session_ticket_cb(context, on_seal, on_opened, NULL) != 1)
		abort();
}

int64_t tls_ticket_end_authorities(const SSL *ssl)
{
	struct mark mark = SSL_session_reused(ssl) ? mark_in(SSL_get_session(ssl)) : mark_of(ssl);
	return mark.authorities_end;
}
