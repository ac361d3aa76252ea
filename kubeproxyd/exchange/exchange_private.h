/* Between the files of one exchange: exchange.c (its way to the API server), exchange_answer.c (the
 * way back), exchange_end.c (how it ends), exchange_audit.c (its audit events), exchange_remote.c
 * (execs and attaches). Nobody else includes this. */
#ifndef EKSGATE_EXCHANGE_PRIVATE_H
#define EKSGATE_EXCHANGE_PRIVATE_H

#include "common/arena.h"
#include "common/buf.h"
#include "common/mono.h"
#include "kubeproxyd/exchange/activity.h"
#include "kubeproxyd/exchange/admission.h"
#include "kubeproxyd/exchange/delete_each.h"
#include "kubeproxyd/exchange/exchange.h"
#include "kubeproxyd/exchange/exchange_audit.h"
#include "kubeproxyd/exchange/exchange_filter.h"
#include "kubeproxyd/exchange/exchange_remote.h"
#include "kubeproxyd/exchange/exchanges.h"
#include "kubeproxyd/exchange/pace.h"
#include "kubeproxyd/exchange/relay.h"
#include "kubeproxyd/policy/options.h"
#include "kubeproxyd/record/audit_id.h"

struct identity_query;
struct token_wait;

enum exchange_state {
	STATE_IDENTIFYING,
	STATE_HOLDING, /* the request's body is gathered, which decides */
	STATE_OPENING_RECORDING, /* its file is made, without which it may not begin */
	STATE_GETTING_TOKEN,
	STATE_WAITING, /* the request is on its way, the answer has not begun */
	STATE_DELETING, /* a collection, one by one */
	STATE_RELAYING,
	STATE_TUNNEL,
	STATE_ENDED, /* the client has all of the answer */
	STATE_DONE,
};

struct exchange {
	struct arena arena; /* of itself and of all that ends with it */
	struct exchange_link link;
	struct exchanges *all;
	enum exchange_state state;
	struct peer client;
	struct peer upstream; /* object NULL: none */
	struct caller *caller;
	const struct http_head *request;
	struct identity *identity;
	struct identity_query *query;
	struct token_wait *wait;
	struct admission admission;
	struct exchange_audit audit;
	struct relay relay;
	struct pace pace;
	struct role_options options; /* of the user's roles */
	struct activity activity; /* followed when they have client_idle_timeout */
	struct exchange_remote *remote; /* of an exec or attach; NULL: it is none */
	struct mono started;
	char audit_id[AUDIT_ID_TEXT];
	unsigned status; /* what the client was answered; 0: nothing */
	bool is_upgrade; /* and was sent as one */
	bool is_taken_back; /* the client wants no answer any more */
	bool is_answered_here; /* with a document of the proxy's own */
	bool has_new_token; /* the API server refused the one before */
	bool is_half_closed; /* the API server ended its side of the tunnel, and was not told that
				the client did */
	bool was_cut; /* a pooled connection turned out dead: the next must be fresh */
	unsigned resent; /* how often */
	struct buf rules; /* the answer to a review of rules, until it is complete */
	bool holds_rules;
	struct exchange_filter *filter; /* of the answer, or NULL */
	struct delete_each *each; /* of a collection, or NULL */
};

void exchange_set_state(struct exchange *exchange, enum exchange_state state);
/* Everything is decided and prepared: it takes its way. */
void exchange_go_on(struct exchange *exchange);
/* The token, then the request to the API server; the first time and every time it is sent anew,
 * after exchange_drop_upstream(). */
void exchange_get_token(struct exchange *exchange);
/* What the API server does; `arg` is the exchange. */
extern const struct peer_events exchange_upstream_events;

/* The head of an answer as the client gets it. False: it must not be relayed; *message (free()). */
bool exchange_build_answer(const struct exchange *exchange, const struct http_head *upstream,
    struct http_head *head, char **message) MUST_USE;
void exchange_relay_head(struct exchange *exchange, const struct http_head *head);
/* A part of the body that the client gets. */
void exchange_relay_body(struct exchange *exchange, const uint8_t *data, size_t len);
/* All of it was relayed. */
void exchange_relay_end(struct exchange *exchange);

/* Ends a tunnel of which both sides have said all. */
void exchange_end_tunnel(struct exchange *exchange);
/* An answer to a review of rules begins: whether it is held back. */
bool exchange_rules_begin(struct exchange *exchange, const struct http_head *head) MUST_USE;
void exchange_rules_add(struct exchange *exchange, const uint8_t *data, size_t len);
/* It is complete: the client gets what the policy leaves of it. */
void exchange_rules_end(struct exchange *exchange);

void exchange_drop_upstream(struct exchange *exchange);
/* The one way out; `reason` goes into the records. */
void exchange_finish(struct exchange *exchange, const char *reason);
/* The same at the end of this turn, for an answer that is complete. */
void exchange_end_later(struct exchange *exchange);
/* Answers with a Status of our own and ends. */
void exchange_answer(struct exchange *exchange, unsigned status, const char *message);
/* Answers with what the admission has to say, and ends. */
void exchange_answer_refused(struct exchange *exchange);
/* Answers with a document of ours and status 200, and ends with the turn. */
void exchange_answer_document(struct exchange *exchange, const char *type, const struct buf *body);
/* The same with Retry-After in seconds, 0: none. */
void exchange_answer_after(
    struct exchange *exchange, unsigned status, const char *message, unsigned retry_after);
/* The same, about the cluster: "cluster "prod": …"; remembered for `kubeproxyd ls`. */
void exchange_answer_for_cluster(struct exchange *exchange, unsigned status, const char *problem);

#endif
