/* A resumed session is not verified again, and each one gets another ticket: without an end a
 * client could go on by a revocation list that is overdue, and one that was refused once (its
 * certificate was not valid yet, or had just been renewed) would be refused for ever. So a ticket
 * says when the first thing ends that spoke for its client: a certificate of the chain, or the
 * revocation list of one's issuer. Behind that the client shakes hands in full. Of a resumed
 * session the ticket is all that is known about the chain: the certificates between the client's
 * own, which OpenSSL keeps, and the authority stand in it, too, so that it can be proved again
 * against other authorities and lists. Called by OpenSSL when it seals and opens tickets, and by
 * tls.c. */
#include "kubeproxyd/net/tls_ticket_end.h"

#include <openssl/x509.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/buf.h"

/* Of the certificates between: clients send what they got with each handshake. */
#define BETWEEN_MAX ((size_t)8 * 1024)

/* What stands in a ticket beside its session, before the certificates: Unix time. Both are of one
 * host. */
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

static void append_certificate(struct buf *to, const X509 *certificate)
{
	unsigned char *der = NULL;
	int len = i2d_X509(certificate, &der);
	if (len < 0)
		abort();
	buf_append(to, der, (size_t)len);
	OPENSSL_free(der);
}

/* The first is the client's, the last an authority of ours. */
static void append_between(struct buf *to, STACK_OF(X509) * chain)
{
	struct buf between = {0};
	for (int i = 1; i < sk_X509_num(chain) - 1; i++)
		append_certificate(&between, sk_X509_value(chain, i));
	if (between.len <= BETWEEN_MAX)
		buf_append(to, between.data, between.len);
	buf_free(&between);
}

/* SSL_CTX_set_session_ticket_cb(3). Of a resumed session what the first one's ticket said stays.
 * 0 would end the handshake. */
static int on_seal(SSL *ssl, void *arg)
{
	(void)arg;
	if (SSL_session_reused(ssl) || SSL_get0_peer_certificate(ssl) == NULL)
		return 1;
	struct buf said = {0};
	struct mark mark = mark_of(ssl);
	buf_append(&said, &mark, sizeof mark);
	append_between(&said, SSL_get0_verified_chain(ssl));
	int is_set = SSL_SESSION_set1_ticket_appdata(SSL_get_session(ssl), said.data, said.len);
	buf_free(&said);
	return is_set;
}

/* The mark of a ticket; what stands behind it is `between`, *len bytes. */
static struct mark read_mark(SSL_SESSION *session, const unsigned char **between, size_t *len)
{
	void *data = NULL;
	size_t size = 0;
	struct mark mark = {0};
	*between = NULL;
	*len = 0;
	if (SSL_SESSION_get0_ticket_appdata(session, &data, &size) != 1 || size < sizeof mark)
		return mark;
	memcpy(&mark, data, sizeof mark);
	*between = (const unsigned char *)data + sizeof mark;
	*len = size - sizeof mark;
	return mark;
}

static struct mark mark_in(SSL_SESSION *session)
{
	const unsigned char *between;
	size_t len;
	return read_mark(session, &between, &len);
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

STACK_OF(X509) * tls_ticket_end_between(const SSL *ssl)
{
	STACK_OF(X509) *all = sk_X509_new_null();
	const unsigned char *at;
	size_t len;
	(void)read_mark(SSL_get_session(ssl), &at, &len);
	const unsigned char *end = at != NULL ? at + len : NULL;
	X509 *certificate;
	while (at < end && (certificate = d2i_X509(NULL, &at, end - at)) != NULL) {
		if (sk_X509_push(all, certificate) <= 0)
			abort();
	}
	return all;
}
