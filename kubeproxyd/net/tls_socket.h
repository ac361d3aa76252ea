/* The socket under a TLS session, as OpenSSL's own one is but for one thing: while more records are
 * about to follow, the kernel is told so, and sends them as one. For stream.c. */
#ifndef EKSGATE_TLS_SOCKET_H
#define EKSGATE_TLS_SOCKET_H

#include <openssl/ssl.h>

#include "kubeproxyd/net/stream_io.h"

/* Puts `io`, which is borrowed and outlives `ssl`, under `ssl`, which is its own. */
void tls_socket_attach(SSL *ssl, struct stream_io *io);

#endif
