/* Every step of a reconcile, one process each: SIGKILL before, and in the middle of, each operation
 * on the registry's files, the end of the machine, and each operation failing. After a death the
 * file holds one of the states between two commits, nothing that was published is missing, and the
 * epoch grows. After a failure the memory is what the file is. */
#include <dirent.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "common/log.h"
#include "common/xmem.h"
#include "discoveryd/registry.h"
#include "tests/unit/discovery_fixture.h"
#include "tests/unit/fault_vfs.h"

#define SCOPE "own/" REGION

static struct cluster_item *make_item(const char *name, const char *called, int64_t created_at)
{
	struct kube_cluster *cluster = xcalloc(1, sizeof *cluster);
	struct eks_cluster *eks = fixture_eks(name, "");
	cluster->name = xstrdup(called);
	cluster->aws.name = xstrdup(name);
	cluster->aws.account_id = xstrdup(ACCOUNT);
	cluster->aws.region = xstrdup(REGION);
	cluster->aws.arn = xstrdup(eks->arn);
	cluster->aws.created_at.ms = created_at;
	cluster->endpoint = xstrdup(eks->endpoint);
	cluster->certificate_authority = xstrdup(eks->certificate_authority);
	cluster->authentication_mode = xstrdup(eks->authentication_mode);
	cluster->status.phase = xstrdup("ready");
	fixture_eks_free(&eks);
	struct cluster_item *item = cluster_item_new(cluster);
	cluster_item_add_claim(item, SCOPE, 0);
	return item;
}

/* --- the reconcile ---------------------------------------------------------------------------- */

/* What a walk tells its parent, through a pipe. */
struct news {
	uint64_t epoch; /* 0: not this */
	int64_t published; /* the newest revision that was told */
	unsigned done; /* commits that succeeded */
};

struct walk {
	const char *dir;
	int out; /* the pipe, or -1 */
	struct registry *registry;
	struct news news;
	char **states; /* fingerprints after each commit, when they are wanted; 8 of them */
	bool has_failed;
};

static void tell_parent(struct walk *walk)
{
	if (walk->out >= 0 && write(walk->out, &walk->news, sizeof walk->news) < 0)
		abort();
}

static void on_events(void *arg, const struct registry_event *events, size_t count)
{
	struct walk *walk = arg;
	walk->news.published = events[count - 1].revision;
	tell_parent(walk);
}

/* Everything that is durable but for times. */
static char *fingerprint(const struct registry *registry)
{
	struct buf out = {0};
	const struct cluster_item *item = NULL;
	while ((item = cluster_set_next(registry_set(registry), item)) != NULL) {
		const struct claim *claim = cluster_item_claim(item, SCOPE);
		buf_printf(&out, "%s@%lld/%u ", item->cluster->name,
		    (long long)item->cluster->revision, claim != NULL ? claim->absences : 9);
	}
	const struct look *look = NULL;
	while ((look = look_set_next(registry_looks(registry), look)) != NULL)
		buf_printf(&out, "(%s) ", look->name);
	buf_printf(&out, "%zu %lld", registry_tombstone_count(registry),
	    (long long)registry_sequence(registry));
	return buf_take(&out);
}

static void note_commit(struct walk *walk, bool is_done)
{
	walk->has_failed |= !is_done;
	walk->news.done += is_done;
	if (walk->states != NULL)
		walk->states[walk->news.done] = fingerprint(walk->registry);
	tell_parent(walk);
}

static void commit(struct walk *walk, struct registry_changes *changes)
{
	char *error = NULL;
	bool is_done = registry_commit(walk->registry, changes, &error);
	registry_changes_free(changes);
	free(error);
	note_commit(walk, is_done);
}

static struct look *new_look(const char *name, int64_t described_at)
{
	struct look *look = look_new(SCOPE, name);
	look->arn = xasprintf("arn:aws:eks:%s:%s:cluster/%s", REGION, ACCOUNT, name);
	look->status = xstrdup("ACTIVE");
	look->is_served = true;
	look->described_at.ms = described_at;
	return look;
}

static void commit_look(struct walk *walk, struct look *look)
{
	char *error = NULL;
	bool is_done = registry_commit_looks(walk->registry, &look, 1, &error);
	free(error);
	note_commit(walk, is_done);
}

static void seal(struct walk *walk)
{
	char *error = NULL;
	walk->has_failed |= !registry_seal(walk->registry, &error);
	free(error);
}

