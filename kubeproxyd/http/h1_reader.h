/* Reads HTTP/1 messages (llhttp, strict, plus what llhttp lets through: reference kube.md 3.1):
 * pure, no sockets. The caller feeds bytes and takes one event at a time, so that it can stop
 * anywhere. It asks again until H1_MORE, even when no bytes are left: an end may be due. */
#ifndef EKSGATE_H1_READER_H
#define EKSGATE_H1_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "kubeproxyd/http/head.h"

enum h1_kind { H1_REQUESTS, H1_RESPONSES };

struct h1_limits {
	size_t head_bytes; /* request or status line and all fields */
	size_t field_count;
	size_t chunk_extension_bytes; /* per message */
};

enum h1_event {
	H1_MORE, /* everything was used, nothing happened: feed more */
	H1_HEAD, /* h1_reader_head() is complete. 1xx but 101 are delivered as heads without end */
	H1_BODY, /* a piece of the body: h1_reader_body() */
	H1_END, /* the message is complete. Trailers were counted; those of requests are dropped */
	/* Behind the head of a 101: the bytes that follow are not HTTP. A request that asks for an
	 * upgrade (is_upgrade, never with a body) gives H1_HEAD and H1_END like any other: whoever
	 * answers 101 stops feeding the reader until the answer is known, since only then it is
	 * clear what the next bytes are. */
	H1_UPGRADED,
	H1_ERROR, /* h1_reader_error(): the connection is unusable */
};

struct h1_error {
	unsigned status; /* what to answer a client: 400, 431, 501, 505; then close */
	const char *
	    message; /* "Content-Length and Transfer-Encoding in one request", says what is wrong */
};

struct h1_reader;
struct h1_reader *h1_reader_new(enum h1_kind kind, const struct h1_limits *limits) MUST_USE;
void h1_reader_free(struct h1_reader **reader);

/* Advances to the next event. *used is how many bytes of `data` are done with: feed the rest next.
 */
enum h1_event h1_reader_next(
    struct h1_reader *reader, const uint8_t *data, size_t len, size_t *used);
/* After H1_HEAD, until the next message begins. */
struct http_head *h1_reader_head(struct h1_reader *reader);
/* After H1_BODY: points into `data` of that call. */
void h1_reader_body(const struct h1_reader *reader, const uint8_t **data, size_t *len);
/* After H1_END of a response, until the next message begins: its trailers, mostly none. */
const struct http_fields *h1_reader_trailers(const struct h1_reader *reader);
struct h1_error h1_reader_error(const struct h1_reader *reader);
/* Responses: the answer to come is for a HEAD request (no body). Call before its head arrives. */
void h1_reader_expect_no_body(struct h1_reader *reader);
/* Bytes behind a message without keep_alive are dropped (H1_MORE).
 * The peer's bytes ended: H1_END for a body that runs to close, H1_ERROR in the middle of a
 * message, H1_MORE between messages. */
enum h1_event h1_reader_finish(struct h1_reader *reader);
/* True between messages: nothing of a next one was seen. */
bool h1_reader_is_idle(const struct h1_reader *reader);

#endif
