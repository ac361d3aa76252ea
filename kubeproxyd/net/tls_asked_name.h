/* The server name that a client asks for (RFC 6066, 3). For tls.c and stream_open.c. */
#ifndef EKSGATE_TLS_ASKED_NAME_H
#define EKSGATE_TLS_ASKED_NAME_H

#include <openssl/ssl.h>

#include "common/attr.h"

/* Has the sessions of a server's context note it; before the first one. */
void tls_asked_name_note(SSL_CTX *context);
/* Takes it, in lower case, when the handshake is done; NULL: the client asked for none. */
char *tls_asked_name_take(SSL *ssl) MUST_USE;

#endif
