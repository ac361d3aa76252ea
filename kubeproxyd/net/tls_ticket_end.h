/* Until when the tickets of a server's clients may be believed. For tls.c alone. */
#ifndef EKSGATE_TLS_TICKET_END_H
#define EKSGATE_TLS_TICKET_END_H

#include <openssl/ssl.h>

/* Has each ticket end with what its client's certificate was verified by; before the first session.
 * Tickets of those who were refused are good for nothing. */
void tls_ticket_end_mark(SSL_CTX *context);

#endif
