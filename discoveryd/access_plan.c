/* The order of design.md 5. What was begun is ended first: a temporary entry goes before anything
 * else is looked at. Then what already works is left alone. Then each wanted entry is brought to
 * its state, one that cannot be does not hold up the others. Only when a proxy has been seen to be
 * known and not permitted, and everything that a bootstrap needs is proved, is one begun. */
#include "discoveryd/access_plan.h"

#include "discoveryd/aws_access.h"

#define BIT(op) (1u << (op))
/* What a bootstrap needs, its end included. */
#define BOOTSTRAP_OPS                                                                              \
	(BIT(EKS_DESCRIBE_ENTRY) | BIT(EKS_CREATE_ENTRY) | BIT(EKS_DELETE_ENTRY) |                 \
	    BIT(EKS_ASSOCIATE_POLICY) | BIT(EKS_TAG_RESOURCE))

const char *access_action_text(enum access_action action)
{
	static const char *const texts[] = {"rest", "describe-entry", "create-entry",
	    "update-entry", "tag-entry", "grant-policy", "identify", "describe-bootstrap-entry",
	    "prove-delete", "create-bootstrap-entry", "grant-bootstrap-policy", "apply-rbac",
	    "delete-bootstrap-entry", "confirm-deletion", "clear-journal", "check"};
	return texts[action];
}

const char *access_reason_text(enum access_reason reason)
{
	static const char *const texts[ACCESS_REASONS] = {"working", "ready", "no-proxy",
	    "unreachable", "waiting-for-turn", "another-discoveryd", "no-credentials", "config-map",
	    "manual", "no-principal", "other-principal", "denied", "hidden-entry",
	    "invalid-principal", "entry-type", "aws-auth", "entry-existed", "unknown-principal",
	    "no-identity", "bootstrap-serves", "bootstrap-entry-existed", "still-forbidden"};
	return texts[reason];
}

bool access_reason_is_blocked(enum access_reason reason)
{
	return reason >= REASON_NO_ACCOUNT;
}

static struct access_plan act(enum access_action action, size_t target)
{
	return (struct access_plan){.action = action, .target = target};
}

static struct access_plan rest(enum access_reason reason, size_t target)
{
	return (struct access_plan){.reason = reason, .target = target};
}

static bool is_denied(const struct access_facts *facts, enum eks_access_op op)
{
	return (facts->denied & BIT(op)) != 0;
}

/* Rests when any of these permissions is missing; the action otherwise. */
static struct access_plan act_if_permitted(
    const struct access_facts *facts, enum access_action action, size_t target, unsigned needed)
{
	struct access_plan plan = act(action, target);
	if ((facts->denied & needed) != 0) {
		plan = rest(REASON_DENIED, target);
		plan.missing = facts->denied & needed;
	}
	return plan;
}

/* Nobody is known to reach it; one that has not looked, and does so only when asked, is asked. */
static struct access_plan look_or_rest(const struct access_facts *facts, size_t i)
{
	return facts->sight.unasked > 0 ? act(ACCESS_CHECK, i) : rest(REASON_UNREACHABLE, i);
}

/* --- one wanted entry ------------------------------------------------------------------------- */

/* Nothing to do about the entry itself. */
static const struct access_plan settled = {.reason = REASON_READY};

/* A policy that makes admin is given only where it can be taken away again. */
static struct access_plan plan_admin(
    const struct access_facts *facts, size_t i, enum access_action action)
{
	const unsigned needed = BIT(EKS_CREATE_ENTRY) | BIT(EKS_ASSOCIATE_POLICY) |
				BIT(EKS_DELETE_ENTRY) | BIT(EKS_TAG_RESOURCE);
	if (facts->sight.serving == 0)
		return rest(REASON_NO_PROXY, i);
	if (facts->sight.reachable == 0)
		return look_or_rest(facts, i);
	return act_if_permitted(facts, facts->is_proved ? action : ACCESS_PROVE, i, needed);
}

/* Whoever was just cluster-admin for a moment is the proxy itself, whose own entry does not exist
 * yet: that proxies are let in tells nothing, for as long as EKS takes to heed the deletion. */
static bool is_afterglow(const struct access_facts *facts, const struct access_target *target)
{
	return target->is_bootstrap && facts->bootstrap.is_applied &&
	       target->entry.state == ENTRY_ABSENT;
}

