/* One descriptor, with or without TLS on it, as four non-blocking operations with one set of
 * outcomes. For stream.c alone. */
#ifndef EKSGATE_STREAM_IO_H
#define EKSGATE_STREAM_IO_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "kubeproxyd/net/tls_socket.h"

struct stream_io {
	int fd;
	SSL *ssl; /* NULL: plain TCP */
	bool is_open; /* the handshake is done; OpenSSL forgets that when it meets an error */
	bool keeps_records; /* a read is one record at most */
	struct tls_socket socket; /* under the ssl, if there is one */
};

enum stream_io_result {
	STREAM_IO_DONE,
	STREAM_IO_WANTS_READ, /* again when the descriptor is readable */
	STREAM_IO_WANTS_WRITE, /* again when it is writable */
	STREAM_IO_END, /* the peer ended its side cleanly */
	STREAM_IO_BROKEN, /* stream_io_reason() says why */
};

enum stream_io_result stream_io_handshake(struct stream_io *io) MUST_USE;
/* Fills `data` as far as bytes are at hand, or with one record. *got counts what came before any
 * other outcome than DONE. */
enum stream_io_result stream_io_read(
    struct stream_io *io, uint8_t *data, size_t len, size_t *got) MUST_USE;
/* DONE: *put bytes went out, at least one, maybe fewer than `len`. */
enum stream_io_result stream_io_write(
    struct stream_io *io, const uint8_t *data, size_t len, size_t *put) MUST_USE;
/* close_notify, then FIN. */
enum stream_io_result stream_io_end(struct stream_io *io) MUST_USE;
/* Bytes are at hand that the kernel no longer shows. */
bool stream_io_has_pending(const struct stream_io *io);
/* The last read took as much from the kernel as it takes at once: there may be more. */
bool stream_io_was_full(const struct stream_io *io);
/* The peer ended its side, or the connection, whatever is still to be read. */
bool stream_io_has_left(const struct stream_io *io);
/* Of the last BROKEN of this process; borrowed until the next. */
const char *stream_io_reason(void);

/* Descriptor options of every connection: TCP_NODELAY, keepalive after 30 s of silence. */
void stream_io_prepare(int fd);

#endif
