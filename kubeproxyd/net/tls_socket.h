/* The socket under a TLS session. Better than OpenSSL's own in two things: the kernel hears that
 * more records are about to follow, and sends them as one; and what has come is read many records
 * at a time. OpenSSL reads ahead, too (SSL_CTX_set_read_ahead()), but for each record it moves all
 * the others to the front of its buffer, and each connection holds such a buffer. For stream_io.c.
 */
#ifndef EKSGATE_TLS_SOCKET_H
#define EKSGATE_TLS_SOCKET_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tls_socket {
	int fd;
	bool has_more_to_write; /* set it: more follows at once behind what is written now */
	bool may_read_ahead; /* once in a call */
	bool is_drained; /* by the last call */
	size_t at_once; /* most that is read with one call */
	size_t needed_max; /* and behind that: a peer that says much and nothing holds up nobody */
	/* Read and not yet taken by OpenSSL: in a buffer that all share, in between in `kept`. */
	const uint8_t *ahead;
	size_t ahead_len;
	uint8_t *kept;
};

/* Puts `socket`, which is borrowed and outlives `ssl`, under `ssl`, whose own one it becomes. */
void tls_socket_attach(struct tls_socket *socket, SSL *ssl, int fd);
void tls_socket_free(struct tls_socket *socket);
/* Around calls by which OpenSSL reads; of one socket at a time. Others read no more than they need.
 */
void tls_socket_begin(struct tls_socket *socket, size_t at_once);
void tls_socket_end(struct tls_socket *socket);

/* As records of one are a tunnel's message each: little more than one. */
#define TLS_SOCKET_RECORD ((size_t)17 * 1024)
#define TLS_SOCKET_MOST	  ((size_t)64 * 1024)

#endif
