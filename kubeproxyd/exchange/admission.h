/* Whether a request of a known user may go on, and to where: the checks of design.md 3, steps 4 to
 * 6, in their order. */
#ifndef EKSGATE_ADMISSION_H
#define EKSGATE_ADMISSION_H

#include <stdbool.h>

#include "common/attr.h"
#include "common/buf.h"
#include "kubeproxyd/exchange/in_flight.h"
#include "kubeproxyd/exchange/route.h"
#include "kubeproxyd/http/head.h"
#include "kubeproxyd/policy/act_as.h"
#include "kubeproxyd/policy/policy.h"
#include "kubeproxyd/policy/request_info.h"

struct caller;
struct caller_grants;
struct cluster;
struct exchanges;
struct identity;
struct kube_cluster;

/* {.arena} initialises: it is the exchange's. */
struct admission {
	struct arena *arena;
	struct route route;
	struct request_info info;
	struct caller_grants *grants;
	struct act_as as; /* whom the client wants to be */
	struct decision decision;
	struct cluster *cluster;
	const char *named; /* the cluster, by the client; NULL: none was looked for */
	const struct kube_cluster *found; /* by that name, or the one that had it; or NULL */
	struct in_flight_seat seat;
	bool needs_body; /* admitted so far, and decided by admission_decide_body() */
	char *object_name; /* out of the body; `info` has it too */
	bool deletes_each; /* a collection, of which only some may be deleted: delete_each.h */
	bool is_filtered; /* the answer passes a filter: exchange_filter.h */
	bool may_page; /* though it is filtered: what its pages tell stays in the proxy */
	/* What the API server is asked, and to answer in; NULL: what the client asks for. */
	const char *target, *accept, *accept_encoding;
	char *rules_namespace; /* of a SelfSubjectRulesReview, whose answer is cut down; or NULL */
	/* Refused: */
	unsigned status;
	char *message;
	char *told; /* to the client instead of `message`, which is for the records; or NULL */
	unsigned retry_after;
	struct buf document; /* with a type, the answer instead of a Status */
	const char *document_type;
};

/* False: status and message are what to answer. True with `needs_body`: it is not decided yet.
 * Everything that became known on the way stands for the access line. */
bool admission_decide(struct admission *admission, struct exchanges *all, struct caller *caller,
    struct identity *identity, const struct http_head *request) MUST_USE;
/* Asks the policy about a request of this client. `decision` is {0}. */
void admission_ask(const struct admission *admission, const struct grants *grants,
    const struct request_info *info, struct decision *decision);
enum admission_today {
	ADMISSION_HOLDS, /* the policy of now decides as it did */
	ADMISSION_DIFFERS, /* it allows as much of it, or as little, but not the same */
	ADMISSION_IS_GONE,
};
enum admission_today admission_recheck(const struct admission *admission, struct exchanges *all,
    struct caller *caller, struct identity *identity) MUST_USE;
/* A sentence for a user whom a lock keeps out (free()); NULL: none does. */
char *admission_find_lock(
    struct exchanges *all, struct caller *caller, struct identity *identity) MUST_USE;
void admission_free(struct admission *admission);

#endif
