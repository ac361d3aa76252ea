/* The planner over its whole matrix: a model of EKS and of one proxy performs each step that is
 * planned, until there is nothing to do; what must never happen is checked at each step. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "discoveryd/access_plan.h"
#include "discoveryd/aws_access.h"

#define STEPS_MAX 40
#define BIT(op)	  (1u << (op))
#define ALL_OPS	  (BIT(EKS_ACCESS_OPS) - 1)

/* What there is in AWS and in the cluster. */
struct model {
	/* of the proxy's principal, and of the bootstrap's */
	bool has_entry, has_group, has_foreign_groups, is_standard, is_admin, was_there;
	bool is_managed_by_others, is_used_tag;
	bool boot_entry, boot_admin, boot_was_there, boot_is_ours, boot_is_others, boot_is_over;
	bool is_same; /* both are one principal */
	bool has_rbac, aws_auth; /* objects; a mapping with other groups */
	bool is_invalid;
	unsigned denied; /* by IAM */
	/* what the planner knows of it */
	struct access_wanted wanted;
	struct access_target target;
	struct access_facts facts;
	/* what happened */
	bool was_boot_admin, was_admin, is_finished;
	unsigned creates, updates, applies, checks, deletes;
};

static struct model ordinary(void)
{
	static char serve[] = "arn:aws:iam::1:role/serve";
	static char *principals[] = {serve};
	struct model model = {.is_standard = true,
	    .wanted = {.mode = ACCESS_RBAC, .principals = principals, .count = 1},
	    .facts = {.has_entries = true,
		.has_account = true,
		.bootstrap = {.may_begin = true},
		.sight = {.serving = 1, .reachable = 1}}};
	return model;
}

static void show_entry(struct model *model)
{
	model->target.entry = (struct access_entry_facts){.state = ENTRY_PRESENT,
	    .is_standard = model->is_standard,
	    .has_group = model->has_group,
	    .marks = {.is_managed = !model->was_there || model->is_managed_by_others,
		.is_mine = !model->was_there,
		.is_used = !model->was_there || model->is_used_tag}};
	if (model->is_same && model->boot_entry)
		model->target.entry.marks.is_temporary = true;
}

static void show_boot_entry(struct model *model)
{
	bool is_ours = model->boot_is_ours || !model->boot_was_there;
	model->facts.bootstrap.entry = (struct access_entry_facts){.state = ENTRY_PRESENT,
	    .is_standard = true,
	    .marks = {.is_managed = is_ours || model->boot_is_others,
		.is_mine = is_ours,
		.is_temporary = is_ours || model->boot_is_others,
		.is_over = model->boot_is_over}};
}

static bool is_permitted(struct model *model, unsigned ops)
{
	model->facts.denied |= model->denied & ops;
	return (model->denied & ops) == 0;
}

/* What the proxy sees now. */
static void look(struct model *model)
{
	struct access_sight *sight = &model->facts.sight;
	bool is_known = model->has_entry || model->aws_auth;
	bool is_bound = model->has_entry && model->has_group && model->has_rbac;
	sight->authenticated = is_known && sight->reachable > 0;
	sight->unknown_there = !is_known && sight->reachable > 0;
	sight->permitted =
	    (is_bound || (model->has_entry && model->is_admin)) && sight->reachable > 0;
}

static void describe(struct model *model)
{
	struct access_entry_facts *entry = &model->target.entry;
	if (!is_permitted(model, BIT(EKS_DESCRIBE_ENTRY)))
		entry->state = ENTRY_HIDDEN;
	else if (model->has_entry)
		show_entry(model);
	else
		entry->state = ENTRY_ABSENT;
}

