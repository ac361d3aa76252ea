/* From a pass to the registry and back: what may be relied on at the next pass, and what must be
 * looked at again because its outcome is not settled. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "common/loop.h"
#include "common/metrics.h"
#include "common/xmem.h"
#include "discoveryd/discovery_metrics.h"
#include "discoveryd/enrollment.h"
#include "discoveryd/scope.h"
#include "tests/unit/discovery_fixture.h"

struct world {
	struct loop *loop;
	struct metrics *metrics;
	struct discovery_metrics *families;
	char *dir;
	struct registry *registry;
	struct enrollment *enrollment;
	struct settings settings;
	struct aws_matcher matcher;
	const struct aws_matcher *matchers[1];
	struct account account;
	struct scope *scope;
};

static int set_up(void **state)
{
	struct world *world = xcalloc(1, sizeof *world);
	char *error = NULL;
	world->loop = loop_new();
	world->metrics = metrics_new();
	world->families = discovery_metrics_new(world->metrics);
	world->dir = fixture_dir();
	world->registry = registry_open(world->dir, "g", &error);
	world->enrollment = enrollment_new(world->loop, world->registry, world->families, "g");
	world->settings.removal.guard_percent = 50;
	enrollment_configure(world->enrollment, NULL, &world->settings);
	world->matcher = fixture_matcher("env", "prod");
	world->account.id = xstrdup("own");
	world->scope = scope_new(&world->account, REGION);
	world->scope->matchers = xcalloc(1, sizeof(struct aws_matcher *));
	world->scope->matchers[0] = &world->matcher;
	world->scope->matcher_count = 1;
	*state = world;
	return 0;
}

static int tear_down(void **state)
{
	struct world *world = *state;
	scope_free(&world->scope);
	free(world->account.id);
	fixture_matcher_free(&world->matcher);
	enrollment_free(&world->enrollment);
	registry_close(&world->registry);
	fixture_remove_dir(&world->dir);
	discovery_metrics_free(&world->families);
	metrics_free(&world->metrics);
	loop_free(&world->loop);
	xfree(&world);
	return 0;
}

static void take(struct world *world, struct sweep_result *result)
{
	char *error = NULL;
	result->has_tags = true;
	if (!enrollment_take(world->enrollment, world->scope, result, &error))
		fail_msg("%s", error);
	fixture_result_free(result);
}

/* One cluster, described with these tags. */
static void take_one(struct world *world, const char *tags, const char *status)
{
	struct sweep_result result = fixture_result();
	struct eks_cluster *cluster = fixture_eks("a", tags);
	fixture_set_status(cluster, status);
	fixture_found(&result, cluster);
	take(world, &result);
}

static const struct look *recall(const struct world *world, const char *name)
{
	return enrollment_recall(world->enrollment, world->scope, name);
}

static void test_settled_outcomes_are_remembered(void **state)
{
	struct world *world = *state;
	assert_null(recall(world, "a"));
	take_one(world, "env=prod", "ACTIVE");
	assert_true(recall(world, "a")->is_served);
	take_one(world, "env=dev", "ACTIVE");
	assert_false(recall(world, "a")->is_served);
	assert_int_equal(cluster_set_count(registry_set(world->registry)), 0);
	take_one(world, "env=prod", "CREATING");
	assert_null(recall(world, "a"));
	take_one(world, "env=prod", "UPDATING");
	assert_string_equal(recall(world, "a")->status, "UPDATING");
	take_one(world, "env=prod", "DELETING");
	assert_null(recall(world, "a"));
}

static void test_known_clusters_stay_and_were_not_absent(void **state)
{
	struct world *world = *state;
	take_one(world, "env=prod", "ACTIVE");
	struct sweep_result absent = fixture_result();
	take(world, &absent);
	assert_null(recall(world, "a"));
	struct sweep_result known = fixture_result();
	fixture_found(&known, fixture_eks("a", "env=dev"));
	known.sightings[0].kind = SIGHTING_KNOWN;
	take(world, &known);
	const struct cluster_item *item =
	    cluster_set_find_arn(registry_set(world->registry), ARN("a"));
	assert_non_null(item);
	assert_int_equal(cluster_item_claim(item, "own/" REGION)->absences, 0);
}

static void test_an_unsettled_pass_removes_nothing_and_is_looked_at_again(void **state)
{
	struct world *world = *state;
	take_one(world, "env=prod", "ACTIVE");
	struct sweep_result result = fixture_result();
	fixture_found(&result, fixture_eks("a", "env=dev"));
	fixture_failed(&result, "b");
	take(world, &result);
	assert_int_equal(cluster_set_count(registry_set(world->registry)), 1);
	assert_null(recall(world, "a"));
}

