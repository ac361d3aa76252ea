/* One cluster's access as it is being arranged: shared by the parts of access (access.c owns the
 * cases, access_case.c drives one; those who perform its steps and tell about it are in
 * access_steps.h). Nobody else includes it. */
#ifndef EKSGATE_ACCESS_CASE_H
#define EKSGATE_ACCESS_CASE_H

#include <bsd/sys/queue.h>
#include <bsd/sys/tree.h>
#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>

#include "common/attr.h"
#include "common/loop.h"
#include "common/mono.h"
#include "discoveryd/access.h"
#include "discoveryd/access_journal.h"
#include "discoveryd/access_plan.h"
#include "discoveryd/access_policy.h"
#include "discoveryd/access_reports.h"
#include "discoveryd/aws_access.h"

#define ACCESS_REFUSALS 8

struct account;
struct account_call;
struct aws_provider;
struct aws_wait;
struct cluster_item;
struct metric;

/* Of a wanted principal: what the planner needs, and what the calls need. */
struct case_target {
	char *entry_arn; /* NULL while it is not known */
	char **groups; /* as last seen */
	size_t group_count;
};

struct access_case {
	RB_ENTRY(access_case) node;
	TAILQ_ENTRY(access_case) queue_entry;
	struct access *access;
	char *arn, *name, *eks_name, *region; /* of the cluster; name is what users type */
	char *cluster_id; /* Outposts; else NULL */
	char *account; /* id of the account that acts; NULL: none */
	struct unix_time created_at;
	bool has_entries, has_mappings; /* by the authentication mode */
	bool is_releasing; /* it leaves: only cleaning up is left */
	bool is_gone; /* it has left the registry */
	struct access_wanted wanted;

	struct access_target *facts; /* wanted.count of both */
	struct case_target *targets;
	struct access_bootstrap bootstrap; /* is_journalled and stage mirror the journal */
	char *bootstrap_principal; /* NULL while it is not known */
	bool is_certainly_ours; /* the bootstrap entry: this run made it, or saw our tags on it */
	struct mono created; /* the latest entry: a 404 may come from before it; 0: none */
	struct mono deleted; /* when AWS took the bootstrap entry's deletion */
	unsigned denied;
	bool is_proved, is_checked;
	bool is_entry_new; /* the last change made the proxy's entry */
	struct mono changed_at; /* the last change that EKS has to heed; 0: none */

	struct access_plan plan; /* the latest */
	char *error; /* of the last step that failed; NULL */
	char *last_step; /* "create-entry: done", for people */
	struct unix_time last_step_at;
	unsigned failures; /* of calls, in a row */
	bool has_slot, is_queued;
	bool is_counted; /* among the bootstraps under way */
	bool is_backing_off; /* until the timer fires, whatever happens */
	bool is_giving; /* a task: that its proxy is gone may turn out on the way */
	struct mono looked_at; /* when the entries were last looked at anew */
	struct timer *timer; /* made when needed */
	struct eks_access_call *call;
	struct account_call *identity;
	struct aws_wait *wait; /* for the bootstrap principal's credentials */
	struct aws_provider *provider; /* of the bootstrap principal, during its steps */
	uint64_t task; /* 0: none */
	uint64_t asked; /* the proxy that has it, or had the last one */
	uint64_t refused_by[ACCESS_REFUSALS]; /* proxies that could not do theirs, a ring */
	unsigned refusals;
	unsigned lost; /* bootstraps that ended because their proxy went away */
	unsigned release_attempts; /* access_release.c, on the current row */
	char *told; /* status.access, as the registry has it */
};

RB_HEAD(access_cases, access_case);
TAILQ_HEAD(access_queue, access_case);

struct access {
	struct access_options options;
	const struct settings *settings;
	struct access_journal *journal;
	struct access_reports *reports;
	struct access_cases cases;
	struct access_queue queue;
	size_t slots, bootstraps; /* in use */
	bool is_started, is_stopping;
	struct timer *start;
	char *own_principal; /* of the own identity; NULL until it was asked for */
	struct deferred pump;
	struct {
		struct metric *calls, *cases, *temporary, *steps, *journal_failures, *reports,
		    *reached;
	} metrics;
};

/* --- access.c */

struct access_case *access_find_case(const struct access *access, const char *arn);
/* In order of ARN; NULL starts, NULL ends. */
struct access_case *access_next_case(struct access *access, struct access_case *one);
/* The account that acts for a case, or NULL. */
const struct account *access_account_of(const struct access_case *one);
const struct cluster_item *access_item_of(const struct access_case *one);

/* --- access_case.c */

void case_free(struct access_case **one);
/* Takes what is known of the principals back: everything is looked at anew. */
void case_reset(struct access_case *one);
/* Plans and performs the next step, unless one is under way. */
void case_go_on(struct access_case *one);
/* What planning is based on; valid as long as the case does not change. */
struct access_facts case_facts(struct access_case *one) MUST_USE;
/* Proxies told something else about the cluster. */
void case_sight_changed(struct access_case *one);
/* Another case may work. */
void case_yield(struct access_case *one);
/* Goes on after a while. */
void case_wait(struct access_case *one, struct duration delay);
/* Goes on after a while that grows: EKS does not see yet what it will see. */
void case_retry(struct access_case *one);
/* A step ended well. */
void case_done(struct access_case *one);
/* A call failed: notes it, marks what is denied, and says when to go on. */
void case_failed(struct access_case *one, enum eks_access_op op, const struct aws_reply *reply);
/* The same for what is no call of EKS. */
void case_note_error(struct access_case *one, const char *what, const char *why);
/* Makes a row durable; false: it could not be, and nothing may be done now. */
bool case_journal(struct access_case *one, enum access_row_kind kind, const char *principal,
    enum access_stage stage) MUST_USE;
/* The same for what has to be done in any case: what cannot be written is told. */
void case_journal_if_possible(struct access_case *one, enum access_row_kind kind,
    const char *principal, enum access_stage stage);
bool case_journal_clear(
    struct access_case *one, enum access_row_kind kind, const char *principal) MUST_USE;
/* Starts an EKS call of this case; `request` gets region and cluster. */
void case_call(struct access_case *one, struct eks_access_request *request, eks_access_fn *fn);
/* Whether EKS may not yet heed the last change. */
bool case_is_settling(const struct access_case *one, struct mono since) MUST_USE;

#endif
