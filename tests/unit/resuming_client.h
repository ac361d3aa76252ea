/* A TLS client that keeps the newest ticket that it got and offers it the next time, face to face
 * with a server's session in memory. */
#ifndef EKSGATE_TESTS_RESUMING_CLIENT_H
#define EKSGATE_TESTS_RESUMING_CLIENT_H

#include <openssl/ssl.h>

#include "kubeproxyd/net/tls.h"
#include "tests/unit/certificates.h"

struct resuming_client {
	SSL_CTX *context;
	SSL_SESSION *kept; /* NULL: none yet */
	const char *asks_for; /* a server name; NULL: none */
};

/* {0} or what resuming_client_free() left begins. `version` is TLS1_2_VERSION or TLS1_3_VERSION. */
void resuming_client_init(struct resuming_client *client, const struct identity *leaf, int version);
/* Shakes hands, and takes the ticket. The server's session (SSL_free()), NULL: it refused. */
SSL *resuming_client_try(struct resuming_client *client, struct tls_server *server);
/* The same of one that is taken. */
SSL *resuming_client_connect(struct resuming_client *client, struct tls_server *server);
void resuming_client_forget(struct resuming_client *client);
void resuming_client_free(struct resuming_client *client);

#endif
