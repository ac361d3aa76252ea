/* One request's life, from its head to its access line. */
#ifndef EKSGATE_EXCHANGE_H
#define EKSGATE_EXCHANGE_H

#include <stdbool.h>

#include "common/attr.h"
#include "common/mono.h"
#include "kubeproxyd/http/head.h"
#include "kubeproxyd/http/peer.h"

struct caller;
struct cluster;
struct exchange;
struct exchanges;

/* `head` and `caller` are borrowed until the exchange releases the client. */
struct exchange *exchange_new(struct exchanges *all, struct peer client, struct caller *caller,
    const struct http_head *head) MUST_USE;
/* Its client is the proxy itself: a filtered list has its pages. Before exchange_start(). */
void exchange_let_page(struct exchange *exchange);
/* It takes its way at the end of this turn, or inside this call when no credential of its caller
 * was accepted yet: it may answer and release the client then. */
void exchange_start(struct exchange *exchange);
/* What the client does, as of any peer (on_head is not used); `arg` is the exchange. */
extern const struct peer_events exchange_client_events;

/* For the list: the steps of its way. Each may answer and release the client. */
void exchange_arrive(struct exchange *exchange);
void exchange_leave(struct exchange *exchange);
void exchange_end(struct exchange *exchange);
/* Whoever sits at an exec or attach reads the reason; a second call does not wait for
 * that any more. */
void exchange_cut(struct exchange *exchange, const char *reason);
/* When it is a watch that answers by now: ends it as API servers do, cleanly. False: it is not. */
bool exchange_end_watch(struct exchange *exchange, const char *reason);
/* What let it in is gone: a watch ends cleanly, whatever else runs is cut. */
void exchange_withdraw(struct exchange *exchange, const char *reason);
void exchange_recheck(struct exchange *exchange);
/* Whether a lock keeps its user out by now. */
void exchange_check_locks(struct exchange *exchange);
/* And whether a role lets it run on. */
void exchange_check_expiry(struct exchange *exchange);
/* Ends it when the client sends its body too slowly. False: there is nothing to watch any more. */
bool exchange_check_pace(struct exchange *exchange, struct duration elapsed) MUST_USE;
bool exchange_is_for(const struct exchange *exchange, const struct cluster *cluster) MUST_USE;
/* Whether who asks is known by a token. */
bool exchange_is_by_token(const struct exchange *exchange) MUST_USE;
/* Whether it is an upgrade of that user's, admitted or about to be. */
bool exchange_is_tunnel_of(const struct exchange *exchange, const char *user) MUST_USE;
bool exchange_is_long(const struct exchange *exchange) MUST_USE;

#endif
