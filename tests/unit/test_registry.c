/* The durable set: revisions, crashes, what is told and what is not, and files that are not what
 * they should be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "common/xmem.h"
#include "discoveryd/guard.h"
#include "discoveryd/registry.h"
#include "tests/unit/discovery_fixture.h"

static struct cluster_item *make_item(const char *name, const char *called)
{
	struct kube_cluster *cluster = xcalloc(1, sizeof *cluster);
	cluster->name = xstrdup(called);
	cluster->aws.name = xstrdup(name);
	cluster->aws.account_id = xstrdup(ACCOUNT);
	cluster->aws.region = xstrdup(REGION);
	cluster->aws.arn = xasprintf("arn:aws:eks:%s:%s:cluster/%s", REGION, ACCOUNT, name);
	cluster->aws.created_at.ms = 1767323045123;
	struct eks_cluster *eks = fixture_eks(name, "");
	cluster->endpoint = xstrdup(eks->endpoint);
	cluster->certificate_authority = xstrdup(eks->certificate_authority);
	cluster->authentication_mode = xstrdup(eks->authentication_mode);
	fixture_eks_free(&eks);
	cluster->status.phase = xstrdup("ready");
	struct cluster_item *item = cluster_item_new(cluster);
	cluster_item_add_claim(item, "own/" REGION, 0);
	return item;
}

/* What the observer was told: "+name@revision" and "-name@revision". */
static struct buf told;

static void on_events(void *arg, const struct registry_event *events, size_t count)
{
	(void)arg;
	for (size_t i = 0; i < count; i++)
		buf_printf(&told, "%s%c%s@%lld", told.len > 0 ? " " : "",
		    events[i].resource != NULL ? '+' : '-', events[i].name,
		    (long long)events[i].revision);
}

static void expect_told(const char *text)
{
	assert_string_equal(buf_text(&told), text);
	buf_clear(&told);
}

static struct registry *open_at(const char *dir)
{
	char *error = NULL;
	struct registry *registry = registry_open(dir, "g", &error);
	if (registry == NULL)
		fail_msg("%s", error);
	registry_observe(registry, on_events, NULL);
	return registry;
}

static void put(struct registry *registry, struct cluster_item *item)
{
	struct registry_changes changes = {0};
	char *error = NULL;
	registry_changes_put(&changes, item);
	assert_true(registry_commit(registry, &changes, &error) && registry_seal(registry, &error));
	registry_changes_free(&changes);
}

static int set_up(void **state)
{
	*state = fixture_dir();
	return 0;
}

static int tear_down(void **state)
{
	char *dir = *state;
	fixture_remove_dir(&dir);
	buf_free(&told);
	return 0;
}

static void test_what_is_committed_comes_back(void **state)
{
	struct registry *registry = open_at(*state);
	uint64_t epoch = registry_epoch(registry);
	put(registry, make_item("a", "alpha"));
	put(registry, make_item("b", "beta"));
	expect_told("+alpha@1 +beta@2");
	registry_close(&registry);
	registry = open_at(*state);
	assert_true(registry_epoch(registry) > epoch);
	assert_int_equal(registry_sequence(registry), 2);
	const struct cluster_item *item = cluster_set_find_name(registry_set(registry), "beta");
	assert_int_equal(item->cluster->revision, 2);
	assert_non_null(cluster_item_claim(item, "own/" REGION));
	size_t count = 0;
	char **texts = NULL;
	struct registry_event *events = registry_snapshot(registry, &count, &texts);
	assert_int_equal(count, 2);
	assert_int_equal(events[0].revision, 1);
	assert_non_null(strstr(events[1].resource, "\"beta\""));
	for (size_t i = 0; i < count; i++)
		free(texts[i]);
	free(texts);
	free(events);
	registry_close(&registry);
}

