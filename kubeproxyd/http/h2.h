/* HTTP/2 (RFC 9113), either end of a connection: frames, streams, windows and the grammar of heads.
 * Bytes that came go in by h2_receive(); what is to be said leaves by h2_flush(), at the end of the
 * turn. Verbs call no event but on_reset, and h2_offer() those by which bytes go. An event may call
 * any verb, and may free its stream's memory later in the turn, not at once. Limits of resources
 * that depend on what a server can bear (floods, time) are its owner's: on_frame, on_reset and
 * on_stray let it count. */
#ifndef EKSGATE_H2_H
#define EKSGATE_H2_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/buf.h"
#include "kubeproxyd/http/h2_state.h"

enum h2_body { H2_BODY_MORE, H2_BODY_ENDS, H2_BODY_ENDS_IN_TRAILERS };

struct h2_events {
	/* Where bytes go; is_full: no more for now, h2_flush() again when there is room. */
	void (*write)(void *arg, const void *data, size_t len);
	bool (*is_full)(void *arg);
	/* Sets bits of the byte that was written `back` bytes ago. False: it may have left. */
	bool (*amend)(void *arg, uint64_t back, uint8_t bits);
	/* Servers: the memory of a request whose head has come. Never NULL. */
	struct h2_stream *(*on_open)(void *arg);
	/* Clients: the head of an answer begins, interim ones included. */
	void (*on_head_begin)(struct h2_stream *stream);
	/* One field, which is as it must be, and what its name is: enum field_trait. Trailers' too
	 * when the head is complete. Not NULL: why the message is not acceptable; the stream is
	 * reset. */
	const char *(*on_field)(
	    struct h2_stream *stream, const struct hpack_field *field, uint32_t traits);
	/* The head is complete (interim ones are not told). */
	void (*on_head)(struct h2_stream *stream, bool is_end);
	void (*on_body)(struct h2_stream *stream, const uint8_t *data, size_t len);
	/* END_STREAM behind a body or trailers. */
	void (*on_end)(struct h2_stream *stream);
	/* The stream is over, but not by h2_reset(): an error code of RFC 9113, 7. */
	void (*on_close)(struct h2_stream *stream, uint32_t code);
	/* A message or frame is not HTTP/2; `stream` NULL: and with that the connection. on_close
	 * or the end follow. */
	void (*on_malformed)(void *arg, struct h2_stream *stream, const char *why);
	/* A frame has come, before it is acted upon. */
	void (*on_frame)(void *arg, const struct h2_frame *frame);
	/* A stream was reset by us with an error. */
	void (*on_reset)(void *arg);
	/* Servers: a head came for no stream that is served, and was passed over: trailers of one
	 * that is closed, or a request behind GOAWAY. */
	void (*on_stray)(void *arg);
	/* How much of a body is there to be sent, and whether more follows. */
	size_t (*body)(struct h2_stream *stream, enum h2_body *state);
	/* Its next `len` bytes, by the same way as write(). */
	void (*write_body)(struct h2_stream *stream, size_t len);
	/* By h2_head_open() and h2_head_close(). */
	void (*write_trailers)(struct h2_stream *stream);
};

/* Queues what a connection begins with. `events` are borrowed, as `arg` is, which goes with those
 * that have no stream. */
void h2_init(
    struct h2 *h2, const struct h2_options *options, const struct h2_events *events, void *arg);
void h2_free(struct h2 *h2);
/* No event is called any more, whatever is on the stack. */
void h2_stop(struct h2 *h2);

/* False: the connection cannot go on, not even for a GOAWAY; h2->reason says why. */
bool h2_receive(struct h2 *h2, const uint8_t *data, size_t len) MUST_USE;
/* Writes what there is to say, until is_full. */
void h2_flush(struct h2 *h2);
/* Nothing will be read or written any more: after an error, or GOAWAY and the last stream. */
bool h2_is_done(const struct h2 *h2) MUST_USE;
/* The frames of a head have begun to come and not ended. */
bool h2_is_head_begun(const struct h2 *h2) MUST_USE;

/* Clients: a stream for a request, which waits while it must (h2_start(), the peer's limit).
 * h2_head_open() and h2_head_close() at once. */
void h2_submit(struct h2 *h2, struct h2_stream *stream, bool is_of_head);
/* Clients: the peer is reached. */
void h2_start(struct h2 *h2);
/* Clients: no GOAWAY came, and identifiers are left. */
bool h2_may_submit(const struct h2 *h2) MUST_USE;
/* What the peer allows at a time. */
uint32_t h2_peer_streams_max(const struct h2 *h2) MUST_USE;
/* The head of `stream`, which may be closed, left for the transport. */
bool h2_is_sent(const struct h2_stream *stream) MUST_USE;

/* Where the encoded fields of a head go; nothing else may be called before h2_head_close(). */
struct buf *h2_head_open(struct h2_stream *stream) MUST_USE;
/* is_end: no body, nor trailers. */
void h2_head_close(struct h2_stream *stream, bool is_end);
/* In between: what the peer's table keeps. NULL: it may not be used for this head. */
struct hpack_kept *h2_head_kept(struct h2_stream *stream) MUST_USE;
/* A part of a body, of which nothing waits: written at once, as far as the windows and the
 * transport allow. Returns how much; the rest is its owner's to keep, for body(). */
size_t h2_offer(struct h2_stream *stream, const uint8_t *data, size_t len) MUST_USE;
/* There is body to send, or its end. */
void h2_resume(struct h2_stream *stream);
/* Ends it at once, and nothing is told. A request that waits is never sent; of a stream that both
 * have ended nobody needs to hear. */
void h2_reset(struct h2_stream *stream, uint32_t code);

/* Bytes of bodies were taken: the peer may send as many more. */
void h2_consume(struct h2_stream *stream, size_t len);
void h2_consume_connection(struct h2 *h2, size_t len);
/* Larger windows than the ones that the connection began with, in bytes. */
void h2_widen(struct h2_stream *stream, uint32_t size);
void h2_widen_connection(struct h2 *h2, uint32_t size);

void h2_ping(struct h2 *h2);
/* GOAWAY before the last one (6.8): requests on their way are still served. */
void h2_notice(struct h2 *h2);
/* GOAWAY: no stream after those seen. */
void h2_goaway(struct h2 *h2);
/* GOAWAY with an error; nothing is read any more. */
void h2_terminate(struct h2 *h2, uint32_t code);

#endif
