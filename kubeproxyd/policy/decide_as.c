/* As whom a request is made: the user and the groups that the allowing roles say, or, where a
 * client asks to be somebody (--as), what of that these roles permit. And whether they would, where
 * a review asks that. Called by decide.c. */
#include <stdlib.h>
#include <string.h>

#include "common/text.h"
#include "common/xmem.h"
#include "kubeproxyd/policy/act_as.h"
#include "kubeproxyd/policy/asking.h"
#include "kubeproxyd/policy/impersonation.h"
#include "kubeproxyd/policy/policy.h"

/* --- as whom --------------------------------------------------------------------------------- */

static const struct role *find_denier(const struct asking *asking, const char *name, bool is_group)
{
	for (size_t i = 0; i < asking->grants->role_count; i++) {
		const struct role_side *side = &asking->grants->roles[i]->deny;
		if (!asking->grants->roles[i]->denies_names)
			continue;
		const struct texts *names = is_group ? &side->groups : &side->users;
		if (texts_has(names, "*") || texts_has(names, name))
			return asking->grants->roles[i];
	}
	return NULL;
}

/* The role that denies a name; NULL when none does: few roles deny any. */
static inline const struct role *denier_of(
    const struct asking *asking, const char *name, bool is_group)
{
	return asking->grants->denies_names ? find_denier(asking, name, is_group) : NULL;
}

static bool has_name(const char *const *names, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(names[i], name) == 0)
			return true;
	}
	return false;
}

/* Where `name` stands or belongs among the sorted names. */
static size_t place_of(const char *const *names, size_t count, const char *name)
{
	size_t at = count;
	while (at > 0 && strcmp(names[at - 1], name) >= 0)
		at--;
	return at;
}

static void insert(const char **names, size_t *count, const char *name)
{
	size_t at = place_of(names, *count, name);
	if (at < *count && strcmp(names[at], name) == 0)
		return;
	memmove(names + at + 1, names + at, (*count - at) * sizeof *names);
	names[at] = name;
	++*count;
}

static size_t count_names(const struct asking *asking, bool is_group)
{
	size_t count = 0;
	for (size_t i = 0; i < asking->allowing_count; i++) {
		const struct role_side *side = &asking->allowing[i].role->allow;
		count += is_group ? side->groups.count : side->users.count;
	}
	return count;
}

/* Users or groups of the allowing roles without those that any held role denies, sorted, each once,
 * into `names`, which has room for count_names(); returns how many. *denier is who took one away.
 * The names are the roles'. */
static size_t collect_into(
    const char **names, const struct asking *asking, bool is_group, const struct role **denier)
{
	size_t count = 0;
	for (size_t i = 0; i < asking->allowing_count; i++) {
		const struct role_side *side = &asking->allowing[i].role->allow;
		const struct texts *more = is_group ? &side->groups : &side->users;
		for (size_t j = 0; j < more->count; j++) {
			bool is_own = !is_group && strcmp(more->items[j], "*") == 0;
			const char *name = is_own ? asking->grants->subject.user : more->items[j];
			const struct role *by = denier_of(asking, name, is_group);
			if (by != NULL)
				*denier = by;
			else
				insert(names, &count, name);
		}
	}
	return count;
}

/* The same; the array is the caller's. */
static const char **collect(
    const struct asking *asking, bool is_group, size_t *count, const struct role **denier)
{
	const char **names = xcalloc(count_names(asking, is_group) + 1, sizeof *names);
	*count = collect_into(names, asking, is_group, denier);
	return names;
}

static bool lists_users(const struct asking *asking)
{
	for (size_t i = 0; i < asking->allowing_count; i++) {
		if (asking->allowing[i].role->allow.lists_users)
			return true;
	}
	return false;
}

/* Exactly one user: the only one listed, the own name among several, the own name when none is
 * listed. What every role allows, as discovery, is the same for each of them: the first. */
static bool choose_user(struct asking *asking)
{
	const char *own = asking->grants->subject.user;
	const struct role *denier = NULL;
	if (!lists_users(asking)) {
		denier = denier_of(asking, own, false);
		asking->decision->user = own;
		if (denier != NULL)
			deny_users(asking, denier);
		return denier == NULL;
	}
	size_t count;
	const char **users = collect(asking, false, &count, &denier);
	if (count == 1 || (count > 0 && asking->is_basic && !has_name(users, count, own)))
		asking->decision->user = users[0];
	else if (has_name(users, count, own))
		asking->decision->user = own;
	else if (count > 0)
		deny_several_users(asking, users, count);
	else if (denier != NULL)
		deny_users(asking, denier);
	else
		deny_no_user(asking);
	free(users);
	return asking->decision->user != NULL;
}

