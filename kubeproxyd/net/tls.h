/* TLS contexts: the server's (certificate, client CA) and the clients' towards API servers (one
 * shared context, one certificate store per cluster). TLS 1.2 or newer, AEAD with ECDHE, no
 * renegotiation, no compression. */
#ifndef EKSGATE_TLS_H
#define EKSGATE_TLS_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>

#include "common/attr.h"
#include "common/mono.h"

struct tls_seal;
struct tls_server;
struct tls_client;
struct tls_store;

/* Reads certificate chain, key and client CA (PEM files). NULL: *error "FILE: what" (free()). ALPN:
 * what `protocols` lists, in order, for example {"http/1.1", NULL}; a client that offers no ALPN
 * gets the last. */
struct tls_server *tls_server_new(const char *certificate_file, const char *key_file,
    const char *client_ca_file, const char *const *protocols, char **error) MUST_USE;
/* Another certificate, for clients that ask for a name which the first is not for. Before the first
 * session. False: *error "FILE: what" (free()). */
bool tls_server_add(struct tls_server *server, const char *certificate_file, const char *key_file,
    char **error) MUST_USE;
/* Has client certificates looked up in the revocation lists of these PEM files; before the first
 * session. False: *error "FILE: what" (free()). */
bool tls_server_use_crls(
    struct tls_server *server, char *const *files, size_t count, char **error) MUST_USE;
/* Has session tickets sealed by keys that others have too (net/tls_seal.h), which outlive every
 * stream; before the first session. Without this they end with the server. */
void tls_server_share_tickets(struct tls_server *server, struct tls_seal *seal);
void tls_server_free(struct tls_server **server); /* streams that use it keep what they need */
/* Whether both take the same authorities for clients' certificates, and the same revocation lists.
 */
bool tls_server_has_same_authorities(
    const struct tls_server *a, const struct tls_server *b) MUST_USE;
/* When the first revocation list is overdue behind `after`, which refuses the certificates of its
 * authority; {0}: none will be. */
struct unix_time tls_server_lists_end(
    const struct tls_server *server, struct unix_time after) MUST_USE;
/* Whether a client's certificate is of its authorities and not revoked as far as can be known now,
 * whatever its own time; `chain` may be NULL. */
bool tls_server_trusts(
    const struct tls_server *server, X509 *certificate, STACK_OF(X509) * chain) MUST_USE;
/* The same of the certificate of a session, whose chain came with the handshake or, when it was
 * resumed, with the ticket. For stream.c. */
bool tls_server_trusts_session(const struct tls_server *server, const SSL *ssl) MUST_USE;
/* When the first authority ends by whose certificates the client's was verified, at the handshake
 * or before the first of those that resumed it; {0}: none does. For stream.c. */
struct unix_time tls_session_authorities_end(const SSL *ssl) MUST_USE;
/* For stream.c. */
SSL *tls_server_session(struct tls_server *server) MUST_USE;

/* The CAs of one cluster, from a PEM bundle of any number of certificates. NULL: *error (free()).
 * Counted references. */
struct tls_store *tls_store_new(const char *pem, size_t len, char **error) MUST_USE;
struct tls_store *tls_store_ref(struct tls_store *store) MUST_USE;
void tls_store_unref(struct tls_store **store);

/* What a connection to `host` needs: SNI and verification of exactly that name (or IP) against
 * `store` alone. `protocols` as above, offered by ALPN. */
struct tls_client *tls_client_new(
    const char *host, struct tls_store *store, const char *const *protocols) MUST_USE;
void tls_client_free(struct tls_client **client);
/* For stream.c. */
SSL *tls_client_session(struct tls_client *client) MUST_USE;
/* Why the server's certificate was refused, or NULL: "certificate of HOST: hostname mismatch; it is
 * for a, b". For stream.c. */
const char *tls_client_verdict(const SSL *ssl);

#define TLS_PROTOCOL_MAX 16
/* What ALPN chose ("" for nothing); on a server's session without ALPN the last of its protocols.
 * For stream.c. */
void tls_session_protocol(const SSL *ssl, char protocol[TLS_PROTOCOL_MAX]);

/* The newest OpenSSL error of this thread as text, and clears the queue. Borrowed until the next
 * call. */
const char *tls_error_text(void);

#endif
