/* What the two halves of an HTTP/2 connection to an API server share: upstream_h2.c owns the
 * connection, upstream_h2_stream.c is one request of it as the exchange sees it. */
#ifndef EKSGATE_UPSTREAM_H2_PRIVATE_H
#define EKSGATE_UPSTREAM_H2_PRIVATE_H

#include <bsd/sys/queue.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/buf.h"
#include "common/loop.h"
#include "kubeproxyd/back/upstream_h2.h"
#include "kubeproxyd/http/h2.h"
#include "kubeproxyd/http/head.h"
#include "kubeproxyd/net/stream_queue.h"

struct h2_request {
	struct h2_stream h2; /* first: each is the other */
	struct upstream_h2 *connection;
	const struct peer_events *events; /* NULL once released */
	void *arg;
	struct buf body; /* of the request, not framed yet */
	size_t body_at;
	struct stream_queue held; /* of the answer, arrived while paused */
	struct holdings *holdings; /* that it counts there, or NULL */
	size_t counted;
	struct http_fields trailers; /* of the answer */
	struct duration response_timeout;
	struct mono deadline; /* of its answer's head, while it is_waiting */
	uint64_t answered_before; /* answers that the connection had given when this was lent */
	const char *complaint; /* why its answer is not HTTP as it must be; NULL: nothing */
	bool is_body_ended, is_body_full, is_submitted, is_waiting;
	bool has_head, is_answer_ended, is_end_told, is_paused, is_listed, is_closed;
	TAILQ_ENTRY(h2_request) entry; /* live ones, or the free list */
	TAILQ_ENTRY(h2_request) ready; /* has events to tell at the end of the turn */
	TAILQ_ENTRY(h2_request) waiting;
};
TAILQ_HEAD(h2_request_list, h2_request);

struct upstream_h2 {
	const struct upstream_h2_pool *pool;
	struct loop *loop;
	struct dial *dial;
	struct stream *stream; /* NULL until connected and once dead */
	struct h2 h2;
	struct deferred flush;
	struct timer *ping;
	struct h2_request_list live, spare, ready;
	struct h2_request_list
	    waiting; /* for heads of answers; who must get one first comes first */
	struct timer *deadline; /* NULL: none ever waited */
	struct mono wakes_at; /* when it is set: no later than the first of them, who may be gone */
	size_t count;
	struct mono idle_since;
	uint64_t answered;
	struct http_head answer; /* the head that arrives now */
	const char *complaint; /* why the connection was given up, if it is */
	bool is_connected, is_draining, is_dead, is_ping_out, has_heard;
};

/* --- upstream_h2.c, for the streams */

/* Output is collected at the end of the turn. */
void upstream_h2_ask_flush(struct upstream_h2 *connection);
/* The request is nobody's any more: it goes to the spare ones, and the connection may be idle or
 * over. */
void upstream_h2_park(struct h2_request *request);

/* --- upstream_h2_stream.c, for the connection */

extern const struct peer_verbs h2_request_verbs;

/* A spare one or a new one, not in any list yet. */
struct h2_request *h2_request_take(struct upstream_h2 *connection) MUST_USE;
void h2_request_free(struct h2_request *request);
/* The stream is over before its answer was whole. */
void h2_request_fail(struct h2_request *request, enum peer_failure_kind kind, const char *reason);
/* The head of the answer is there, or will not be waited for. */
void h2_request_stop_waiting(struct h2_request *request);
/* A part of the answer arrived while it is paused. */
void h2_request_hold(struct h2_request *request, const uint8_t *data, size_t len);
/* Something is to be told to its owner at the end of the turn: h2_request_tell(). */
void h2_request_make_ready(struct h2_request *request);
/* Gives what arrived while it was paused, room for more body, the end: each may pause, release or
 * fail it. */
void h2_request_tell(struct h2_request *request);
/* The answer is complete, and nothing of it is held. */
void h2_request_tell_end(struct h2_request *request);
/* For the engine: what there is of the request's body, and its bytes. */
size_t h2_request_body(struct h2_stream *h2, enum h2_body *state);
void h2_request_write_body(struct h2_stream *h2, size_t len);

#endif