static void test_only_changes_of_the_resource_count(void **state)
{
	struct registry *registry = open_at(*state);
	put(registry, make_item("a", "alpha"));
	struct cluster_item *item = make_item("a", "alpha");
	cluster_item_add_claim(item, "own/" REGION, 1);
	put(registry, item);
	expect_told("+alpha@1");
	assert_int_equal(registry_sequence(registry), 1);
	registry_close(&registry);
	registry = open_at(*state);
	const struct cluster_item *kept = cluster_set_find_arn(registry_set(registry), ARN("a"));
	assert_int_equal(cluster_item_claim(kept, "own/" REGION)->absences, 1);
	registry_close(&registry);
}

static void test_rename_and_recreation_are_delete_and_put(void **state)
{
	struct registry *registry = open_at(*state);
	put(registry, make_item("a", "alpha"));
	put(registry, make_item("a", "omega"));
	struct cluster_item *again = make_item("a", "omega");
	again->cluster->aws.created_at.ms++;
	put(registry, again);
	expect_told("+alpha@1 -alpha@2 +omega@3 -omega@4 +omega@5");
	const struct tombstone *tombstone = registry_find_tombstone(registry, "alpha");
	assert_int_equal(tombstone->reason, REMOVAL_RENAMED);
	assert_string_equal(tombstone->renamed_to, "omega");
	registry_close(&registry);
	registry = open_at(*state);
	assert_string_equal(registry_find_tombstone(registry, "alpha")->renamed_to, "omega");
	assert_int_equal(registry_find_tombstone(registry, ARN("a"))->reason, REMOVAL_RECREATED);
	registry_close(&registry);
}

static void test_removal_leaves_a_tombstone(void **state)
{
	struct registry *registry = open_at(*state);
	put(registry, make_item("a", "alpha"));
	struct registry_changes changes = {0};
	char *error = NULL;
	registry_changes_remove(&changes, ARN("a"), REMOVAL_GONE, xstrdup("evidence"));
	registry_changes_remove(&changes, ARN("never"), REMOVAL_GONE, NULL);
	assert_true(registry_commit(registry, &changes, &error) && registry_seal(registry, &error));
	registry_changes_free(&changes);
	expect_told("+alpha@1 -alpha@2");
	assert_int_equal(registry_removed_since(registry, (struct unix_time){0}), 1);
	assert_string_equal(registry_find_tombstone(registry, "a")->detail, "evidence");
	registry_close(&registry);
	registry = open_at(*state);
	assert_int_equal(cluster_set_count(registry_set(registry)), 0);
	assert_int_equal(registry_removed_since(registry, (struct unix_time){0}), 1);
	put(registry, make_item("b", "beta"));
	expect_told("+beta@3");
	registry_close(&registry);
}

static void test_several_commits_are_told_when_they_are_sealed(void **state)
{
	struct registry *registry = open_at(*state);
	struct registry_changes changes = {0};
	char *error = NULL;
	registry_changes_put(&changes, make_item("a", "alpha"));
	assert_true(registry_commit(registry, &changes, &error));
	registry_changes_free(&changes);
	registry_changes_put(&changes, make_item("a", "omega"));
	registry_changes_put(&changes, make_item("b", "beta"));
	assert_true(registry_commit(registry, &changes, &error));
	registry_changes_free(&changes);
	expect_told("");
	assert_true(registry_seal(registry, &error));
	expect_told("+alpha@1 -alpha@2 +omega@3 +beta@4");
	assert_true(registry_seal(registry, &error));
	expect_told("");
	registry_close(&registry);
	registry = open_at(*state);
	assert_int_equal(registry_sequence(registry), 4);
	registry_close(&registry);
}

