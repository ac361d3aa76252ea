/* Moves the two bodies of an exchange, written through at once, with back-pressure both ways. The
 * request's body is kept until the answer begins, up to a limit, so that the request can be sent
 * again. */
#ifndef EKSGATE_RELAY_H
#define EKSGATE_RELAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/buf.h"
#include "kubeproxyd/http/peer.h"

/* A plain value inside the exchange; relay_start() initialises it. */
struct relay {
	struct peer client;
	struct peer upstream; /* object NULL: none attached */
	struct buf
	    kept; /* of the request's body: all of it while is_keeping, else what is not sent yet */
	size_t sent; /* how much of `kept` the upstream has */
	size_t keep_max;
	bool is_keeping;
	bool is_request_ended; /* the client's body is complete */
	bool is_end_sent; /* and the upstream knows */
	bool is_upstream_full;
	bool is_client_full; /* and the upstream paused */
	bool is_held; /* both are paused: somebody else lags behind */
	bool is_client_paused;
	bool was_client_paused; /* since relay_awaited_client() */
	uint64_t request_bytes; /* received from the client */
	uint64_t answer_bytes; /* sent to the client */
};

void relay_start(struct relay *relay, struct peer client, size_t keep_max, bool has_body);
/* Asks the client for its body. */
void relay_open(struct relay *relay);
/* The upstream has the head: everything kept goes to it from the first byte. `may_send` is what
 * send_head() returned. */
void relay_attach(struct relay *relay, struct peer upstream, bool may_send);
/* The upstream is gone; another may be attached when relay_can_replay(). */
void relay_detach(struct relay *relay);
/* Whether all of the request's body so far is at hand. */
bool relay_can_replay(const struct relay *relay) MUST_USE;
/* The answer has begun: nothing will be sent again. */
void relay_forget(struct relay *relay);
/* A verified 101 was relayed: from here on both directions are raw bytes. */
void relay_tunnel(struct relay *relay);

/* Whether the client was to send all the time since the last call. */
bool relay_awaited_client(struct relay *relay) MUST_USE;

void relay_on_request_body(struct relay *relay, const uint8_t *data, size_t len);
void relay_on_request_end(struct relay *relay);
void relay_on_upstream_drain(struct relay *relay);
/* The client has taken the answer's head, and is full already. */
void relay_pause_answer(struct relay *relay);
void relay_on_answer_body(struct relay *relay, const uint8_t *data, size_t len);
void relay_on_client_drain(struct relay *relay);
/* Neither side is read from here on, or both are again, as far as they may. */
void relay_hold(struct relay *relay, bool is_held);
void relay_free(struct relay *relay);

#endif