static void take_many(struct world *world, const char *tags)
{
	struct sweep_result result = fixture_result();
	for (int i = 0; i < 12; i++) {
		char name[] = {'c', (char)('a' + i), '\0'};
		fixture_found(&result, fixture_eks(name, tags));
	}
	take(world, &result);
}

static void test_held_removals_are_looked_at_again(void **state)
{
	struct world *world = *state;
	take_many(world, "env=prod");
	assert_non_null(recall(world, "ca"));
	take_many(world, "env=dev");
	assert_int_equal(cluster_set_count(registry_set(world->registry)), 12);
	assert_null(recall(world, "ca"));
}

static void test_what_is_registered_otherwise_is_looked_at_again(void **state)
{
	struct world *world = *state;
	struct registry_changes changes = {0};
	char *error = NULL;
	take_one(world, "env=prod", "ACTIVE");
	registry_changes_remove(&changes, ARN("a"), REMOVAL_ORPHANED, NULL);
	assert_true(registry_commit(world->registry, &changes, &error));
	registry_changes_free(&changes);
	assert_null(recall(world, "a"));
}

static void test_without_the_tagging_api_nothing_is_remembered(void **state)
{
	struct world *world = *state;
	struct sweep_result result = fixture_result();
	char *error = NULL;
	fixture_found(&result, fixture_eks("a", "env=prod"));
	assert_true(enrollment_take(world->enrollment, world->scope, &result, &error));
	fixture_result_free(&result);
	assert_null(recall(world, "a"));
}

/* --- what a newer version stored -------------------------------------------------------------- */

static void reopen(struct world *world, const char *sql)
{
	char *error = NULL, *path = xasprintf("%s/registry.db", world->dir);
	sqlite3 *db = NULL;
	enrollment_free(&world->enrollment);
	registry_close(&world->registry);
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	if (sqlite3_exec(db, sql, NULL, NULL, &error) != SQLITE_OK)
		fail_msg("%s", error);
	sqlite3_close(db);
	xfree(&path);
	world->registry = registry_open(world->dir, "g", &error);
	if (world->registry == NULL)
		fail_msg("%s", error);
	world->enrollment = enrollment_new(world->loop, world->registry, world->families, "g");
	enrollment_configure(world->enrollment, NULL, &world->settings);
}

/* The one cluster has all members that this version does not know, and this label. */
static void expect_later(const struct world *world, const char *label)
{
	static const char *const parts[] = {"\"later\":{\"deep\":[1,{\"x\":null}]}",
	    "\"later_metadata\":\"m\"", "\"later_spec\":2.5", "\"later_aws\":true",
	    "\"later_status\":[]"};
	const struct cluster_item *item =
	    cluster_set_find_arn(registry_set(world->registry), ARN("a"));
	assert_non_null(item);
	char *text = kube_cluster_to_text(item->cluster);
	for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
		if (strstr(text, parts[i]) == NULL)
			fail_msg("%s is not in %s", parts[i], text);
	}
	assert_non_null(strstr(text, label));
	xfree(&text);
}

/* Through the migration of an old file, an update by a pass, and a restart. */
static void test_unknown_members_are_kept(void **state)
{
	struct world *world = *state;
	take_one(world, "env=prod,team=one", "ACTIVE");
	reopen(world,
	    "UPDATE clusters SET resource = json_set(resource,"
	    " '$.later', json('{\"deep\":[1,{\"x\":null}]}'), '$.metadata.later_metadata', 'm',"
	    " '$.spec.later_spec', 2.5, '$.spec.aws.later_aws', json('true'),"
	    " '$.status.later_status', json('[]'));"
	    "DROP TABLE looks; DROP TABLE access; PRAGMA user_version = 1");
	expect_later(world, "\"team\":\"one\"");
	take_one(world, "env=prod,team=two", "ACTIVE");
	expect_later(world, "\"team\":\"two\"");
	reopen(world, "");
	expect_later(world, "\"team\":\"two\"");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_settled_outcomes_are_remembered),
	    TEST(test_known_clusters_stay_and_were_not_absent),
	    TEST(test_an_unsettled_pass_removes_nothing_and_is_looked_at_again),
	    TEST(test_held_removals_are_looked_at_again),
	    TEST(test_what_is_registered_otherwise_is_looked_at_again),
	    TEST(test_without_the_tagging_api_nothing_is_remembered),
	    TEST(test_unknown_members_are_kept),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