static void test_the_clusters_of_a_scope_stand_together(void **state)
{
	struct registry *registry = open_at(*state);
	put(registry, make_item("b", "beta"));
	put(registry, make_item("a", "alpha"));
	struct cluster_item *item = make_item("c", "gamma");
	cluster_item_add_claim(item, "other/" REGION, 0);
	put(registry, item);
	item = make_item("a", "alpha");
	cluster_item_remove_claim(item, "own/" REGION);
	cluster_item_add_claim(item, "other/" REGION, 1);
	put(registry, item);
	const struct cluster_set *set = registry_set(registry);
	const struct cluster_item *own = cluster_set_next_of(set, "own/" REGION, NULL);
	assert_string_equal(own->cluster->name, "beta");
	own = cluster_set_next_of(set, "own/" REGION, own);
	assert_string_equal(own->cluster->name, "gamma");
	assert_null(cluster_set_next_of(set, "own/" REGION, own));
	own = cluster_set_next_of(set, "other/" REGION, NULL);
	assert_string_equal(own->cluster->name, "alpha");
	assert_null(cluster_set_next_of(set, "nobody/" REGION, NULL));
	registry_close(&registry);
}

/* Runs SQL on the file of a closed or open registry. */
static void run_sql(const char *dir, const char *sql)
{
	char *path = xasprintf("%s/registry.db", dir);
	sqlite3 *db = NULL;
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
	xfree(&path);
}

static void test_a_failed_commit_changes_nothing(void **state)
{
	struct registry *registry = open_at(*state);
	put(registry, make_item("a", "alpha"));
	run_sql(*state, "CREATE TRIGGER full BEFORE INSERT ON clusters WHEN NEW.name = 'gamma'"
			" BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END");
	struct registry_changes changes = {0};
	char *error = NULL;
	registry_changes_put(&changes, make_item("b", "beta"));
	registry_changes_put(&changes, make_item("c", "gamma"));
	assert_false(registry_commit(registry, &changes, &error));
	assert_non_null(strstr(error, "registry.db"));
	assert_non_null(strstr(error, "disk is full"));
	xfree(&error);
	assert_int_equal(cluster_set_count(registry_set(registry)), 1);
	assert_int_equal(registry_sequence(registry), 1);
	expect_told("+alpha@1");
	run_sql(*state, "DROP TRIGGER full");
	assert_true(registry_commit(registry, &changes, &error) && registry_seal(registry, &error));
	expect_told("+beta@2 +gamma@3");
	registry_changes_free(&changes);
	registry_close(&registry);
}

static void expect_refused(const char *dir, const char *const *parts)
{
	char *error = NULL;
	struct registry *registry = registry_open(dir, "g", &error);
	assert_null(registry);
	for (; *parts != NULL; parts++) {
		if (strstr(error, *parts) == NULL)
			fail_msg("\"%s\" does not say \"%s\"", error, *parts);
	}
	xfree(&error);
}

static void test_a_newer_file_is_refused(void **state)
{
	struct registry *registry = open_at(*state);
	registry_close(&registry);
	run_sql(*state, "PRAGMA user_version = 9");
	expect_refused(
	    *state, (const char *const[]){"registry.db", "format 9", EKSGATE_VERSION, NULL});
}

static struct look *make_look(const char *name, int64_t described_at)
{
	struct look *look = look_new("own/" REGION, name);
	look->arn = xstrdup(ARN("a"));
	look->status = xstrdup("ACTIVE");
	look_digest(&(struct labels){0}, NULL, look->tags);
	look->is_served = true;
	look->described_at.ms = described_at;
	return look;
}

static void put_look(struct registry *registry, const char *name, int64_t described_at)
{
	struct look *looks[] = {make_look(name, described_at)};
	char *error = NULL;
	assert_true(registry_commit_looks(registry, looks, 1, &error));
	assert_null(looks[0]);
}

static void test_looks_come_back_and_are_no_changes(void **state)
{
	struct registry *registry = open_at(*state);
	put_look(registry, "a", 4711);
	put_look(registry, "b", 1);
	put_look(registry, "b", 0);
	expect_told("");
	assert_int_equal(registry_sequence(registry), 0);
	registry_close(&registry);
	registry = open_at(*state);
	const struct look *look = look_set_find(registry_looks(registry), "own/" REGION, "a");
	assert_int_equal(look->described_at.ms, 4711);
	assert_string_equal(look->status, "ACTIVE");
	assert_int_equal(strlen(look->tags), LOOK_DIGEST - 1);
	assert_true(look->is_served);
	assert_null(look_set_next(registry_looks(registry), look));
	registry_close(&registry);
}

