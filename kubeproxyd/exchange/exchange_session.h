/* Which exchanges are sessions of people in containers (exec, attach, port-forward), what can be
 * said of one while it runs, and its end by an administrator. */
#ifndef EKSGATE_EXCHANGE_SESSION_H
#define EKSGATE_EXCHANGE_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/buf.h"
#include "common/mono.h"

struct exchange;
struct exchanges;

/* Texts are borrowed from the exchange; NULL or "" where there is none. */
struct exchange_session {
	const char *id; /* the audit id */
	const char *kind; /* "exec", "attach", "port-forward" */
	const char *user, *cluster, *arn, *namespace, *pod;
	const char *container; /* "" when the client left it to the API server */
	const char *command; /* of an exec, in one line */
	const char *ports; /* of a port-forward, a JSON array of texts */
	const char *client, *protocol;
	bool has_terminal;
	bool is_open; /* the tunnel is there */
	struct unix_time since;
	uint64_t bytes_in, bytes_out; /* from the client, to the client */
};

typedef void exchange_session_fn(
    void *arg, struct exchange *exchange, const struct exchange_session *session);

/* All that were admitted, the oldest first; `fn` may end the one that it gets. */
void exchange_sessions_each(struct exchanges *all, exchange_session_fn *fn, void *arg);
/* Before metrics are written: the gauge eksgate_sessions; `all` is the exchanges. */
void exchange_sessions_collect(void *all);
/* An administrator ends it: `by` and `reason` (NULL: none) go into the audit log, the reason to the
 * user. */
void exchange_session_terminate(struct exchange *exchange, const char *by, const char *reason);

#endif