static struct access_plan plan_absent(const struct access_facts *facts, size_t i)
{
	const struct access_target *target = &facts->targets[i];
	bool is_known = facts->sight.authenticated > 0 && !is_afterglow(facts, target);
	if (target->is_invalid)
		return rest(REASON_INVALID, i);
	if (is_known)
		return rest(REASON_MAPPED, i);
	/* An entry would replace what aws-auth says: a proxy must have been sent away first. */
	if (facts->has_mappings && facts->sight.serving == 0)
		return rest(REASON_NO_PROXY, i);
	if (facts->has_mappings && facts->sight.unknown_there == 0)
		return look_or_rest(facts, i);
	if (facts->wanted->mode == ACCESS_CLUSTER_ADMIN)
		return plan_admin(facts, i, ACCESS_CREATE);
	/* The bootstrap of the same principal comes first: once the entry exists, it serves. */
	if (!facts->bootstrap.is_known && !facts->bootstrap.is_unknowable)
		return act(ACCESS_IDENTIFY, i);
	if (target->is_bootstrap && !facts->bootstrap.is_applied)
		return facts->bootstrap.is_spent ? rest(REASON_USELESS, i) : settled;
	return act_if_permitted(facts, ACCESS_CREATE, i, BIT(EKS_CREATE_ENTRY));
}

static struct access_plan plan_present(const struct access_facts *facts, size_t i)
{
	const struct access_target *target = &facts->targets[i];
	const struct access_entry_facts *entry = &target->entry;
	bool is_admin_mode = facts->wanted->mode == ACCESS_CLUSTER_ADMIN;
	if (!entry->is_standard)
		return rest(REASON_TYPE, i);
	if (entry->marks.is_temporary)
		return rest(REASON_BUSY, i);
	if (!entry->has_group)
		return act_if_permitted(facts, ACCESS_UPDATE, i, BIT(EKS_UPDATE_ENTRY));
	if (is_admin_mode && entry->marks.is_mine && !target->is_granted)
		return plan_admin(facts, i, ACCESS_GRANT);
	if (entry->marks.is_managed && !entry->marks.is_used && !is_denied(facts, EKS_TAG_RESOURCE))
		return act(ACCESS_TAG, i);
	return settled;
}

static struct access_plan plan_entry(const struct access_facts *facts, size_t i)
{
	const struct access_target *target = &facts->targets[i];
	switch (target->entry.state) {
	case ENTRY_UNKNOWN:
		/* After a restart, what was arranged is taken to be so until a proxy tells. */
		if (target->is_recorded && facts->sight.serving == 0)
			return rest(REASON_NO_PROXY, i);
		return act(ACCESS_DESCRIBE, i);
	case ENTRY_HIDDEN:
		/* Creating it tells whether it is there, but not what stands in it; a principal
		 * that the cluster knows has one, or a mapping. */
		if (target->is_taken || facts->sight.authenticated > 0)
			return rest(REASON_HIDDEN, i);
		return plan_absent(facts, i);
	case ENTRY_ABSENT:
		return plan_absent(facts, i);
	case ENTRY_PRESENT:
		return plan_present(facts, i);
	}
	return settled;
}

/* The first step that any of the entries needs; else the first thing that is wrong. One that cannot
 * be brought to its state does not hold up the others: *settled_count is how many are. */
static struct access_plan plan_entries(const struct access_facts *facts, size_t *settled_count)
{
	struct access_plan first = settled;
	*settled_count = 0;
	for (size_t i = 0; i < facts->wanted->count; i++) {
		struct access_plan plan = plan_entry(facts, i);
		if (plan.action != ACCESS_REST)
			return plan;
		*settled_count += plan.reason == REASON_READY;
		if (first.reason == REASON_READY)
			first = plan;
	}
	return first;
}

/* It works already. Only another discoveryd's entry is marked as used here, too, so that it stays.
 */
static struct access_plan plan_permitted(const struct access_facts *facts)
{
	for (size_t i = 0; i < facts->wanted->count; i++) {
		const struct access_entry_facts *entry = &facts->targets[i].entry;
		if (entry->state == ENTRY_UNKNOWN && facts->has_account &&
		    !facts->targets[i].is_recorded)
			return act(ACCESS_DESCRIBE, i);
		if (entry->state == ENTRY_PRESENT && entry->marks.is_managed &&
		    !entry->marks.is_temporary && !entry->marks.is_used && entry->has_group &&
		    facts->has_account && !is_denied(facts, EKS_TAG_RESOURCE))
			return act(ACCESS_TAG, i);
	}
	return rest(REASON_READY, 0);
}

/* --- the bootstrap ---------------------------------------------------------------------------- */

static bool is_target_in_service(const struct access_facts *facts)
{
	for (size_t i = 0; i < facts->wanted->count; i++) {
		const struct access_target *target = &facts->targets[i];
		if (target->is_bootstrap && target->entry.state != ENTRY_ABSENT)
			return true;
	}
	return false;
}

/* What is there of the bootstrap principal when nothing of ours should be. */
static struct access_plan plan_found(const struct access_facts *facts)
{
	const struct access_marks *marks = &facts->bootstrap.entry.marks;
	bool is_orphan = marks->is_temporary && (marks->is_mine || marks->is_over);
	if (is_orphan)
		return act_if_permitted(facts, ACCESS_BOOT_DELETE, 0, BIT(EKS_DELETE_ENTRY));
	return rest(marks->is_temporary ? REASON_BUSY : REASON_BOOT_EXISTED, 0);
}

