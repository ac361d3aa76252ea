/* A resumed session is not verified again, and each one gets another ticket: without an end a
 * client could go on by a revocation list that is overdue, and one that was refused once (its
 * certificate was not valid yet, or had just been renewed) would be refused for ever. So a ticket
 * says when the first thing ends that spoke for its client: a certificate of the chain, or the
 * revocation list of one's issuer. Behind that the client shakes hands in full. Called by OpenSSL
 * when it seals and opens tickets. */
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
};

static int64_t seconds_of(const ASN1_TIME *time)
{
	struct tm parts;
	return ASN1_TIME_to_tm(time, &parts) == 1 ? (int64_t)timegm(&parts) : 0;
}

static void end_with(struct mark *mark, const ASN1_TIME *time)
{
	int64_t end = seconds_of(time);
	if (end < mark->end)
		mark->end = end;
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
			end_with(mark, X509_CRL_get0_nextUpdate(list));
	}
}

static struct mark mark_of(SSL *ssl)
{
	STACK_OF(X509) *chain = SSL_get0_verified_chain(ssl);
	struct mark mark = {INT64_MAX};
	if (chain == NULL || SSL_get_verify_result(ssl) != X509_V_OK)
		return (struct mark){0};
	for (int i = 0; i < sk_X509_num(chain); i++)
		end_with(&mark, X509_get0_notAfter(sk_X509_value(chain, i)));
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

static bool is_good(SSL_SESSION *session)
{
	void *data = NULL;
	size_t len = 0;
	struct mark mark = {0};
	if (SSL_SESSION_get0_peer(session) == NULL)
		return true;
	if (SSL_SESSION_get0_ticket_appdata(session, &data, &len) == 1 && len == sizeof mark)
		memcpy(&mark, data, sizeof mark);
	return (int64_t)time(NULL) < mark.end;
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