/* Created, renamed, re-created, absent once, gone: a pass with its looks, and the one after it. */
static void reconcile(struct walk *walk)
{
	struct registry_changes changes = {0};
	registry_changes_put(&changes, make_item("a", "omega", 1));
	registry_changes_put(&changes, make_item("b", "beta", 2));
	registry_changes_put(&changes, make_item("d", "delta", 1));
	struct cluster_item *absent = make_item("c", "gamma", 1);
	cluster_item_add_claim(absent, SCOPE, 1);
	registry_changes_put(&changes, absent);
	commit(walk, &changes);
	commit_look(walk, new_look("d", 1000));
	seal(walk);
	registry_changes_remove(&changes, ARN("c"), REMOVAL_GONE, xstrdup("twice"));
	commit(walk, &changes);
	commit_look(walk, look_new(SCOPE, "c"));
	seal(walk);
}

/* False: it could not be opened. */
static bool run(struct walk *walk)
{
	char *error = NULL;
	walk->registry = registry_open(walk->dir, "g", &error);
	free(error);
	if (walk->registry == NULL)
		return false;
	registry_observe(walk->registry, on_events, walk);
	walk->news.epoch = registry_epoch(walk->registry);
	tell_parent(walk);
	if (walk->states != NULL)
		walk->states[0] = fingerprint(walk->registry);
	reconcile(walk);
	return true;
}

/* --- the world -------------------------------------------------------------------------------- */

struct world {
	char *base; /* the state before; never written to */
	char *dir; /* where each walk begins */
	char *disk; /* what the end of the machine leaves of it */
	char *states[8];
	unsigned operations; /* of a reconcile without a fault, its end included */
};

static void make_base(const char *dir)
{
	char *error = NULL;
	struct registry *registry = registry_open(dir, "g", &error);
	struct registry_changes changes = {0};
	assert_non_null(registry);
	registry_changes_put(&changes, make_item("a", "alpha", 1));
	registry_changes_put(&changes, make_item("b", "beta", 1));
	registry_changes_put(&changes, make_item("c", "gamma", 1));
	assert_true(registry_commit(registry, &changes, &error));
	registry_changes_free(&changes);
	struct look *look = new_look("c", 500);
	assert_true(registry_commit_looks(registry, &look, 1, &error));
	assert_true(registry_seal(registry, &error));
	registry_close(&registry);
}

static void copy_file(const char *from, const char *to)
{
	char data[65536];
	FILE *in = fopen(from, "rb"), *out = fopen(to, "wb");
	assert_non_null(in);
	assert_non_null(out);
	for (size_t len; (len = fread(data, 1, sizeof data, in)) > 0;)
		assert_int_equal(fwrite(data, 1, len, out), len);
	fclose(in);
	assert_int_equal(fclose(out), 0);
}

static char *fresh_copy(const struct world *world)
{
	char *dir = fixture_dir();
	char *from = xasprintf("%s/registry.db", world->base),
	     *to = xasprintf("%s/registry.db", dir);
	copy_file(from, to);
	free(from);
	free(to);
	return dir;
}

/* The directory as it was before the reconcile. */
static void begin_anew(struct world *world)
{
	fixture_remove_dir(&world->dir);
	fixture_remove_dir(&world->disk);
	world->dir = fresh_copy(world);
	world->disk = fresh_copy(world);
	fault = (struct fault){0};
}

static int set_up(void **state)
{
	struct world *world = xcalloc(1, sizeof *world);
	fault_vfs_install();
	fault = (struct fault){0};
	log_set_level(LOG_LEVEL_ERROR);
	world->base = fixture_dir();
	world->dir = fixture_dir();
	world->disk = fixture_dir();
	make_base(world->base);
	begin_anew(world);
	struct walk walk = {.dir = world->dir, .out = -1, .states = world->states};
	assert_true(run(&walk));
	assert_false(walk.has_failed);
	assert_int_equal(walk.news.done, 4);
	registry_close(&walk.registry);
	world->operations = fault.count;
	*state = world;
	return 0;
}

static int tear_down(void **state)
{
	struct world *world = *state;
	for (size_t i = 0; i < sizeof world->states / sizeof world->states[0]; i++)
		free(world->states[i]);
	fixture_remove_dir(&world->base);
	fixture_remove_dir(&world->dir);
	fixture_remove_dir(&world->disk);
	free(world);
	return 0;
}

static size_t find_state(const struct world *world, const char *print)
{
	size_t i = 0;
	while (world->states[i] != NULL && strcmp(world->states[i], print) != 0)
		i++;
	if (world->states[i] == NULL)
		fail_msg("no state between two commits: %s", print);
	return i;
}

/* --- death ------------------------------------------------------------------------------------ */