static void test_a_file_of_the_first_format_is_upgraded(void **state)
{
	struct registry *registry = open_at(*state);
	put(registry, make_item("a", "alpha"));
	expect_told("+alpha@1");
	registry_close(&registry);
	run_sql(*state, "DROP TABLE looks; DROP TABLE access; PRAGMA user_version = 1");
	registry = open_at(*state);
	assert_int_equal(registry_sequence(registry), 1);
	assert_non_null(cluster_set_find_name(registry_set(registry), "alpha"));
	assert_null(look_set_next(registry_looks(registry), NULL));
	put_look(registry, "a", 4711);
	registry_close(&registry);
	registry = open_at(*state);
	assert_non_null(look_set_first_of(registry_looks(registry), "own/" REGION));
	registry_close(&registry);
}

static void test_a_damaged_file_is_refused(void **state)
{
	static const char *const parts[] = {"registry.db", "damaged", "move it aside", NULL};
	char *path = xasprintf("%s/registry.db", (const char *)*state);
	FILE *file = fopen(path, "w");
	for (int i = 0; i < 1000; i++)
		fputs("this is no database\n", file);
	fclose(file);
	expect_refused(*state, parts);
	remove(path);
	struct registry *registry = open_at(*state);
	put(registry, make_item("a", "alpha"));
	registry_close(&registry);
	run_sql(*state, "UPDATE clusters SET resource = '{\"kind\": \"kube_cluster\"}'");
	expect_refused(*state, (const char *const[]){"registry.db", ARN("a"), "damaged", NULL});
	run_sql(*state, "DROP TABLE clusters");
	expect_refused(*state, parts);
	xfree(&path);
}