static void create(struct model *model)
{
	bool has_tags = (model->facts.denied & BIT(EKS_TAG_RESOURCE)) == 0;
	if (!is_permitted(model, BIT(EKS_CREATE_ENTRY) | (has_tags ? BIT(EKS_TAG_RESOURCE) : 0)))
		return;
	if (model->is_invalid) {
		model->target.is_invalid = true;
		return;
	}
	if (model->has_entry) {
		model->target.is_taken = true;
		model->target.entry.state = (model->facts.denied & BIT(EKS_DESCRIBE_ENTRY)) != 0
						? ENTRY_HIDDEN
						: ENTRY_UNKNOWN;
		return;
	}
	model->creates++;
	model->has_entry = model->has_group = true;
	show_entry(model);
	model->facts.sight.is_checked = false;
}

static void grant(struct model *model)
{
	/* Never on an entry that existed before, never without the way back. */
	assert_false(model->was_there);
	assert_true(model->facts.is_proved);
	if (!is_permitted(model, BIT(EKS_ASSOCIATE_POLICY)))
		return;
	model->is_admin = model->was_admin = model->target.is_granted = true;
	model->facts.sight.is_checked = false;
}

static void boot_grant(struct model *model)
{
	assert_false(model->boot_was_there);
	assert_true(model->facts.is_proved);
	assert_false(model->is_same && model->has_entry);
	assert_int_equal(model->denied & (BIT(EKS_DELETE_ENTRY) | BIT(EKS_TAG_RESOURCE)), 0);
	if (!is_permitted(model, BIT(EKS_ASSOCIATE_POLICY))) {
		model->facts.bootstrap.is_live = false;
		return;
	}
	model->boot_admin = model->was_boot_admin = true;
	model->facts.bootstrap.stage = ACCESS_GRANTED;
}

static void boot_create(struct model *model)
{
	struct access_bootstrap *bootstrap = &model->facts.bootstrap;
	if (!is_permitted(model, BIT(EKS_CREATE_ENTRY) | BIT(EKS_TAG_RESOURCE)))
		return;
	assert_false(model->boot_entry);
	model->boot_entry = true;
	bootstrap->is_journalled = bootstrap->is_live = true;
	bootstrap->is_deleted = false;
	bootstrap->stage = ACCESS_CREATED;
}

static void boot_delete(struct model *model)
{
	assert_true(!model->boot_was_there || model->boot_is_ours || model->boot_is_over);
	model->deletes++;
	model->boot_entry = model->boot_admin = false;
	model->facts.bootstrap.is_journalled = true;
	model->facts.bootstrap.is_deleted = true;
	model->facts.bootstrap.stage = ACCESS_DELETING;
	model->facts.bootstrap.entry.state = ENTRY_UNKNOWN;
}

static void perform_boot(struct model *model, enum access_action action)
{
	struct access_bootstrap *bootstrap = &model->facts.bootstrap;
	if (action == ACCESS_IDENTIFY) {
		bootstrap->is_known = true;
		model->target.is_bootstrap = model->is_same;
	} else if (action == ACCESS_BOOT_DESCRIBE || action == ACCESS_BOOT_CONFIRM) {
		bootstrap->entry.state = ENTRY_ABSENT;
		if (model->boot_entry)
			show_boot_entry(model);
	} else if (action == ACCESS_PROVE) {
		model->facts.is_proved = is_permitted(model, BIT(EKS_DELETE_ENTRY));
	} else if (action == ACCESS_BOOT_CREATE) {
		boot_create(model);
	} else if (action == ACCESS_BOOT_GRANT) {
		boot_grant(model);
	} else if (action == ACCESS_BOOT_APPLY) {
		assert_true(model->boot_admin);
		model->applies++;
		model->has_rbac = bootstrap->is_applied = bootstrap->is_spent = true;
		bootstrap->is_live = false;
	} else if (action == ACCESS_BOOT_DELETE) {
		boot_delete(model);
	} else {
		bootstrap->is_journalled = bootstrap->is_live = bootstrap->is_deleted = false;
		bootstrap->entry.state = ENTRY_UNKNOWN;
		model->facts.sight.is_checked = false;
		model->boot_was_there = false;
	}
}

