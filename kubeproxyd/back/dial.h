/* Reaching an API server: the name is resolved, its addresses are tried in turn, TLS is done.
 * Private to the back room. */
#ifndef EKSGATE_DIAL_H
#define EKSGATE_DIAL_H

#include <stdint.h>

#include "common/attr.h"
#include "common/mono.h"
#include "kubeproxyd/http/peer.h"

struct dial;
struct loop;
struct resolver;
struct stream;
struct tls_client;

/* Borrowed until the callback or dial_cancel(). */
struct dial_target {
	struct loop *loop;
	struct resolver *resolver;
	struct tls_client *tls;
	const char *host;
	uint16_t port;
	struct duration timeout; /* for all of it */
};

/* `stream` is open and the callee's (stream_set_events() first); or NULL, with why. Never called
 * inside dial_start(). */
typedef void dial_fn(
    void *arg, struct stream *stream, enum peer_failure_kind kind, const char *reason);

struct dial *dial_start(const struct dial_target *target, dial_fn *fn, void *arg) MUST_USE;
/* No callback any more; *dial becomes NULL. Safe on NULL. Dead by itself once the callback ran. */
void dial_cancel(struct dial **dial);

#endif
