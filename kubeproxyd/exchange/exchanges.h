/* All live exchanges and what they share: the one list that drain and withdrawal walk. */
#ifndef EKSGATE_EXCHANGES_H
#define EKSGATE_EXCHANGES_H

#include <bsd/sys/queue.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/loop.h"
#include "common/mono.h"
#include "kubeproxyd/exchange/in_flight.h"
#include "kubeproxyd/exchange/spool.h"
#include "kubeproxyd/http/head.h"

struct audit;
struct cluster;
struct clusters;
struct directory;
struct exchange;
struct holdings;
struct identity_providers;
struct lock_watch;
struct metric;
struct metrics;
struct policy;
struct recordings;
struct settings;
struct subscriber;
struct timer;
struct upstreams;

/* Everything is borrowed and outlives the exchanges; a reference to the policy is taken. */
struct exchanges_options {
	struct loop *loop;
	struct metrics *metrics;
	const struct settings *settings;
	struct policy *policy;
	struct identity_providers *providers;
	const struct lock_watch *locks;
	const char *authority; /* PEM: what users check the server's certificate against */
	struct directory *directory;
	struct clusters *clusters;
	struct subscriber *subscriber;
	struct upstreams *upstreams;
	struct audit *audit; /* NULL: off */
	struct recordings *recordings; /* NULL: none can be made */
	struct holdings *holdings; /* limited here. NULL: answers are not counted */
};

/* What is done at the end of a turn, for all at a time: a request walks through more code than the
 * processor's nearest cache holds, and the next one finds each step's still there. */
enum exchange_step {
	EXCHANGE_ENDS, /* records are written */
	EXCHANGE_ARRIVES, /* who asks, and may it */
	EXCHANGE_LEAVES, /* to the API server */
	EXCHANGE_STEPS, /* how many; as the step of an exchange: none */
};

struct exchange_link {
	TAILQ_ENTRY(exchange_link) entry;
	TAILQ_ENTRY(exchange_link) body_entry;
	TAILQ_ENTRY(exchange_link) stalled_entry;
	TAILQ_ENTRY(exchange_link) step_entry;
	enum exchange_step step; /* that it waits for */
	bool is_receiving; /* in `receiving` */
	bool is_stalled; /* in `stalled` */
	struct exchange *exchange;
};

struct exchanges {
	struct exchanges_options with;
	TAILQ_HEAD(, exchange_link) live;
	size_t count;
	TAILQ_HEAD(, exchange_link) steps[EXCHANGE_STEPS];
	struct deferred stepping;
	struct in_flight in_flight;
	TAILQ_HEAD(, exchange_link) receiving; /* a request's body, perhaps complete by now */
	TAILQ_HEAD(, exchange_link) stalled; /* clients that are full, the longest first */
	struct spools spools; /* the directory, ours, is that of the start */
	struct timer *look; /* at their pace; set while there are any */
	struct mono looked;
	struct timer *expiry;
	/* Where a head is built before it is sent, one after the other; empty in between. */
	struct http_head scratch;
	struct {
		struct metric *requests, *in_flight, *seconds, *bytes, *upstream_errors, *refused,
		    *held, *filters, *filtered, *spooled;
		struct metric *sessions;
	} metrics;
	uint64_t bytes_in, bytes_out; /* of bodies and tunnels that ended */
};

struct exchanges *exchanges_new(const struct exchanges_options *options) MUST_USE;
void exchanges_free(struct exchanges **exchanges);
/* For exchange.c: the list. `has_body`: the pace of the request's body is watched. */
void exchanges_add(struct exchanges *exchanges, struct exchange_link *link, bool has_body);
void exchanges_remove(struct exchanges *exchanges, struct exchange_link *link);
/* For the files of the exchange: its client is full, or takes more again. */
void exchanges_note_stalled(
    struct exchanges *exchanges, struct exchange_link *link, bool is_stalled);
/* For exchange.c: `step` at the end of this turn. */
void exchanges_step_later(
    struct exchanges *exchanges, struct exchange_link *link, enum exchange_step step);
/* The step that brings in a request, if it waits for that. */
void exchanges_arrive_now(struct exchanges *exchanges, struct exchange_link *link);
/* Upgrades of one user. */
size_t exchanges_count_tunnels(const struct exchanges *exchanges, const char *user) MUST_USE;
size_t exchanges_count(const struct exchanges *exchanges) MUST_USE;
/* After SIGHUP: live exchanges that the new policy would not allow, or would send as somebody else,
 * are cut. */
void exchanges_set(
    struct exchanges *exchanges, const struct settings *settings, struct policy *policy);
/* After SIGHUP. */
void exchanges_set_authority(struct exchanges *exchanges, const char *authority);
/* The cluster's labels changed: the same for what runs there. */
void exchanges_recheck_cluster(struct exchanges *exchanges, const struct cluster *cluster);
/* The locks are others: who is locked out by now is cut. */
void exchanges_recheck_locks(struct exchanges *exchanges);
/* Logins are judged otherwise now: what came in by a token begins anew. */
void exchanges_cut_tokens(struct exchanges *exchanges, const char *reason);
/* The cluster is gone. */
void exchanges_cut_cluster(
    struct exchanges *exchanges, const struct cluster *cluster, const char *reason);
/* The proxy stops: ends watches as API servers do, cleanly, so that clients begin others elsewhere;
 * `at_most` in this call. */
void exchanges_end_watches(struct exchanges *exchanges, const char *reason, size_t at_most);
/* What does not end by itself. */
void exchanges_cut_long(struct exchanges *exchanges, const char *reason);

#endif