/* The last news of a child that runs with the fault; true when the fault killed it. */
static bool run_child(const struct world *world, struct news *news)
{
	int ends[2], status = 0;
	assert_int_equal(pipe(ends), 0);
	pid_t pid = fork();
	if (pid == 0) {
		struct walk walk = {.dir = world->dir, .out = ends[1]};
		_exit(run(&walk) && !walk.has_failed ? 0 : 1);
	}
	close(ends[1]);
	*news = (struct news){0};
	for (struct news next; read(ends[0], &next, sizeof next) == sizeof next;)
		*news = next;
	close(ends[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (WIFSIGNALED(status)) {
		assert_int_equal(WTERMSIG(status), SIGKILL);
		return true;
	}
	assert_int_equal(WEXITSTATUS(status), 0);
	return false;
}

/* Whoever dies: nothing that was told is missing, and the process leaves what was committed, too.
 */
static void check_after_death(const char *dir, const struct world *world, const struct news *news)
{
	char *error = NULL;
	fault = (struct fault){0};
	struct registry *registry = registry_open(dir, "g", &error);
	if (registry == NULL)
		fail_msg("%s", error);
	char *print = fingerprint(registry);
	size_t reached = find_state(world, print);
	assert_true(dir == world->disk || reached >= news->done);
	assert_true(registry_sequence(registry) >= news->published);
	assert_true(registry_epoch(registry) > news->epoch);
	free(print);
	registry_close(&registry);
}

/* A fault at each operation in turn; how many of them killed. `is_machine`: the machine died. */
static unsigned walk_deaths(struct world *world, enum fault_kind kind, bool is_machine)
{
	unsigned deaths = 0;
	struct news news;
	for (unsigned at = 1; at <= world->operations + is_machine; at++) {
		begin_anew(world);
		fault =
		    (struct fault){.kind = kind, .at = at, .disk = is_machine ? world->disk : NULL};
		deaths += run_child(world, &news);
		check_after_death(is_machine ? world->disk : world->dir, world, &news);
	}
	return deaths;
}

static void test_killed_before_each_operation(void **state)
{
	assert_true(walk_deaths(*state, FAULT_DEATH, false) > 20);
}

/* What was not synced is lost. */
static void test_the_machine_dies_before_each_operation(void **state)
{
	assert_true(walk_deaths(*state, FAULT_DEATH, true) > 20);
}

static void test_killed_in_the_middle_of_each_write(void **state)
{
	assert_true(walk_deaths(*state, FAULT_TORN, false) > 10);
}

/* --- failure ---------------------------------------------------------------------------------- */

/* What the memory says after the failure, and what the file says once all is well. */
static bool check_failure(struct world *world, struct fault with)
{
	begin_anew(world);
	struct walk walk = {.dir = world->dir, .out = -1};
	fault = with;
	bool is_open = run(&walk);
	bool is_hit = fault.count >= fault.at;
	char *memory = is_open ? fingerprint(walk.registry) : NULL;
	int64_t published = walk.news.published;
	registry_close(&walk.registry);
	fault = (struct fault){0};
	char *error = NULL;
	struct registry *registry = registry_open(world->dir, "g", &error);
	if (registry == NULL)
		fail_msg("%s", error);
	char *print = fingerprint(registry);
	if (memory != NULL)
		assert_string_equal(memory, print);
	assert_true(registry_sequence(registry) >= published);
	free(print);
	free(memory);
	registry_close(&registry);
	return is_hit;
}

static void walk_failures(struct world *world, int code, bool is_lasting)
{
	unsigned hits = 0;
	for (unsigned at = 1; at <= world->operations; at++) {
		const struct fault with = {
		    .kind = FAULT_ERROR, .at = at, .is_lasting = is_lasting, .code = code};
		hits += check_failure(world, with);
	}
	assert_true(hits > 20);
}

static void test_each_operation_fails_once(void **state)
{
	walk_failures(*state, SQLITE_IOERR_WRITE, false);
}

static void test_the_disk_is_full_from_an_operation_on(void **state)
{
	walk_failures(*state, SQLITE_FULL, true);
}

static void test_the_disk_becomes_read_only(void **state)
{
	walk_failures(*state, SQLITE_READONLY, true);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_killed_before_each_operation),
	    TEST(test_the_machine_dies_before_each_operation),
	    TEST(test_killed_in_the_middle_of_each_write),
	    TEST(test_each_operation_fails_once),
	    TEST(test_the_disk_is_full_from_an_operation_on),
	    TEST(test_the_disk_becomes_read_only),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
