/* One question to the policy and what is known of its answer so far: between decide.c, which
 * answers, and decide_text.c, which says why not. */
#ifndef EKSGATE_ASKING_H
#define EKSGATE_ASKING_H

#include "kubeproxyd/policy/policy_set.h"
#include "kubeproxyd/policy/request_info.h"

/* A role that allows the request, wholly or in part, and by which rule; NULL: by being about the
 * cluster at all. */
struct allowing {
	const struct role *role;
	const struct resource_rule *rule;
	enum coverage coverage;
};

/* Few people hold more roles. */
#define ASKING_FEW 16

struct asking {
	const struct grants *grants;
	const char *cluster;
	const struct labels *labels;
	const struct standing *standings; /* of the roles held, to a cluster with these labels */
	const struct request_info *request;
	const struct act_as *as; /* whom the client wants to be, or NULL */
	struct decision *decision;
	struct wanted wanted;
	char name_room[WANTED_NAME_ROOM]; /* of wanted */
	bool is_basic; /* any role about the cluster allows it */
	struct allowing few[ASKING_FEW];
	struct allowing *allowing; /* `few`, or memory of its own when they may be more */
	size_t allowing_count;
	const struct resource_rule *part_denied_by; /* NULL: nothing is taken out */
};

/* Zeroed memory for what the decision holds. */
void *decision_alloc(struct decision *decision, size_t size) MUST_USE;
/* Sets user and groups; false after a denial. */
bool choose_as(struct asking *asking);
/* For request_info_is_impersonation(), which roles alone decide, since the cluster is asked as the
 * proxy: leaves those that permit it in `allowing`; false after a denial. */
bool decide_acting_as(struct asking *asking);

/* Each makes the decision a denial and says what to ask for. */
void deny_unbound(struct asking *asking);
void deny_by_labels(struct asking *asking, const struct role *role);
void deny_by_rule(struct asking *asking, const struct resource_rule *rule);
void deny_cluster(struct asking *asking);
/* Roles are about the cluster, but no rule of theirs about the request. */
void deny_request(struct asking *asking);
/* They cover some of what it touches. */
void deny_part(struct asking *asking);
void deny_users(struct asking *asking, const struct role *denier);
void deny_several_users(struct asking *asking, const char *const *users, size_t count);
void deny_no_user(struct asking *asking);
/* `what` is "user", "group", "uid" or "extra". */
void deny_impersonation(struct asking *asking, const char *what, const char *name);
/* Of who asks whether they may; `key` is that of kubernetes_impersonate, NULL: none gives it. */
void deny_acting_as(struct asking *asking, const char *key);
/* For a restricted decision, which stays allowed. */
void explain_restriction(struct asking *asking);

#endif