/* --- as somebody else ------------------------------------------------------------------------ */

typedef bool rule_fn(const struct impersonation *rule, const char *name);

/* How allow and deny are asked about one kind of name. */
struct rules_of {
	rule_fn *gives, *denies;
};

static const struct rules_of of_users = {impersonation_gives_user, impersonation_denies_user};
static const struct rules_of of_groups = {impersonation_gives_group, impersonation_denies_group};
static const struct rules_of of_uids = {impersonation_takes_uid, impersonation_takes_uid};

/* By a role that allows the request, and denied by none that is held. */
static bool may_be(const struct asking *asking, const struct rules_of *rules, const char *name)
{
	bool is_taken = false;
	for (size_t i = 0; i < asking->grants->role_count; i++) {
		if (rules->denies(asking->grants->roles[i]->deny.impersonation, name))
			return false;
	}
	for (size_t i = 0; !is_taken && i < asking->allowing_count; i++)
		is_taken = rules->gives(asking->allowing[i].role->allow.impersonation, name);
	return is_taken;
}

static bool may_have_extra(const struct asking *asking, const char *key, const char *value)
{
	bool is_taken = false;
	for (size_t i = 0; i < asking->grants->role_count; i++) {
		if (impersonation_takes_extra(
			asking->grants->roles[i]->deny.impersonation, key, value))
			return false;
	}
	for (size_t i = 0; !is_taken && i < asking->allowing_count; i++)
		is_taken = impersonation_takes_extra(
		    asking->allowing[i].role->allow.impersonation, key, value);
	return is_taken;
}

/* One of those that the roles let it be without asking: then the groups are theirs, too. */
static bool is_listed(struct asking *asking, const char *user)
{
	const struct role *denier = NULL;
	if (!lists_users(asking))
		return strcmp(user, asking->grants->subject.user) == 0;
	size_t count;
	const char **users = collect(asking, false, &count, &denier);
	bool is_there = has_name(users, count, user);
	free(users);
	return is_there;
}

static bool choose_given_user(struct asking *asking, const char *user, bool *has_own_groups)
{
	const struct role *denier = denier_of(asking, user, false);
	*has_own_groups = denier == NULL && is_listed(asking, user);
	if (*has_own_groups || (denier == NULL && may_be(asking, &of_users, user))) {
		asking->decision->user = user;
		return true;
	}
	deny_impersonation(asking, "user", user);
	return false;
}

static bool choose_given_groups(struct asking *asking, const struct texts *groups)
{
	const struct role *denier = NULL;
	size_t count;
	const char **own = collect(asking, true, &count, &denier);
	const char **chosen =
	    decision_alloc(asking->decision, (groups->count + 1) * sizeof *chosen);
	const char *refused = NULL;
	for (size_t i = 0; i < groups->count && refused == NULL; i++) {
		const char *group = groups->items[i];
		bool may = denier_of(asking, group, true) == NULL &&
			   (has_name(own, count, group) || may_be(asking, &of_groups, group));
		if (may)
			insert(chosen, &asking->decision->group_count, group);
		else
			refused = group;
	}
	free(own);
	asking->decision->groups = chosen;
	if (refused != NULL)
		deny_impersonation(asking, "group", refused);
	return refused == NULL;
}

static bool take_rest(struct asking *asking, const struct act_as *as)
{
	if (as->uid != NULL && !may_be(asking, &of_uids, as->uid)) {
		deny_impersonation(asking, "uid", as->uid);
		return false;
	}
	for (size_t i = 0; i < as->extra_count; i++) {
		if (may_have_extra(asking, as->extras[i].key, as->extras[i].value))
			continue;
		deny_impersonation(asking, "extra", as->extras[i].key);
		return false;
	}
	asking->decision->as = as;
	return true;
}

bool choose_as(struct asking *asking)
{
	const struct act_as *as = asking->as;
	const struct role *denier = NULL;
	bool has_own_groups = true;
	if (as == NULL || as->user == NULL) {
		if (!choose_user(asking))
			return false;
	} else if (!choose_given_user(asking, as->user, &has_own_groups)) {
		return false;
	}
	if (as != NULL && as->groups.count > 0) {
		if (!choose_given_groups(asking, &as->groups))
			return false;
	} else if (has_own_groups) {
		struct decision *decision = asking->decision;
		decision->groups = decision_alloc(
		    decision, (count_names(asking, true) + 1) * sizeof *decision->groups);
		decision->group_count = collect_into(decision->groups, asking, true, &denier);
	}
	return as == NULL || take_rest(asking, as);
}