static void perform(struct model *model, const struct access_plan *plan)
{
	switch (plan->action) {
	case ACCESS_DESCRIBE:
		describe(model);
		break;
	case ACCESS_CREATE:
		create(model);
		break;
	case ACCESS_UPDATE:
		if (!is_permitted(model, BIT(EKS_UPDATE_ENTRY)))
			break;
		model->updates++;
		model->has_group = true;
		model->facts.sight.is_checked = false;
		show_entry(model);
		break;
	case ACCESS_TAG:
		if (is_permitted(model, BIT(EKS_TAG_RESOURCE)))
			model->is_used_tag = true;
		show_entry(model);
		break;
	case ACCESS_GRANT:
		grant(model);
		break;
	case ACCESS_CHECK:
		model->checks++;
		model->facts.sight.is_checked = true;
		model->facts.sight.reachable = 1;
		model->facts.sight.unasked = 0;
		break;
	default:
		perform_boot(model, plan->action);
	}
}

static struct access_plan run(struct model *model)
{
	struct access_plan plan = {0};
	model->facts.wanted = &model->wanted;
	model->facts.targets = &model->target;
	for (int i = 0; i < STEPS_MAX; i++) {
		look(model);
		plan = access_plan_next(&model->facts);
		if (plan.action == ACCESS_REST) {
			/* Whatever the outcome: nobody is left admin who should not be. */
			assert_false(model->boot_admin);
			return plan;
		}
		perform(model, &plan);
	}
	fail_msg("no end after %d steps, the last one is %s", STEPS_MAX,
	    access_action_text(plan.action));
	return plan;
}

static void expect(struct model *model, enum access_reason reason)
{
	struct access_plan plan = run(model);
	if (plan.reason != reason)
		fail_msg("\"%s\" instead of \"%s\"", access_reason_text(plan.reason),
		    access_reason_text(reason));
}

/* --- what works ------------------------------------------------------------------------------- */

static void test_from_nothing(void **state)
{
	(void)state;
	struct model model = ordinary();
	expect(&model, REASON_READY);
	assert_true(model.has_entry && model.has_group && model.has_rbac);
	assert_int_equal(model.creates, 1);
	assert_int_equal(model.applies, 1);
	assert_int_equal(model.deletes, 1);
	assert_true(model.was_boot_admin);
}

static void test_what_works_is_left_alone(void **state)
{
	(void)state;
	struct model model = ordinary();
	model.has_entry = model.was_there = model.has_group = model.has_rbac = true;
	expect(&model, REASON_READY);
	assert_int_equal(model.creates + model.updates + model.applies + model.deletes, 0);
	/* The next start does not even look. */
	model.target = (struct access_target){.is_recorded = true};
	struct access_plan plan = access_plan_next(&model.facts);
	assert_int_equal(plan.action, ACCESS_REST);
	/* Nor while no proxy is there to tell. */
	model.facts.sight = (struct access_sight){0};
	plan = access_plan_next(&model.facts);
	assert_int_equal(plan.reason, REASON_NO_PROXY);
}

static void test_objects_are_there_and_no_admin_is_needed(void **state)
{
	(void)state;
	struct model model = ordinary();
	model.has_rbac = true;
	expect(&model, REASON_READY);
	assert_int_equal(model.creates, 1);
	assert_false(model.was_boot_admin);
}

static void test_groups_are_united(void **state)
{
	(void)state;
	struct model model = ordinary();
	model.has_entry = model.was_there = model.has_foreign_groups = model.has_rbac = true;
	expect(&model, REASON_READY);
	assert_int_equal(model.updates, 1);
	assert_int_equal(model.creates, 0);
	assert_false(model.was_boot_admin);
}

static void test_another_discoverys_entry_is_marked_used(void **state)
{
	(void)state;
	struct model model = ordinary();
	model.has_entry = model.was_there = model.has_group = model.has_rbac = true;
	model.is_managed_by_others = true;
	expect(&model, REASON_READY);
	assert_true(model.is_used_tag);
	assert_int_equal(model.creates + model.updates, 0);
}

