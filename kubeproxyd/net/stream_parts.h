/* The inside of a stream, for the three files that are it: stream.c (life, the loop's events, the
 * owner's verbs), stream_open.c (connecting, handshake, identity) and stream_transfer.c (reading
 * and writing). */
#ifndef EKSGATE_STREAM_PARTS_H
#define EKSGATE_STREAM_PARTS_H

#include <bsd/sys/queue.h>
#include <openssl/x509.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/loop.h"
#include "kubeproxyd/net/address.h"
#include "kubeproxyd/net/stream.h"
#include "kubeproxyd/net/stream_io.h"
#include "kubeproxyd/net/stream_queue.h"
#include "kubeproxyd/net/tls.h"

enum stream_state {
	STATE_CONNECTING,
	STATE_HANDSHAKE,
	STATE_OPEN,
	STATE_FINISHING, /* given up by its owner: writes, waits for the peer's end, closes */
	STATE_BROKEN, /* on_error was called */
	STATE_CLOSED, /* to be freed at the end of the turn */
};

struct stream {
	struct loop *loop;
	const struct stream_events *events;
	void *arg;
	enum stream_state state;
	struct stream_io io;
	struct watch *watch;
	struct timer
	    *timer; /* by state: the handshake's deadline, "read on", the linger time; or NULL */
	struct deferred turn_end; /* starting or flushing */
	struct duration handshake_timeout, linger;
	struct mono finish_by; /* whatever the peer takes until then */

	struct buf rest; /* read, offered and not used */
	bool is_paused;
	bool read_wants_write; /* TLS must write before it can read */
	bool has_peer_ended, is_end_told;
	bool has_more; /* to read at the end of this turn */
	char *failure; /* reading broke: told behind the rest */
	size_t discarded;

	struct stream_queue queue;
	size_t high_mark;
	struct holdings *holdings; /* NULL: none */
	size_t counted; /* by them */
	bool is_full; /* until on_drain */
	bool is_write_blocked, write_wants_read;
	bool is_write_begun; /* what waits first may be enciphered, and stays as it is */
	bool is_end_wanted, is_end_sent;

	X509 *peer; /* the SSL's */
	const char *peer_error;
	char *server_name;
	char protocol[TLS_PROTOCOL_MAX];
	char address[ADDRESS_TEXT_MAX];
	uint64_t bytes_read, bytes_written;
	LIST_ENTRY(stream) finishing;
};

/* After the queue changed. */
void stream_count(struct stream *stream);
/* How much may be queued. */
size_t stream_mark(const struct stream *stream) MUST_USE;
/* The only writer of `state`. */
void stream_set_state(struct stream *stream, enum stream_state state);
/* Gives descriptor, watch and timer back at once; the memory goes at the end of the turn. */
void stream_destroy(struct stream *stream);
/* Tells the owner; without one, destroys. Call it last. */
void stream_fail(struct stream *stream, const char *reason);
struct stream *stream_new(struct loop *loop, const struct stream_options *options,
    const struct stream_events *events, void *arg) MUST_USE;
/* The timer fires once; it is made when there is none. */
void stream_set_timer(struct stream *stream, struct duration delay);
/* Finishing: the peer took something. */
void stream_linger(struct stream *stream);
/* Puts the descriptor and its TLS session (NULL: plain) under the stream and the loop. */
void stream_attach(struct stream *stream, int fd, SSL *ssl);

/* Open for both directions: tells on_open. Call it last. */
void stream_open(struct stream *stream);
/* One step of the handshake. */
void stream_shake_hands(struct stream *stream);
/* The descriptor became writable: connected, or not. */
void stream_on_connected(struct stream *stream);

/* Watches for what can be done now. */
void stream_arm(struct stream *stream);
/* Goes on with reading in the next turn, so that one busy peer does not hold up the others. */
void stream_wake(struct stream *stream);
bool stream_can_read(const struct stream *stream);
void stream_receive(struct stream *stream);
/* Receives for a stream without an owner. */
void stream_discard(struct stream *stream);
/* Offers again what was not used, reads what TLS holds, tells the end. */
void stream_go_on_reading(struct stream *stream);
/* Writes what can leave at once, in records of its own; the rest is to be queued. */
size_t stream_write_through(struct stream *stream, const uint8_t *data, size_t len) MUST_USE;
/* Writes what is queued and the end, as far as the kernel takes it. */
void stream_flush(struct stream *stream);

#endif
