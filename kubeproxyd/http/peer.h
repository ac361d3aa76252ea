/* One side of an exchange, client or API server, whatever the HTTP version: verbs that the exchange
 * calls, and events that it gets. Sessions and upstreams implement it; h1 and h2 meet here and
 * nowhere else. */
#ifndef EKSGATE_PEER_H
#define EKSGATE_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"

struct http_fields;
struct http_head;

/* Verbs never call events: what they cause arrives later. After release() no event comes any more.
 */
struct peer_verbs {
	/* Once, first: the request to an API server, the answer to a client. A head without a body
	 * still needs send_end(). After a 101 both directions are raw bytes. False: full, wait for
	 * on_drain. */
	bool (*send_head)(void *object, const struct http_head *head) MUST_USE;
	/* Copies and writes through at once. False: full, wait for on_drain (what was given is
	 * taken all the same). */
	bool (*send_body)(void *object, const uint8_t *data, size_t len) MUST_USE;
	/* Clients only, after the body: fields that the end will bring. Where the framing has no
	 * place for them they are dropped. */
	void (*send_trailers)(void *object, const struct http_fields *fields);
	/* This direction is complete; in a tunnel: half close. */
	void (*send_end)(void *object);
	/* Whether the peer's body is handed up. A client begins paused: the first resume asks for
	 * the body (and answers "Expect: 100-continue"). */
	void (*pause)(void *object);
	void (*resume)(void *object);
	/* The exchange is done with this side. What is not complete is cut, so that nobody takes it
	 * for complete. */
	void (*release)(void *object);
};

/* `object` NULL: none. */
struct peer {
	const struct peer_verbs *verbs;
	void *object;
};

enum peer_failure_kind {
	PEER_CONNECT, /* no connection: name not found, refused, unreachable */
	PEER_TLS, /* handshake or certificate */
	PEER_TIMEOUT, /* connecting took too long, or no answer came in time */
	PEER_REFUSED, /* h2: refused, provably unprocessed */
	PEER_CUT_BEFORE_HEAD, /* the connection ended before the answer began */
	PEER_CUT, /* it ended in the middle of the answer, or the client went away */
	PEER_MALFORMED, /* what came is not HTTP */
};

struct peer_failure {
	enum peer_failure_kind kind;
	const char *reason; /* for people and the log; borrowed */
	bool is_reused; /* the connection had answered a request before this one */
	bool is_unsent; /* no byte of the request left: whatever the method, it may be sent again */
};

struct peer_events {
	/* Upstreams only. 1xx other than 101 do not arrive. */
	void (*on_head)(void *arg, const struct http_head *head);
	void (*on_body)(void *arg, const uint8_t *data, size_t len);
	/* Upstreams: nothing of an answer follows. */
	void (*on_end)(void *arg);
	/* After a verb returned false: there is room again. */
	void (*on_drain)(void *arg);
	/* The side is dead; release() must still be called. */
	void (*on_failed)(void *arg, const struct peer_failure *failure);
	/* Upstreams only, right before on_end: what came behind the answer's body. */
	void (*on_trailers)(void *arg, const struct http_fields *fields);
};

#endif
