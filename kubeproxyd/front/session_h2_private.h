/* What the two halves of an HTTP/2 client connection share: session_h2.c owns the connection,
 * session_h2_stream.c is one request as the exchange sees it. */
#ifndef EKSGATE_SESSION_H2_PRIVATE_H
#define EKSGATE_SESSION_H2_PRIVATE_H

#include <bsd/sys/queue.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/loop.h"
#include "kubeproxyd/front/flood.h"
#include "kubeproxyd/front/session.h"
#include "kubeproxyd/http/h2.h"
#include "kubeproxyd/http/head.h"
#include "kubeproxyd/http/peer.h"
#include "kubeproxyd/net/stream_queue.h"

#define CLIENT_BODY_WINDOW (256 * 1024)
/* Of a body while nobody knows whose it is, and of all bodies of a stranger's connection: the least
 * that HTTP/2 lets a connection have (RFC 9113, 6.9.2). */
#define STRANGER_WINDOW 65535
/* Kept for the next requests. Builds with a sanitizer keep none. */
#ifndef H2_SPARE_STREAMS
#define H2_SPARE_STREAMS 256
#endif

struct h2_conversation;

/* One stream. It lives until it is closed and the exchange released it. */
struct client_stream {
	struct h2_stream h2; /* first: each is the other */
	struct h2_conversation *conversation;
	struct exchange *exchange; /* NULL before the head is complete, and once released */
	struct http_head request;
	size_t head_bytes;
	struct {
		unsigned status; /* 0: none */
		const char *message;
	} refusal; /* its head is bad: answered by us when it is complete */
	struct stream_queue answer; /* body, not framed yet */
	size_t counted; /* of it, by the holdings */
	struct http_fields trailers; /* of the answer */
	struct buf held; /* of the request's body, arrived while paused */
	bool is_paused, is_request_ended, is_end_told, owes_continue;
	bool is_fresh; /* not one of the spare ones: its head has room that it may not need */
	bool is_widened; /* its window, since its body is wanted */
	bool has_answered_head, has_answered, is_full, is_bodiless;
	bool is_closed, is_listed;
	TAILQ_ENTRY(client_stream) entry;
	TAILQ_ENTRY(client_stream) ready; /* has events to tell at the end of the turn */
};
TAILQ_HEAD(client_stream_list, client_stream);

struct h2_conversation {
	struct session *session;
	struct stream *stream; /* the session's; NULL once closed */
	struct h2 h2;
	struct deferred flush;
	struct timer *timer; /* while no request is there, or the head of one is on its way */
	struct timer *notice; /* between the two GOAWAYs of a drain; NULL before */
	struct client_stream_list live, ready;
	size_t count;
	struct flood flood;
	bool has_certificate; /* that was accepted: who asks is known before a body comes */
	bool is_stranger; /* bodies that nobody has taken use the connection's window up */
	size_t untaken; /* bytes of them */
	uint64_t heads, timed_head; /* that began to come; the one that the timer is for */
	bool is_head_timed; /* the timer is for one */
	bool is_closed;
};

/* --- session_h2.c */

void h2_ask_flush(struct h2_conversation *conversation);
/* Bytes of a body were handed on, or dropped. */
void h2_note_taken(struct h2_conversation *conversation, size_t len);
/* GOAWAY: no stream after the last one seen. */
void h2_say_goodbye(struct h2_conversation *conversation);

/* --- session_h2_stream.c */

struct client_stream *client_stream_new(struct h2_conversation *conversation) MUST_USE;
void client_stream_free(struct client_stream *stream);
/* The head is complete. */
void client_stream_start(struct client_stream *stream);
/* Answers its refusal in place of an exchange. */
void client_stream_refuse(struct client_stream *stream);
void client_stream_on_body(struct client_stream *stream, const uint8_t *data, size_t len);
void client_stream_on_request_end(struct client_stream *stream);
/* The stream is closed, or the client gone: the exchange, if any, is told. */
void client_stream_cut(struct client_stream *stream, const char *reason);
/* For the engine: what there is of the answer's body, its bytes, its trailers. */
size_t client_stream_body(struct h2_stream *h2, enum h2_body *state);
void client_stream_write_body(struct h2_stream *h2, size_t len);
void client_stream_write_trailers(struct h2_stream *h2);
/* Held body, its end, room for more answer: told at the end of the turn. */
void client_stream_tell(struct client_stream *stream);

#endif
