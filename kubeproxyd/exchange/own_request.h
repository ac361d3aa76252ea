/* A request of the proxy's own in the name of a client that has asked for something larger. It goes
 * the way of a client's request, from identity to audit event, with the client's credential:
 * nothing is allowed, recorded or sent otherwise than if the client had made it. */
#ifndef EKSGATE_OWN_REQUEST_H
#define EKSGATE_OWN_REQUEST_H

#include <stdbool.h>
#include <stddef.h>

#include "common/attr.h"

struct buf;
struct caller;
struct exchanges;
struct http_head;
struct own_request;

/* Borrowed for the call of own_request_start(). */
struct own_request_input {
	const struct http_head *client; /* whose credential and names are taken over */
	const char *method;
	const char *target; /* as a client would write it, with its prefix */
	const char *accept;
	const char *content_type; /* of the body */
	const struct buf *body; /* NULL: none */
	size_t answer_max; /* what is kept of the answer's body; 256 KiB, if that is less, while all
			    * answers fill their memory (net/holdings.h) */
	bool needs_whole; /* a longer answer is given up, else its rest is passed over */
};

/* Borrowed for the callback. */
struct own_answer {
	unsigned status; /* 0: it was cut before an answer came */
	unsigned retry_after; /* seconds; 0: not said */
	const char *body; /* NUL-terminated, never NULL */
	size_t body_len;
	bool is_whole; /* it came to its end, and all of it was kept */
	bool is_too_long;
};
typedef void own_request_fn(void *arg, const struct own_answer *answer);

/* `caller` outlives the request. The callback comes once, never inside this call; the request is
 * dead by then. */
struct own_request *own_request_start(struct exchanges *all, struct caller *caller,
    const struct own_request_input *input, own_request_fn *fn, void *arg) MUST_USE;
/* No callback any more; *request becomes NULL. Safe on NULL. */
void own_request_cancel(struct own_request **request, const char *reason);

#endif