static void test_one_principal_for_both(void **state)
{
	(void)state;
	struct model model = ordinary();
	model.is_same = true;
	expect(&model, REASON_READY);
	assert_int_equal(model.applies, 1);
	assert_int_equal(model.creates, 1);
	/* Not once it serves. */
	model = ordinary();
	model.is_same = true;
	model.has_entry = model.was_there = model.has_group = true;
	expect(&model, REASON_SERVES);
	assert_false(model.was_boot_admin);
}

static void test_cluster_admin_mode(void **state)
{
	(void)state;
	struct model model = ordinary();
	model.wanted.mode = ACCESS_CLUSTER_ADMIN;
	expect(&model, REASON_READY);
	assert_true(model.was_admin);
	assert_int_equal(model.applies, 0);
	model = ordinary();
	model.wanted.mode = ACCESS_CLUSTER_ADMIN;
	model.has_entry = model.was_there = model.has_group = true;
	expect(&model, REASON_EXISTED);
	assert_false(model.was_admin);
	/* Nor while nobody reaches the cluster. */
	model = ordinary();
	model.wanted.mode = ACCESS_CLUSTER_ADMIN;
	model.facts.sight.reachable = 0;
	expect(&model, REASON_UNREACHABLE);
	assert_int_equal(model.creates, 0);
}

/* --- what does not ---------------------------------------------------------------------------- */

static void test_modes_that_do_nothing(void **state)
{
	(void)state;
	struct model model = ordinary();
	model.facts.has_entries = false;
	expect(&model, REASON_CONFIG_MAP);
	model = ordinary();
	model.wanted.mode = ACCESS_MANUAL;
	expect(&model, REASON_MANUAL);
	model = ordinary();
	model.wanted.count = 0;
	expect(&model, REASON_NOBODY);
	model.facts.sight.permitted = 1;
	assert_int_equal(access_plan_next(&model.facts).reason, REASON_READY);
	model = ordinary();
	model.facts.has_account = false;
	expect(&model, REASON_NO_ACCOUNT);
}

static void test_no_admin_without_a_reachable_proxy(void **state)
{
	(void)state;
	struct model model = ordinary();
	model.facts.sight = (struct access_sight){0};
	expect(&model, REASON_NO_PROXY);
	assert_int_equal(model.creates, 1);
	model = ordinary();
	model.facts.sight.reachable = 0;
	expect(&model, REASON_UNREACHABLE);
	assert_int_equal(model.checks, 0);
	model.facts.sight.unasked = 1; /* it looks when it is asked to */
	expect(&model, REASON_READY);
	model = ordinary();
	model.facts.sight.is_foreign = true;
	expect(&model, REASON_FOREIGN);
	assert_false(model.was_boot_admin);
}

static void test_entries_that_cannot_be_used(void **state)
{
	(void)state;
	struct model model = ordinary();
	model.has_entry = model.was_there = true;
	model.is_standard = false;
	expect(&model, REASON_TYPE);
	model = ordinary();
	model.is_invalid = true;
	expect(&model, REASON_INVALID);
	/* aws-auth would be replaced by an entry. */
	model = ordinary();
	model.aws_auth = true;
	expect(&model, REASON_MAPPED);
	assert_int_equal(model.creates, 0);
	/* As long as nobody has been sent away, it is not known that there is no mapping. */
	model = ordinary();
	model.facts.has_mappings = true;
	model.facts.sight.reachable = 0;
	expect(&model, REASON_UNREACHABLE);
	assert_int_equal(model.creates, 0);
	model.facts.sight.reachable = 1;
	expect(&model, REASON_READY);
	assert_int_equal(model.creates, 1);
}

