/* The compiled set of roles and bindings of a directory (design.md 4.5): Teleport's role documents
 * and `role_binding`. Immutable; a reload builds a new one beside the old. Deny wins; nothing
 * bound: denied. Pure once loaded. */
#ifndef EKSGATE_POLICY_H
#define EKSGATE_POLICY_H

#include <stdbool.h>
#include <stddef.h>

#include "common/attr.h"
#include "common/labels.h"

struct identity;
struct request_info;
struct role_options;
struct policy;
struct grants;

/* Reads every *.yaml of `directory` (sorted; none, or no directory: an empty policy that denies).
 * NULL: *error has a line per finding, "FILE:LINE:COLUMN: what" (free()). Counted references. */
struct policy *policy_load(const char *directory, const char *proxy_group, char **error) MUST_USE;
/* The same from one text; `file` is only for messages. */
struct policy *policy_parse(const char *file, const char *text, size_t len, char **error) MUST_USE;
struct policy *policy_ref(struct policy *policy) MUST_USE;
void policy_unref(struct policy **policy);
/* Every group that a role may impersonate, in no order and perhaps more than once; NULL for those
 * that only a request can tell. */
void policy_each_group(
    const struct policy *policy, void (*fn)(void *arg, const char *group), void *arg);
/* Every key of an extra that a role lets its holders set; the same. */
void policy_each_extra(
    const struct policy *policy, void (*fn)(void *arg, const char *key), void *arg);
/* Everything that is valid and may not do what its author means, a sentence with FILE:LINE each. */
void policy_each_doubt(
    const struct policy *policy, void (*fn)(void *arg, const char *doubt), void *arg);
size_t policy_role_count(const struct policy *policy);
size_t policy_binding_count(const struct policy *policy);

/* The roles that `identity` is bound to, with their templates filled in. Kept per connection; holds
 * a reference to the policy. */
struct grants *policy_grants(struct policy *policy, const struct identity *identity) MUST_USE;
void grants_free(struct grants **grants);
/* Role names, sorted, NULL-terminated; borrowed. */
const char *const *grants_roles(const struct grants *grants);
/* The tightest limits of all roles; borrowed. */
const struct role_options *grants_options(const struct grants *grants);

struct act_as;
struct arena;
struct object_rules;

struct decision {
	bool is_allowed;
	/* Allowed, but only for some names or namespaces, and the answer may hold others: each
	 * object of it must pass policy_may_read_object(), or `message` is the answer. Only list,
	 * watch and deletecollection can be so; of the last, what passes may be deleted with it. */
	bool is_restricted;
	/* Denied as yet: rules ask for the name of what is created, which stands in the body.
	 * Decide again with it; `message` is the answer when there is none. */
	bool needs_name;
	struct object_rules *objects; /* of a restricted one; borrows the request */
	/* Allowed: what is impersonated, only from roles that allow this request. The names are
	 * borrowed from the grants. */
	const char *user;
	const char **groups; /* sorted, each once */
	size_t group_count;
	/* Whom the client asked to be, all of it allowed: uid and extras are to be sent, too. NULL:
	 * nobody. */
	const struct act_as *as;
	/* Of `groups` and `rule`, until it ends; NULL: they are the decision's. Set before. */
	struct arena *arena;
	/* For audit and for the answer: "role dev-access allow", "role dev allow:
	 * kubernetes_resources[2]", "role contractors deny: kubernetes_labels env=prod". */
	char *rule;
	/* Denied or restricted: a sentence for the user that says what to ask for. */
	char *message;
};

/* Allowed, and nothing needs to be taken out of the answer. */
static inline bool decision_is_whole(const struct decision *decision)
{
	return decision->is_allowed && !decision->is_restricted;
}

/* Whether any role lets this user see the cluster at all (ls, kubeconfig). */
bool policy_may_see(const struct grants *grants, const struct labels *cluster_labels) MUST_USE;
/* {0} initialises `decision`; decision_clear() releases what it holds. */
void policy_decide(const struct grants *grants, const char *cluster,
    const struct labels *cluster_labels, const struct request_info *request,
    struct decision *decision);
/* The same for a client that wants to be somebody; `as` outlives the decision. NULL: oneself. */
void policy_decide_as(const struct grants *grants, const char *cluster,
    const struct labels *cluster_labels, const struct request_info *request,
    const struct act_as *as, struct decision *decision);
/* Whether a restricted answer may hold this object. The grants and the request still live. */
bool policy_may_read_object(
    const struct decision *decision, const char *namespace, const char *name) MUST_USE;
/* Whether two decisions about the same request show the same objects, by the same rules. */
bool policy_reads_alike(const struct decision *a, const struct decision *b) MUST_USE;
/* Before a request ends that the decision outlives. A restricted one shows no object then. */
void decision_forget_objects(struct decision *decision);
void decision_clear(struct decision *decision);

#endif
