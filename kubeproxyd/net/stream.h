/* One connection as a stream of bytes, TLS or plain TCP, on raw events: the only file besides tls.c
 * that calls SSL_*. Knows no protocol. Reads are handed up as they come; writes are queued and
 * leave once, at the end of the turn. */
#ifndef EKSGATE_STREAM_H
#define EKSGATE_STREAM_H

#include <openssl/x509.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "common/attr.h"
#include "common/mono.h"

struct holdings; /* net/holdings.h */
struct loop;
struct stream;
struct stream_queue; /* net/stream_queue.h */
struct tls_server; /* net/tls.h */
struct tls_client;

/* Callbacks may call any stream_ function, stream_close() included: the object lives until the end
 * of the turn. After stream_close() no callback comes. */
struct stream_events {
	/* The handshake is done (plain TCP: connected). */
	void (*on_open)(void *arg);
	/* Bytes arrived. Returns how many were used; the rest stays and is offered again, with what
	 * follows, when more arrives or after stream_resume(). Nothing is read from the peer while
	 * 256 KiB lie unused. */
	size_t (*on_data)(void *arg, const uint8_t *data, size_t len);
	/* The peer will send no more (close_notify; plain TCP: FIN). A TCP end without close_notify
	 * is on_error. Told, like on_error after a broken read, behind all data; a paused stream
	 * hears neither until it is resumed. */
	void (*on_end)(void *arg);
	/* What was queued fell to half of the high mark, after stream_is_full() had been true. */
	void (*on_drain)(void *arg);
	/* Broken: the owner must close it. `reason` is for the log: "tls: certificate has expired",
	 * "connection reset". What concerns TLS begins with "tls: ", time-outs say "timed out". No
	 * callback follows it. */
	void (*on_error)(void *arg, const char *reason);
};

struct stream_options {
	size_t high_mark; /* bytes queued for writing above which stream_is_full(); 0: 256 KiB */
	struct duration handshake_timeout; /* connecting included; 0: 10 s */
	struct holdings *holdings; /* what is queued counts there; while they are tight the mark is
				    * 16 KiB. NULL: none. Outlives the stream */
};

/* Takes over a connected descriptor. `tls` NULL: plain. */
struct stream *stream_accept(struct loop *loop, int fd, struct tls_server *tls,
    const struct stream_options *options, const struct stream_events *events, void *arg) MUST_USE;
/* Connects; failures arrive by on_error. `tls` NULL: plain. `tls` is borrowed until on_open or
 * on_error. */
struct stream *stream_connect(struct loop *loop, const struct sockaddr *address,
    socklen_t address_len, struct tls_client *tls, const struct stream_options *options,
    const struct stream_events *events, void *arg) MUST_USE;

/* Hands the stream to another owner (pool, upgrade). */
void stream_set_events(struct stream *stream, const struct stream_events *events, void *arg);

/* From here on a record of TLS that came is one on_data, and a stream_write() leaves at once, in
 * records of its own, while nothing is queued: what one end of a tunnel sent as one record arrives
 * at the other as one. There are clients that sleep over what stands behind the first message of a
 * record (Debian's python3-kubernetes waits for the descriptor alone). */
void stream_keep_records(struct stream *stream);
/* Queues bytes; copies them. Never fails: a broken stream tells by on_error. */
void stream_write(struct stream *stream, const void *data, size_t len);
/* Sets bits of the byte that was queued `back` bytes ago. False: it may have left. */
bool stream_amend(struct stream *stream, uint64_t back, uint8_t bits) MUST_USE;
/* The same for the first `len` bytes of a queue, which drops them. */
void stream_write_queue(struct stream *stream, struct stream_queue *from, size_t len);
size_t stream_queued(const struct stream *stream) MUST_USE;
/* From when the high mark is passed until on_drain. */
bool stream_is_full(const struct stream *stream) MUST_USE;

/* No more on_data (and no more reading from the kernel) until resumed. */
void stream_pause(struct stream *stream);
void stream_resume(struct stream *stream);
/* Memory that holds bytes which were read and not used: between two callbacks, of a paused stream.
 */
size_t stream_unread(const struct stream *stream) MUST_USE;
/* The peer sends no more, or is gone: true before a paused stream comes to its end. */
bool stream_has_peer_left(const struct stream *stream) MUST_USE;

/* Half close: writes what is queued, then close_notify and a TCP FIN. Reading goes on; what is
 * written later is dropped. */
void stream_end(struct stream *stream);
/* Gives it up at once: what is queued is dropped, the descriptor is closed. Unless stream_end()
 * went before and was carried out, the peer sees a cut: no close_notify (plain TCP: RST). *stream
 * becomes NULL. */
void stream_close(struct stream **stream);
/* Gives it up politely: the loop writes what is queued, sends close_notify, drains a bounded while,
 * closes. A peer that takes nothing for `linger` is not waited for, nor is one that takes a little
 * now and then and has not all after STREAM_LINGERS times as long. *stream becomes NULL and no
 * callback comes. */
#define STREAM_LINGERS 10
void stream_finish(struct stream **stream, struct duration linger);
/* Whether any of those has something to write still. */
bool stream_is_finishing_any(const struct loop *loop) MUST_USE;
/* Closes what stream_finish() still works on; before loop_free(). */
void stream_close_finishing(struct loop *loop);

/* "h2", "http/1.1" or NULL. Clients of a server that offered no ALPN: its last protocol. */
const char *stream_alpn(const struct stream *stream);
/* The SNI host name that the client sent, lower case, or NULL. */
const char *stream_server_name(const struct stream *stream);
/* The verified client certificate or NULL; borrowed. Verification failures are not here: see
 * stream_peer_error(). */
X509 *stream_peer_certificate(const struct stream *stream);
/* Why the client certificate that was sent is not accepted ("certificate has expired"), or NULL.
 * The handshake goes on, so that the user can be told over HTTP. */
const char *stream_peer_error(const struct stream *stream);
/* When a certificate of its authority ends, the first one; {0}: none does, or no certificate is
 * accepted. The end of its own is not meant. */
struct unix_time stream_peer_authorities_end(const struct stream *stream) MUST_USE;
/* Whether `tls` would accept the client certificate too; true without one. */
bool stream_is_trusted_by(const struct stream *stream, const struct tls_server *tls) MUST_USE;
/* "203.0.113.7:51234" / "[2001:db8::1]:443". */
const char *stream_peer_address(const struct stream *stream);
uint64_t stream_bytes_read(const struct stream *stream);
uint64_t stream_bytes_written(const struct stream *stream);

#endif
