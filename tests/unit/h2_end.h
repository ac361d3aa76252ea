/* The other end of an HTTP/2 connection in tests, by nghttp2 itself: what it heard is written down,
 * what it says is queued as bytes. It stands for a client or for an API server. */
#ifndef EKSGATE_TESTS_H2_END_H
#define EKSGATE_TESTS_H2_END_H

#include <nghttp2/nghttp2.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"

#define H2_END_STREAMS 512

struct h2_end_stream {
	int32_t id;
	struct buf head; /* "name: value\n" each; 1xx heads and trailers too */
	struct buf body, to_send;
	bool has_end, is_closed, is_last; /* is_last: nothing follows what is in to_send */
	uint32_t code;
};

struct h2_end {
	nghttp2_session *session;
	struct h2_end_stream streams[H2_END_STREAMS];
	size_t count;
	unsigned goaways, pings, acks;
	int32_t last_id; /* of the last GOAWAY */
	uint32_t goaway_code;
};

struct h2_end_options {
	bool is_server;
	bool is_lax; /* may send what is not HTTP */
	bool gives_no_credit; /* windows stay as they are until h2_end_credit() */
	uint32_t streams_max, window; /* 0: the defaults */
};

void h2_end_init(struct h2_end *end, const struct h2_end_options *options);
void h2_end_free(struct h2_end *end);
/* Bytes for it. False: it gave the connection up. */
bool h2_end_hear(struct h2_end *end, const void *data, size_t len);
/* Bytes from it. */
void h2_end_say(struct h2_end *end, struct buf *out);
/* NULL when it has not heard of it. */
struct h2_end_stream *h2_end_find(struct h2_end *end, int32_t id);
/* The stream heard of or made last. */
struct h2_end_stream *h2_end_last(struct h2_end *end);
/* `pairs`: names and values up to NULL. A body follows by h2_end_send(). */
int32_t h2_end_request(struct h2_end *end, const char *const *pairs, bool has_body);
void h2_end_answer(struct h2_end *end, int32_t id, const char *const *pairs, bool has_body);
void h2_end_send(struct h2_end *end, int32_t id, const char *data, size_t len, bool is_last);
/* Gives back `len` bytes of the stream's and the connection's window. */
void h2_end_credit(struct h2_end *end, int32_t id, size_t len);

#endif