/* --- asked whether --------------------------------------------------------------------------- */

/* What a review can ask about, by the resources that API servers ask their authorizers about
 * (apiserver impersonation.go), with the key of kubernetes_impersonate that gives it. */
enum acting { AS_USER, AS_ACCOUNT, AS_GROUP, AS_UID, AS_EXTRA, AS_NOTHING };
static const struct {
	const char *group, *resource, *key;
} actings[] = {
    [AS_USER] = {"", "users", "users"},
    [AS_ACCOUNT] = {"", "serviceaccounts", "service_accounts"},
    [AS_GROUP] = {"", "groups", "groups"},
    [AS_UID] = {"authentication.k8s.io", "uids", "uids"},
    [AS_EXTRA] = {"authentication.k8s.io", "userextras", "extra"},
};

static bool is_one_of_many(const char *text)
{
	return text[0] == '\0' || strchr(text, ':') != NULL;
}

/* AS_NOTHING: none of these, or not exactly one. kubectl sends a namespace with all of them. */
static enum acting acting_of(const struct request_info *request)
{
	unsigned acting = AS_USER;
	while (acting < AS_NOTHING && (!text_is(request->resource, actings[acting].resource) ||
					  !text_is(request->api_group, actings[acting].group)))
		acting++;
	bool has_key = request->subresource[0] != '\0';
	if (request->name[0] == '\0' || has_key != (acting == AS_EXTRA))
		return AS_NOTHING;
	if (acting == AS_ACCOUNT &&
	    (is_one_of_many(request->namespace) || is_one_of_many(request->name)))
		return AS_NOTHING;
	return (enum acting)acting;
}

static bool is_own_group(const struct asking *asking, const char *group)
{
	const struct role *denier = NULL;
	size_t count;
	const char **own = collect(asking, true, &count, &denier);
	bool is_there = has_name(own, count, group);
	free(own);
	return is_there;
}

static bool may_be_user(struct asking *asking, const char *user)
{
	return denier_of(asking, user, false) == NULL &&
	       (is_listed(asking, user) || may_be(asking, &of_users, user));
}

static bool may_be_account(struct asking *asking, const char *namespace, const char *name)
{
	char *user = xasprintf("system:serviceaccount:%s:%s", namespace, name);
	bool may = may_be_user(asking, user);
	free(user);
	return may;
}

/* By the roles in `allowing`. */
static bool may_act(struct asking *asking, enum acting acting)
{
	const struct request_info *request = asking->request;
	switch (acting) {
	case AS_USER:
		return may_be_user(asking, request->name);
	case AS_ACCOUNT:
		return may_be_account(asking, request->namespace, request->name);
	case AS_GROUP:
		return denier_of(asking, request->name, true) == NULL &&
		       (is_own_group(asking, request->name) ||
			   may_be(asking, &of_groups, request->name));
	case AS_UID:
		return may_be(asking, &of_uids, request->name);
	case AS_EXTRA:
		return may_have_extra(asking, request->subresource, request->name);
	case AS_NOTHING:
		break;
	}
	return false;
}

/* Each role about the cluster stands in `allowing` alone for a moment, at the place that it keeps
 * if it permits it. */
static void find_permitting(struct asking *asking, enum acting acting)
{
	struct allowing *all = asking->allowing;
	size_t kept = 0;
	asking->allowing_count = 1;
	for (size_t i = 0; i < asking->grants->role_count; i++) {
		if (!asking->standings[i].allows)
			continue;
		asking->allowing = &all[kept];
		all[kept] = (struct allowing){.role = asking->grants->roles[i]};
		kept += may_act(asking, acting);
	}
	asking->allowing = all;
	asking->allowing_count = kept;
}

/* Rules about resources have no say, as they have none in the header fields of a request; which
 * request it is for is not asked. Who acts as somebody already can be nobody else besides. */
bool decide_acting_as(struct asking *asking)
{
	enum acting acting = asking->as == NULL ? acting_of(asking->request) : AS_NOTHING;
	for (size_t i = 0; i < asking->grants->role_count; i++) {
		if (asking->standings[i].denies) {
			deny_by_labels(asking, asking->grants->roles[i]);
			return false;
		}
	}
	find_permitting(asking, acting);
	asking->decision->user = asking->grants->subject.user;
	if (asking->allowing_count == 0)
		deny_acting_as(asking, acting != AS_NOTHING ? actings[acting].key : NULL);
	return asking->allowing_count > 0;
}