static void test_bootstrap_entries_that_existed(void **state)
{
	(void)state;
	struct model model = ordinary();
	model.boot_entry = model.boot_was_there = true;
	expect(&model, REASON_BOOT_EXISTED);
	assert_int_equal(model.deletes, 0);
	assert_true(model.boot_entry);
	/* Another discoveryd's is left alone … */
	model.boot_is_others = true;
	model.facts.bootstrap.entry.state = ENTRY_UNKNOWN;
	expect(&model, REASON_BUSY);
	assert_true(model.boot_entry);
	/* … unless its time was over long ago. */
	model.boot_is_over = true;
	model.facts.bootstrap.entry.state = ENTRY_UNKNOWN;
	expect(&model, REASON_READY);
	assert_int_equal(model.deletes, 2);
	/* Our own is an orphan. */
	model = ordinary();
	model.boot_entry = model.boot_was_there = model.boot_is_ours = true;
	expect(&model, REASON_READY);
	assert_int_equal(model.deletes, 2);
}

static void test_objects_that_do_not_help(void **state)
{
	(void)state;
	struct model model = ordinary();
	model.facts.bootstrap.is_spent = true;
	expect(&model, REASON_USELESS);
	assert_int_equal(model.applies, 0);
}

/* Each permission denied in turn: from nothing, with a foreign entry, with both principals one. */
static void test_each_permission_denied(void **state)
{
	(void)state;
	static const enum access_reason from_nothing[EKS_ACCESS_OPS] = {
	    [EKS_DESCRIBE_ENTRY] = REASON_DENIED, /* no bootstrap without seeing its end */
	    [EKS_CREATE_ENTRY] = REASON_DENIED,
	    [EKS_UPDATE_ENTRY] = REASON_READY,
	    [EKS_DELETE_ENTRY] = REASON_DENIED,
	    [EKS_ASSOCIATE_POLICY] = REASON_DENIED,
	    [EKS_TAG_RESOURCE] = REASON_DENIED};
	static const enum access_reason foreign_entry[EKS_ACCESS_OPS] = {
	    [EKS_DESCRIBE_ENTRY] = REASON_HIDDEN,
	    [EKS_CREATE_ENTRY] = REASON_READY,
	    [EKS_UPDATE_ENTRY] = REASON_DENIED,
	    [EKS_DELETE_ENTRY] = REASON_READY,
	    [EKS_ASSOCIATE_POLICY] = REASON_READY,
	    [EKS_TAG_RESOURCE] = REASON_READY};
	for (enum eks_access_op op = 0; op < EKS_ACCESS_OPS; op++) {
		struct model model = ordinary();
		model.denied = BIT(op);
		struct access_plan plan = run(&model);
		assert_int_equal(plan.reason, from_nothing[op]);
		if (plan.reason == REASON_DENIED)
			assert_int_equal(plan.missing, BIT(op));
		/* Everything else goes on. */
		assert_int_equal(model.has_entry, op != EKS_CREATE_ENTRY);
		assert_int_equal(model.was_boot_admin, plan.reason == REASON_READY);

		model = ordinary();
		model.denied = BIT(op);
		model.has_entry = model.was_there = model.has_rbac = true;
		assert_int_equal(run(&model).reason, foreign_entry[op]);

		model = ordinary();
		model.denied = BIT(op);
		model.wanted.mode = ACCESS_CLUSTER_ADMIN;
		(void)run(&model);
		assert_int_equal(
		    model.was_admin, op == EKS_DESCRIBE_ENTRY || op == EKS_UPDATE_ENTRY);
	}
}

