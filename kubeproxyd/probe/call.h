/* One request of the proxy's own to an API server: a bearer token, no impersonation, an answer that
 * fits in memory. */
#ifndef EKSGATE_CALL_H
#define EKSGATE_CALL_H

#include <stdbool.h>
#include <stddef.h>

#include "common/attr.h"
#include "common/loop.h"
#include "common/mono.h"
#include "kubeproxyd/http/peer.h"

#define CALL_ANSWER_MAX ((size_t)256 * 1024)

struct call;
struct cluster;
struct upstreams;

/* Borrowed for the call of call_start(). */
struct call_request {
	const char *method, *target;
	const char *content_type, *body; /* NULL: none */
	const char *token;
	struct duration timeout; /* for all of it */
	bool is_alone; /* on a connection of its own: no pool sees the token */
};

/* Borrowed for the callback. */
struct call_answer {
	unsigned status; /* 0: none came */
	const char *body; /* NUL-terminated, never NULL */
	size_t body_len;
	/* Without an answer: */
	enum peer_failure_kind failure;
	const char *reason;
};
typedef void call_fn(void *arg, const struct call_answer *answer);

/* `cluster` is prepared (cluster.h). The callback comes once, never inside this call; the call is
 * dead by then. */
struct call *call_start(struct loop *loop, struct upstreams *upstreams, struct cluster *cluster,
    const struct call_request *request, call_fn *fn, void *arg) MUST_USE;
/* No callback any more; *call becomes NULL. Safe on NULL. */
void call_cancel(struct call **call);

#endif