static void test_the_state_is_private_and_held_once(void **state)
{
	char *dir = xasprintf("%s/state", (const char *)*state), *error = NULL;
	struct registry *registry = open_at(dir);
	struct stat st;
	assert_int_equal(stat(dir, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	char *path = xasprintf("%s/registry.db", dir);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_null(registry_open(dir, "g", &error));
	char pid[16];
	snprintf(pid, sizeof pid, "%d", (int)getpid());
	assert_non_null(strstr(error, pid));
	xfree(&error);
	registry_close(&registry);
	registry = open_at(dir);
	registry_close(&registry);
	xfree(&path);
	fixture_remove_dir(&dir);
}

/* --- the guard, which counts what the registry remembers ------------------------------------- */

static void test_guard_limits(void **state)
{
	(void)state;
	static const struct {
		size_t present, removed, wanted;
		bool is_refused;
	} cases[] = {{9, 0, 9, false}, {10, 0, 5, false}, {10, 0, 6, true}, {10, 0, 0, false},
	    {6, 4, 1, false}, {6, 4, 2, true}, {5, 5, 1, true}, {1000, 0, 501, true},
	    {1000, 0, 500, false}};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		assert_int_equal(
		    guard_refuses(50, cases[i].present, cases[i].removed, cases[i].wanted),
		    cases[i].is_refused);
}

static struct registry *fill(const char *dir, int count)
{
	struct registry *registry = open_at(dir);
	for (int i = 0; i < count; i++) {
		char name[16];
		snprintf(name, sizeof name, "c%02d", i);
		put(registry, make_item(name, name));
	}
	return registry;
}

static struct registry_changes removals(int from, int to)
{
	struct registry_changes changes = {0};
	for (int i = from; i < to; i++) {
		char *arn = xasprintf("arn:aws:eks:%s:%s:cluster/c%02d", REGION, ACCOUNT, i);
		registry_changes_remove(&changes, arn, REMOVAL_GONE, xstrdup("evidence"));
		free(arn);
	}
	return changes;
}

static void test_guard_holds_and_confirms(void **state)
{
	struct registry *registry = fill(*state, 10);
	struct guard *guard = guard_new();
	char *error = NULL;
	struct registry_changes few = removals(0, 3), many = removals(3, 8), none = {0};
	assert_int_equal(guard_filter(guard, "a", true, 50, registry, &few), 0);
	assert_true(registry_commit(registry, &few, &error));
	registry_changes_put(&many, make_item("c09", "renamed"));
	assert_int_equal(guard_filter(guard, "a", true, 50, registry, &many), 5);
	assert_int_equal(many.count, 1);
	assert_int_equal(guard_held_count(guard), 5);
	char *held = guard_held_text(guard, ARN("c04"));
	assert_string_equal(held, "gone: evidence");
	xfree(&held);
	struct registry_changes confirmed = {0};
	guard_confirm(guard, registry, &confirmed);
	assert_true(registry_commit(registry, &confirmed, &error));
	guard_clear(guard);
	assert_int_equal(cluster_set_count(registry_set(registry)), 2);
	/* What was confirmed is not counted. */
	assert_int_equal(registry_removed_since(registry, (struct unix_time){0}), 3);
	/* A source that wants nothing removed any more holds nothing. */
	assert_int_equal(guard_filter(guard, "a", true, 50, registry, &none), 0);
	assert_int_equal(guard_held_count(guard), 0);
	registry_changes_free(&few);
	registry_changes_free(&many);
	registry_changes_free(&confirmed);
	guard_free(&guard);
	registry_close(&registry);
}

static bool is_b(void *arg, const char *source)
{
	(void)arg;
	return strcmp(source, "b") == 0;
}

static void test_guard_forgets_what_was_looked_at_again(void **state)
{
	struct registry *registry = fill(*state, 12);
	struct guard *guard = guard_new();
	struct registry_changes first = removals(0, 8), again = removals(2, 11),
				other = removals(0, 7);
	assert_int_equal(guard_filter(guard, "a", true, 50, registry, &first), 8);
	/* A refresh shows one of them well, another pass over a part adds to the rest. */
	guard_release(guard, "a", ARN("c00"));
	assert_int_equal(guard_held_count(guard), 7);
	assert_int_equal(guard_filter(guard, "a", false, 50, registry, &again), 9);
	assert_int_equal(guard_held_count(guard), 10);
	assert_int_equal(guard_filter(guard, "b", true, 50, registry, &other), 7);
	/* A cluster that two sources hold goes once. */
	struct registry_changes confirmed = {0};
	guard_confirm(guard, registry, &confirmed);
	assert_int_equal(confirmed.count, 11);
	guard_keep_sources(guard, is_b, NULL);
	assert_int_equal(guard_held_count(guard), 7);
	registry_changes_free(&first);
	registry_changes_free(&again);
	registry_changes_free(&other);
	registry_changes_free(&confirmed);
	guard_free(&guard);
	registry_close(&registry);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_what_is_committed_comes_back),
	    TEST(test_only_changes_of_the_resource_count),
	    TEST(test_rename_and_recreation_are_delete_and_put),
	    TEST(test_removal_leaves_a_tombstone),
	    TEST(test_several_commits_are_told_when_they_are_sealed),
	    TEST(test_the_clusters_of_a_scope_stand_together),
	    TEST(test_a_failed_commit_changes_nothing),
	    TEST(test_a_newer_file_is_refused),
	    TEST(test_looks_come_back_and_are_no_changes),
	    TEST(test_a_file_of_the_first_format_is_upgraded),
	    TEST(test_a_damaged_file_is_refused),
	    TEST(test_the_state_is_private_and_held_once),
	    TEST(test_guard_limits),
	    TEST(test_guard_holds_and_confirms),
	    TEST(test_guard_forgets_what_was_looked_at_again),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
