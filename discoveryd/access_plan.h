/* What to do next for one cluster's access: from what is wanted and what is known to one step
 * (design.md 5). Pure: no clock, no calls; the whole matrix is a unit test. */
#ifndef EKSGATE_ACCESS_PLAN_H
#define EKSGATE_ACCESS_PLAN_H

#include <stdbool.h>
#include <stddef.h>

#include "common/attr.h"
#include "discoveryd/access_journal.h"
#include "discoveryd/access_policy.h"
#include "discoveryd/access_tags.h"

enum access_entry_state {
	ENTRY_UNKNOWN, /* not looked at */
	ENTRY_HIDDEN, /* it may not be looked at */
	ENTRY_ABSENT,
	ENTRY_PRESENT,
};

/* One principal's entry, as found. */
struct access_entry_facts {
	enum access_entry_state state;
	bool is_standard; /* of a type that takes groups */
	bool has_group; /* ours */
	struct access_marks marks;
};

/* A wanted principal. */
struct access_target {
	struct access_entry_facts entry;
	bool is_bootstrap; /* it is the bootstrap principal, too */
	bool is_taken; /* CreateAccessEntry said that there is one */
	bool is_invalid; /* … or that there is no such principal */
	bool is_granted; /* cluster-admin: the policy is on its entry */
	bool is_recorded; /* it has been looked at before, if not now */
};

/* The temporary entry. */
struct access_bootstrap {
	bool is_known; /* its principal is */
	bool is_unknowable; /* who we are could not be found out */
	struct access_entry_facts entry;
	bool is_journalled; /* it may exist, by our doing, at `stage` */
	enum access_stage stage;
	bool is_live; /* this run of the program began it, and nothing went wrong yet */
	bool is_deleted; /* DeleteAccessEntry took it, or it has settled that it is not there */
	bool may_begin; /* few enough of them are under way */
	bool is_applied; /* a proxy has applied the objects */
	bool is_spent; /* it was tried, well or ill; not again for a while */
};

/* What proxies tell, in numbers of proxies. */
struct access_sight {
	size_t serving, reachable, authenticated, permitted;
	size_t unknown_there; /* those who got a 401 */
	size_t unasked; /* those who look only when a check asks them to, and have not */
	bool is_checked; /* since the last change */
	bool is_foreign; /* they act as somebody for whom nothing is configured */
};

struct access_facts {
	const struct access_wanted *wanted;
	bool has_entries; /* by the authentication mode */
	bool has_mappings; /* aws-auth counts, too */
	bool has_account; /* there is an identity to call AWS with */
	bool is_proved; /* DeleteAccessEntry is permitted */
	unsigned denied; /* bits: 1 << enum eks_access_op */
	const struct access_target *targets; /* one per wanted principal */
	struct access_bootstrap bootstrap;
	struct access_sight sight;
};

enum access_action {
	ACCESS_REST, /* nothing to do; see the reason */
	/* of the target */
	ACCESS_DESCRIBE,
	ACCESS_CREATE,
	ACCESS_UPDATE,
	ACCESS_TAG,
	ACCESS_GRANT,
	/* of the bootstrap principal */
	ACCESS_IDENTIFY,
	ACCESS_BOOT_DESCRIBE,
	ACCESS_PROVE, /* that DeleteAccessEntry is permitted */
	ACCESS_BOOT_CREATE,
	ACCESS_BOOT_GRANT,
	ACCESS_BOOT_APPLY,
	ACCESS_BOOT_DELETE,
	ACCESS_BOOT_CONFIRM, /* that it is gone */
	ACCESS_BOOT_CLEAR,
	/* of the proxies */
	ACCESS_CHECK,
};
const char *access_action_text(enum access_action action);

/* Why there is nothing to do, from well to ill. */
enum access_reason {
	REASON_NONE, /* there is something to do */
	REASON_READY,
	REASON_NO_PROXY, /* access is set up as far as can be; no proxy serves the cluster */
	REASON_UNREACHABLE, /* none of those that serve it reaches it */
	REASON_TURN, /* too many bootstraps are under way */
	REASON_BUSY, /* another discoveryd is at it */
	REASON_NO_ACCOUNT,
	REASON_CONFIG_MAP,
	REASON_MANUAL,
	REASON_NOBODY, /* no principal is configured */
	REASON_FOREIGN, /* the proxies act as another one than configured */
	REASON_DENIED, /* see access_plan.missing */
	REASON_HIDDEN, /* there is an entry, and it may not be looked at */
	REASON_INVALID, /* EKS knows no such principal */
	REASON_TYPE, /* the entry takes no groups */
	REASON_MAPPED, /* aws-auth knows the principal, and an entry would replace that */
	REASON_EXISTED, /* cluster-admin is not given to an entry that existed before */
	REASON_UNKNOWN_PRINCIPAL, /* 401 in spite of the entry */
	REASON_WHO, /* who we are could not be found out */
	REASON_SERVES, /* the bootstrap principal is the proxy's, and its entry exists */
	REASON_BOOT_EXISTED, /* the bootstrap principal has an entry that is not ours */
	REASON_USELESS, /* the objects were applied, and the right is still denied */
	ACCESS_REASONS
};
/* "ready", "no-proxy", … for programs. */
const char *access_reason_text(enum access_reason reason);
/* Whether a person has to do something. */
bool access_reason_is_blocked(enum access_reason reason) MUST_USE;

struct access_plan {
	enum access_action action;
	size_t target; /* of actions and reasons that are about one */
	enum access_reason reason; /* with ACCESS_REST */
	unsigned missing; /* of REASON_DENIED: bits as in access_facts.denied */
};

struct access_plan access_plan_next(const struct access_facts *facts) MUST_USE;

#endif