static struct access_plan plan_begin(const struct access_facts *facts)
{
	const struct access_bootstrap *bootstrap = &facts->bootstrap;
	if (bootstrap->is_unknowable)
		return rest(REASON_WHO, 0);
	if (!bootstrap->is_known)
		return act(ACCESS_IDENTIFY, 0);
	if (is_target_in_service(facts))
		return rest(REASON_SERVES, 0);
	struct access_plan plan = act_if_permitted(facts, ACCESS_BOOT_DESCRIBE, 0, BOOTSTRAP_OPS);
	if (plan.action == ACCESS_REST || bootstrap->entry.state == ENTRY_UNKNOWN)
		return plan;
	if (bootstrap->entry.state == ENTRY_PRESENT)
		return plan_found(facts);
	if (!facts->is_proved)
		return act(ACCESS_PROVE, 0);
	return bootstrap->may_begin ? act(ACCESS_BOOT_CREATE, 0) : rest(REASON_TURN, 0);
}

/* One that was begun, by this run or by one before it. */
static struct access_plan plan_bootstrap(const struct access_facts *facts)
{
	const struct access_bootstrap *bootstrap = &facts->bootstrap;
	bool is_ending = bootstrap->stage == ACCESS_DELETING || !bootstrap->is_live;
	if (is_ending && !bootstrap->is_deleted)
		return act(ACCESS_BOOT_DELETE, 0);
	if (is_ending)
		return act(bootstrap->entry.state == ENTRY_ABSENT ? ACCESS_BOOT_CLEAR
								  : ACCESS_BOOT_CONFIRM,
		    0);
	if (bootstrap->stage == ACCESS_CREATING)
		return act(ACCESS_BOOT_CREATE, 0);
	if (bootstrap->stage == ACCESS_GRANTED)
		return act(ACCESS_BOOT_APPLY, 0);
	return act(ACCESS_BOOT_GRANT, 0);
}

/* --- rights ----------------------------------------------------------------------------------- */

static bool needs_bootstrap_first(const struct access_facts *facts)
{
	for (size_t i = 0; i < facts->wanted->count; i++) {
		const struct access_target *target = &facts->targets[i];
		if (target->is_bootstrap && target->entry.state == ENTRY_ABSENT)
			return true;
	}
	return false;
}

static struct access_plan plan_forbidden(const struct access_facts *facts)
{
	if (facts->wanted->mode == ACCESS_CLUSTER_ADMIN) {
		bool is_granted = false;
		for (size_t i = 0; i < facts->wanted->count; i++)
			is_granted |= facts->targets[i].is_granted;
		return rest(is_granted ? REASON_USELESS : REASON_EXISTED, 0);
	}
	bool is_useless = facts->bootstrap.is_spent && (facts->denied & BOOTSTRAP_OPS) == 0;
	return is_useless ? rest(REASON_USELESS, 0) : plan_begin(facts);
}

/* The entries are as they should be, as far as they can be. */
static struct access_plan plan_rights(const struct access_facts *facts)
{
	const struct access_sight *sight = &facts->sight;
	if (sight->serving == 0)
		return rest(REASON_NO_PROXY, 0);
	if (sight->reachable == 0)
		return look_or_rest(facts, 0);
	if (sight->is_foreign)
		return rest(REASON_FOREIGN, 0);
	if (needs_bootstrap_first(facts))
		return plan_begin(facts);
	if (!sight->is_checked)
		return act(ACCESS_CHECK, 0);
	return sight->authenticated > 0 ? plan_forbidden(facts) : rest(REASON_UNKNOWN_PRINCIPAL, 0);
}

struct access_plan access_plan_next(const struct access_facts *facts)
{
	const struct access_wanted *wanted = facts->wanted;
	bool is_permitted = facts->sight.permitted > 0;
	for (size_t i = 0; i < wanted->count; i++)
		is_permitted &= !is_afterglow(facts, &facts->targets[i]);
	if (facts->bootstrap.is_journalled)
		return facts->has_account ? plan_bootstrap(facts) : rest(REASON_NO_ACCOUNT, 0);
	if (wanted->mode == ACCESS_MANUAL || !facts->has_entries || wanted->count == 0) {
		if (is_permitted)
			return rest(REASON_READY, 0);
		if (!facts->has_entries)
			return rest(REASON_CONFIG_MAP, 0);
		return rest(wanted->mode == ACCESS_MANUAL ? REASON_MANUAL : REASON_NOBODY, 0);
	}
	if (is_permitted)
		return plan_permitted(facts);
	if (!facts->has_account)
		return rest(REASON_NO_ACCOUNT, 0);
	size_t settled_count;
	struct access_plan entries = plan_entries(facts, &settled_count);
	if (entries.action != ACCESS_REST || settled_count == 0)
		return entries;
	struct access_plan rights = plan_rights(facts);
	bool is_well = entries.reason == REASON_READY || rights.action != ACCESS_REST;
	return is_well ? rights : entries;
}