/* Every combination of what may be there: it always ends, and what must never happen does not. */
static void test_everything_ends(void **state)
{
	(void)state;
	for (unsigned bits = 0; bits < 1u << 15; bits++) {
		struct model model = ordinary();
		model.facts.has_mappings = (bits * 2654435761u >> 31) != 0;
		model.has_entry = model.was_there = (bits & 1) != 0;
		model.has_group = model.has_entry && (bits & 2) != 0;
		model.has_rbac = (bits & 4) != 0;
		model.is_same = (bits & 8) != 0 && !model.has_entry;
		model.boot_entry = model.boot_was_there = (bits & 16) != 0 && !model.is_same;
		model.boot_is_ours = (bits & 32) != 0;
		model.aws_auth = (bits & 64) != 0;
		model.wanted.mode = (bits & 128) != 0 ? ACCESS_CLUSTER_ADMIN : ACCESS_RBAC;
		model.facts.sight.reachable = (bits & 256) != 0;
		model.denied = bits >> 9 & ALL_OPS;
		assert_true(run(&model).reason != REASON_NONE);
		bool was_begun = model.was_boot_admin;
		assert_false(was_begun && (model.denied & BIT(EKS_DELETE_ENTRY)) != 0);
		assert_false(was_begun && (model.denied & BIT(EKS_TAG_RESOURCE)) != 0);
		assert_false(was_begun && model.facts.sight.reachable == 0);
	}
}

/* A row of the journal goes before everything else, at each stage, in each mode. */
static void test_an_unfinished_bootstrap_is_ended_first(void **state)
{
	(void)state;
	for (enum access_stage stage = ACCESS_CREATING; stage <= ACCESS_DELETING; stage++)
		for (enum access_mode mode = ACCESS_RBAC; mode <= ACCESS_MANUAL; mode++) {
			struct model model = ordinary();
			struct access_facts *facts = &model.facts;
			model.wanted.mode = mode;
			facts->has_entries = false;
			facts->sight.permitted = 1;
			facts->wanted = &model.wanted;
			facts->targets = &model.target;
			facts->bootstrap.is_journalled = true;
			facts->bootstrap.stage = stage;
			assert_int_equal(access_plan_next(facts).action, ACCESS_BOOT_DELETE);
			facts->bootstrap.is_deleted = true;
			assert_int_equal(access_plan_next(facts).action, ACCESS_BOOT_CONFIRM);
			facts->bootstrap.entry.state = ENTRY_ABSENT;
			assert_int_equal(access_plan_next(facts).action, ACCESS_BOOT_CLEAR);
		}
}

/* Proxies that act as the bootstrap principal were let in by its temporary entry, and are for as
 * long as EKS takes to heed the deletion: their own entry is made in spite of that. */
static void test_what_was_temporary_is_no_access(void **state)
{
	(void)state;
	struct model model = ordinary();
	model.target.entry.state = ENTRY_ABSENT;
	model.facts.wanted = &model.wanted;
	model.facts.targets = &model.target;
	model.facts.sight.authenticated = model.facts.sight.permitted = 1;
	model.facts.bootstrap.is_known = model.facts.bootstrap.is_applied =
	    model.facts.bootstrap.is_spent = true;
	assert_int_equal(access_plan_next(&model.facts).reason, REASON_READY);
	model.target.is_bootstrap = true;
	assert_int_equal(access_plan_next(&model.facts).action, ACCESS_CREATE);
}

static void test_turns_are_waited_for(void **state)
{
	(void)state;
	struct model model = ordinary();
	model.facts.bootstrap.may_begin = false;
	expect(&model, REASON_TURN);
	model.facts.bootstrap.may_begin = true;
	expect(&model, REASON_READY);
}

int main(void)
{
#define TEST(name) cmocka_unit_test(name)
	const struct CMUnitTest tests[] = {TEST(test_from_nothing),
	    TEST(test_what_works_is_left_alone),
	    TEST(test_objects_are_there_and_no_admin_is_needed), TEST(test_groups_are_united),
	    TEST(test_another_discoverys_entry_is_marked_used), TEST(test_one_principal_for_both),
	    TEST(test_cluster_admin_mode), TEST(test_modes_that_do_nothing),
	    TEST(test_no_admin_without_a_reachable_proxy), TEST(test_entries_that_cannot_be_used),
	    TEST(test_bootstrap_entries_that_existed), TEST(test_objects_that_do_not_help),
	    TEST(test_each_permission_denied), TEST(test_everything_ends),
	    TEST(test_an_unfinished_bootstrap_is_ended_first),
	    TEST(test_what_was_temporary_is_no_access), TEST(test_turns_are_waited_for)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
