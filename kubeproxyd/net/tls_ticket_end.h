/* Until when the tickets of a server's clients may be believed. For tls.c alone. */
#ifndef EKSGATE_TLS_TICKET_END_H
#define EKSGATE_TLS_TICKET_END_H

#include <openssl/ssl.h>
#include <stdint.h>

#include "common/attr.h"

/* Has each ticket end with what its client's certificate was verified by; before the first session.
 * Tickets of those who were refused are good for nothing. */
void tls_ticket_end_mark(SSL_CTX *context);
/* When the first certificate of the chain ends by which the client's was verified, but its own, in
 * Unix time; INT64_MAX: none does. 0 without such a chain. */
int64_t tls_ticket_end_authorities(const SSL *ssl) MUST_USE;
/* Of a resumed session: the certificates between the client's and the authority, as far as its
 * ticket had room for them; sk_X509_pop_free(). */
STACK_OF(X509) * tls_ticket_end_between(const SSL *ssl) MUST_USE;

#endif
