/* What HTTP/2 keeps of a connection and of its streams: values that their owners embed, and whose
 * members nobody but h2*.c reads, unless it says so. */
#ifndef EKSGATE_H2_STATE_H
#define EKSGATE_H2_STATE_H

#include <bsd/sys/queue.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "kubeproxyd/http/h2_frame.h"
#include "kubeproxyd/http/hpack.h"
#include "kubeproxyd/http/hpack_decode.h"
#include "kubeproxyd/http/stream_ids.h"

struct h2_events;

struct h2;

/* Credit that was given to the peer. */
struct h2_window {
	int64_t size, used; /* used: arrived and not given back */
	int64_t consumed; /* of those, what may be given back */
};

/* A member of what its owner keeps about a request: the first, so that one is the other. {0} before
 * h2_submit() or on_open. */
struct h2_stream {
	struct h2 *h2; /* NULL: not open, or closed */
	uint32_t id; /* 0: waits for its turn (clients) */
	struct h2_stream *next; /* of the same slot */
	TAILQ_ENTRY(h2_stream) entry; /* of those that have something to send, or wait to begin */
	struct h2_window window;
	int64_t credit; /* what the peer lets us send */
	int64_t missing; /* of the body that content-length announced; -1: nothing was announced */
	uint64_t head_at; /* the position of its first head in all that is sent, never 0 */
	uint64_t flags_at; /* that of the flags of its last DATA; 0: there was none */
	struct buf waiting; /* its head, while it waits */
	bool is_listed, is_waiting, is_end_first; /* is_end_first: nothing follows its head */
	bool has_head; /* the peer's, a final one */
	bool is_ended, is_peer_ended; /* END_STREAM was sent, has come */
	bool was_sent; /* its head left before it was closed */
	bool is_of_head; /* the request is HEAD: its answer has no body, whatever it announces */
};
TAILQ_HEAD(h2_stream_queue, h2_stream);

struct h2_options {
	bool is_server;
	uint32_t streams_max; /* servers: at a time */
	uint32_t stream_window, connection_window; /* bytes; at least 65,535 of a connection */
	uint32_t header_list_max; /* as SETTINGS tell it: enforced by on_field */
	size_t continuations_max; /* of one head */
};

/* Of one connection; h2_init(). Members are read by nobody but h2*.c. */
struct h2 {
	const struct h2_events *events;
	void *arg;
	struct h2_options options;
	struct hpack_decoder decoder;
	struct hpack_kept kept; /* of the heads that we write */
	struct buf in; /* the beginning of a frame */
	struct buf block; /* of a head whose frames have not all come */
	struct h2_frame head; /* that one */
	size_t continuations;
	struct h2_frame frame; /* whose payload is taken as it comes: DATA, or of an unknown type */
	size_t left, padding; /* of it */
	bool is_padding_due; /* its first byte says how much */
	struct buf out;
	size_t open_at; /* where the head begins that is written now */
	uint64_t written; /* bytes that left `out` */
	unsigned replies; /* frames that the peer made us send since the last flush */
	struct h2_stream **slots;
	size_t slot_count, count; /* streams, without those that wait */
	struct h2_stream_queue sendable, waiting;
	struct h2_window window;
	int64_t credit, initial_credit; /* initial_credit: of streams to come */
	uint32_t highest; /* clients: the last stream begun; servers: the peer's last */
	uint32_t goaway_last; /* what we said in GOAWAY */
	uint32_t peer_streams_max;
	struct stream_ids ids;
	size_t preface; /* bytes of the client's that have come */
	unsigned acks_due; /* of our SETTINGS */
	bool is_started, has_settings, owes_table_size, is_table_closed;
	bool has_said_goaway, has_heard_goaway, is_terminated, is_stopped;
	const char *reason; /* why h2_receive() failed */
};

#endif
