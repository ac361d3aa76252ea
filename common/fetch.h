/* HTTP(S) requests on the loop, by libcurl's multi interface: one call, one callback, limits. For
 * AWS, for identity providers; never for the proxy path. No redirects, no proxy to link-local
 * hosts, PATH_AS_IS, no "Expect". */
#ifndef EKSGATE_FETCH_H
#define EKSGATE_FETCH_H

#include <stdbool.h>
#include <stddef.h>

#include "common/attr.h"
#include "common/mono.h"

struct loop;
struct sockaddr;
struct fetcher;
struct fetch;

struct fetch_header {
	const char *name;
	const char *value;
};

/* Everything is copied by fetch_start(). */
struct fetch_request {
	const char *method; /* "GET", "POST", "DELETE", "PUT" */
	const char *url;
	const struct fetch_header *headers;
	size_t header_count;
	const void *body; /* NULL for none; then a POST sends Content-Length: 0 */
	size_t body_len;
	struct duration timeout; /* the whole call; 0 means 15 s. Connecting is bounded by 3.1 s */
	size_t max_bytes; /* of the answer; 0 means 8 MiB. More fails the call */
	const char *ca_file; /* NULL: the system's */
	const char *unix_socket; /* NULL: by the URL's host */
	bool no_proxy; /* whatever the environment says */
	/* Asked for each address before it is connected to, after names were resolved; NULL allows
	 * all. False for all of them fails the call. */
	bool (*may_connect)(const struct sockaddr *address);
};

/* Valid only during the callback. */
struct fetch_reply {
	int status; /* HTTP status; 0 when no answer arrived */
	const char *error; /* NULL, or why there is no (whole) answer: "could not resolve host:
			      eks.…", "timed out after 15 s" */
	bool timed_out;
	const char *body; /* never NULL, NUL-terminated */
	size_t body_len;
	const struct fetch_header *headers;
	size_t header_count;
};

typedef void fetch_fn(void *arg, const struct fetch_reply *reply);

struct fetcher *fetcher_new(struct loop *loop) MUST_USE;
/* Cancels what is under way (their callbacks are not called). */
void fetcher_free(struct fetcher **fetcher);

/* Never fails: what goes wrong arrives by the callback, and never before this call has returned. */
struct fetch *fetch_start(
    struct fetcher *fetcher, const struct fetch_request *request, fetch_fn *fn, void *arg);
/* Ends a call without its callback; *fetch becomes NULL. The handle is dead by itself once the
 * callback ran. */
void fetch_cancel(struct fetch **fetch);

/* The first header of that name (any case) or NULL. */
const char *fetch_reply_header(const struct fetch_reply *reply, const char *name);

#endif
