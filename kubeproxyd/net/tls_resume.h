/* Tickets of API servers, kept for the next connection. For tls_client.c alone. */
#ifndef EKSGATE_TLS_RESUME_H
#define EKSGATE_TLS_RESUME_H

#include <openssl/ssl.h>

#include "common/attr.h"

struct tls_tickets;

struct tls_tickets *tls_tickets_new(void) MUST_USE;
void tls_tickets_unref(struct tls_tickets **tickets);
/* Once for the context of all clients. */
void tls_resume_enable(SSL_CTX *context);
/* Before the handshake: resumes with the newest ticket, and takes those that come. */
void tls_resume_use(SSL *ssl, struct tls_tickets *tickets);

#endif
