/* The subscriber and its directory before a publisher by hand, which loses, repeats, corrupts and
 * lies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/loop.h"
#include "common/settings.h"
#include "common/xmem.h"
#include "kubeproxyd/directory/directory.h"
#include "kubeproxyd/directory/directory_feed.h"
#include "tests/unit/bus_follower.h"

/* --- following */

static void test_snapshot_and_deltas(void **state)
{
	(void)state;
	struct follower follower;
	open_follower(&follower, 3);
	assert_follows(&follower);
	struct directory_status status = directory_status(follower.directory);
	assert_true(
	    status.is_known && !status.is_stale && !status.is_expired && !status.is_from_cache);
	assert_int_equal(status.total, 3);
	assert_int_equal(status.served, 3);
	assert_int_equal(status.clock_offset.ms, 1234);
	assert_string_equal(follower.events, "+c0 +c1 +c2 ");
	follower.events[0] = '\0';
	fake_put(&follower.fake, "c1", 77);
	fake_put(&follower.fake, "c9", 1);
	fake_remove(&follower.fake, "c0", NULL);
	fake_send_delta(&follower.fake);
	assert_follows(&follower);
	assert_string_equal(follower.events, "-c0 ~c1 +c9 ");
	assert_string_equal(
	    labels_get(&directory_find(follower.directory, "c1")->labels, "variant"), "v77");
	assert_null(directory_find(follower.directory, "c0"));
	size_t count;
	const struct kube_cluster *const *list = directory_list(follower.directory, &count);
	assert_int_equal(count, 3);
	assert_string_equal(list[0]->name, "c1");
	assert_string_equal(list[2]->name, "c9");
	assert_int_equal(follower.fake.hellos, 1);
	close_follower(&follower);
}

/* A publisher must not choose when the tokens are good that are made here. */
static void test_absurd_clocks_are_ignored(void **state)
{
	(void)state;
	static const int64_t absurd[] = {INT64_C(9007199254740991), INT64_C(-9007199254740991),
	    INT64_C(86400001), INT64_C(-86400001)};
	struct follower follower;
	open_follower(&follower, 1);
	for (size_t i = 0; i < sizeof absurd / sizeof absurd[0]; i++) {
		directory_set_clock_offset(follower.directory, duration_ms(absurd[i]));
		assert_int_equal(directory_status(follower.directory).clock_offset.ms, 0);
	}
	directory_set_clock_offset(follower.directory, duration_ms(-86400000));
	assert_int_equal(directory_status(follower.directory).clock_offset.ms, -86400000);
	close_follower(&follower);
}

/* Each kind of trouble: the table stays as it was, a HELLO comes, and the snapshot heals it. */
static void break_and_heal(void (*trouble)(struct fake *fake), const char *why)
{
	struct follower follower;
	open_follower(&follower, 3);
	assert_follows(&follower);
	fake_put(&follower.fake, "c1", 55);
	trouble(&follower.fake);
	if (!wait_hello(&follower, 2))
		fail_msg("%s: no second HELLO", why);
	assert_follows(&follower);
	assert_int_equal(directory_status(follower.directory).served, follower.fake.count);
	close_follower(&follower);
}

static void lose_delta(struct fake *fake)
{
	fake->sent = fake->sequence;
	fake_put(fake, "c2", 5);
	fake_send_delta(fake);
}

static void lose_tail(struct fake *fake)
{
	fake->sent = fake->sequence;
	fake_beat(fake);
}

static void flip_byte(struct fake *fake)
{
	fake->flips = true;
	fake_send_delta(fake);
	fake->flips = false;
}

static void lie_about_digest(struct fake *fake)
{
	fake_send_delta(fake);
	fake->digest.bytes[0] ^= 1;
	fake_beat(fake);
	fake->digest.bytes[0] ^= 1;
}

static void lie_about_digest_in_delta(struct fake *fake)
{
	fake->digest.bytes[3] ^= 1;
	fake_send_delta(fake);
	fake->digest.bytes[3] ^= 1;
}

static void lie_about_count(struct fake *fake)
{
	fake->count_lie = 1;
	fake_send_delta(fake);
	fake->count_lie = 0;
}

static void send_three_frames(struct fake *fake)
{
	const struct zsock_frame frames[] = {
	    {fake->id, fake->id_len}, {"a", 1}, {"b", 1}, {"c", 1}};
	assert_int_equal(zsock_send(fake->zsock, frames, 4), ZSOCK_SENT);
}

static void send_bye(struct fake *fake)
{
	fake_send_reason(fake, MESSAGE_BYE, "slow", "go on");
}

static void send_reject(struct fake *fake)
{
	fake_send_reason(fake, MESSAGE_REJECT, "hello", "say HELLO first");
}

static void test_every_trouble_heals(void **state)
{
	(void)state;
	break_and_heal(lose_delta, "a lost delta");
	break_and_heal(lose_tail, "a lost tail");
	break_and_heal(flip_byte, "a flipped byte");
	break_and_heal(lie_about_digest, "a digest that differs");
	break_and_heal(lie_about_digest_in_delta, "a digest that differs in a delta");
	break_and_heal(lie_about_count, "a lying count");
	break_and_heal(send_three_frames, "three frames");
	break_and_heal(send_bye, "BYE");
	break_and_heal(send_reject, "REJECT");
}

static void test_duplicates_and_strange_types(void **state)
{
	(void)state;
	struct follower follower;
	open_follower(&follower, 3);
	assert_follows(&follower);
	fake_put(&follower.fake, "c1", 55);
	uint64_t base = follower.fake.sent;
	fake_send_delta(&follower.fake);
	follower.fake.sent = base;
	fake_send_delta(&follower.fake);
	fake_send(&follower.fake, 0x80 | 99, 0, 0, 0, "{}");
	fake_send(&follower.fake, 98, 0, 0, 0, "{}");
	/* Of another publisher, epoch or group: not for us. */
	follower.fake.instance++;
	fake_beat(&follower.fake);
	follower.fake.instance--;
	follower.fake.epoch++;
	fake_beat(&follower.fake);
	follower.fake.epoch--;
	follower.fake.group++;
	fake_beat(&follower.fake);
	follower.fake.group--;
	fake_put(&follower.fake, "c2", 56);
	fake_send_delta(&follower.fake);
	assert_follows(&follower);
	assert_int_equal(follower.fake.hellos, 1);
	close_follower(&follower);
}

/* A snapshot that is not whole or not in order never comes into force. */
static void test_bad_snapshots(void **state)
{
	(void)state;
	static const enum fake_snapshot bad[] = {SNAPSHOT_WITHOUT_BEGIN, SNAPSHOT_WITHOUT_CHUNK,
	    SNAPSHOT_CHUNK_TWICE, SNAPSHOT_WRONG_DIGEST, SNAPSHOT_WRONG_COUNT, SNAPSHOT_WITH_DELTA};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct follower follower;
		open_follower(&follower, 3);
		assert_follows(&follower);
		follower.fake.snapshot = bad[i];
		fake_put(&follower.fake, "c3", 9);
		lose_tail(&follower.fake);
		if (!wait_hello(&follower, 3))
			fail_msg("snapshot %d was taken", (int)bad[i]);
		assert_int_equal(directory_status(follower.directory).served, 3);
		follower.fake.snapshot = SNAPSHOT_GOOD;
		assert_follows(&follower);
		assert_int_equal(directory_status(follower.directory).served, 4);
		close_follower(&follower);
	}
}

static bool is_stale(void *arg)
{
	return directory_status(arg).is_stale;
}

static bool is_bad(void *arg)
{
	return !directory_is_good(arg);
}

static void test_silence_makes_stale_not_empty(void **state)
{
	(void)state;
	struct follower follower;
	open_follower(&follower, 3);
	assert_follows(&follower);
	follower.fake.is_silent = true;
	assert_true(bus_wait(&follower.world, is_stale, follower.directory, 5000));
	struct directory_status status = directory_status(follower.directory);
	assert_int_equal(status.served, 3);
	assert_false(status.is_expired);
	assert_true(directory_is_good(follower.directory));
	follower.settings->proxy.max_stale = duration_ms(1);
	assert_true(directory_status(follower.directory).is_expired);
	assert_true(bus_wait(&follower.world, is_bad, follower.directory, 1000));
	follower.settings->proxy.max_stale = duration_seconds(60);
	follower.fake.is_silent = false;
	assert_follows(&follower);
	close_follower(&follower);
}

static void test_publishers_that_are_not_followed(void **state)
{
	(void)state;
	struct follower follower;
	open_follower(&follower, 3);
	assert_follows(&follower);
	/* An older epoch: another, emptier state. */
	uint64_t epoch = follower.fake.epoch;
	follower.fake.epoch = epoch - 1;
	fake_remove(&follower.fake, "c0", NULL);
	send_bye(&follower.fake);
	assert_true(wait_hello(&follower, 4));
	assert_int_equal(directory_status(follower.directory).served, 3);
	/* The same epoch, but another process. */
	follower.fake.epoch = epoch;
	follower.fake.instance++;
	assert_true(wait_hello(&follower, 5));
	assert_int_equal(directory_status(follower.directory).served, 3);
	/* A later one is. */
	follower.fake.epoch = epoch + 1;
	assert_follows(&follower);
	assert_int_equal(directory_status(follower.directory).served, 2);
	close_follower(&follower);
}

static void test_unreadable_items_keep_their_old_version(void **state)
{
	(void)state;
	struct follower follower;
	open_follower(&follower, 3);
	assert_follows(&follower);
	fake_put_text(&follower.fake, "c1", "{\"kind\":\"nonsense\"}");
	fake_put_text(&follower.fake, "c7", "not JSON");
	char *other = bus_resource("c0", 1);
	fake_put_text(&follower.fake, "c8", other);
	free(other);
	fake_put(&follower.fake, "c2", 66);
	fake_send_delta(&follower.fake);
	assert_follows(&follower);
	struct directory_status status = directory_status(follower.directory);
	assert_int_equal(status.total, 5);
	assert_int_equal(status.served, 3);
	assert_string_equal(
	    labels_get(&directory_find(follower.directory, "c1")->labels, "variant"), "v0");
	assert_string_equal(
	    labels_get(&directory_find(follower.directory, "c2")->labels, "variant"), "v66");
	assert_int_equal(follower.fake.rejected, 3);
	assert_string_equal(follower.fake.rejected_name, "c8");
	assert_non_null(strstr(follower.fake.rejected_text, "metadata.name is \"c0\""));
	/* Through a snapshot and a restart, too. */
	lose_tail(&follower.fake);
	restart_follower(&follower, true);
	assert_int_equal(directory_status(follower.directory).served, 3);
	assert_follows(&follower);
	assert_string_equal(
	    labels_get(&directory_find(follower.directory, "c1")->labels, "variant"), "v0");
	fake_put(&follower.fake, "c1", 67);
	fake_send_delta(&follower.fake);
	assert_follows(&follower);
	assert_string_equal(
	    labels_get(&directory_find(follower.directory, "c1")->labels, "variant"), "v67");
	close_follower(&follower);
}

static void test_renames(void **state)
{
	(void)state;
	struct follower follower;
	open_follower(&follower, 3);
	assert_follows(&follower);
	fake_remove(&follower.fake, "c0", "new-c0");
	fake_put_as(&follower.fake, "new-c0", "c0");
	fake_send_delta(&follower.fake);
	assert_follows(&follower);
	assert_string_equal(directory_renamed(follower.directory, "c0"), "new-c0");
	assert_null(directory_renamed(follower.directory, "c1"));
	/* A snapshot does not say it: seen by the identity. */
	fake_remove(&follower.fake, "c1", NULL);
	fake_put_as(&follower.fake, "new-c1", "c1");
	lose_tail(&follower.fake);
	assert_true(wait_hello(&follower, 2));
	assert_follows(&follower);
	assert_string_equal(directory_renamed(follower.directory, "c1"), "new-c1");
	restart_follower(&follower, true);
	assert_string_equal(directory_renamed(follower.directory, "c0"), "new-c0");
	assert_string_equal(directory_renamed(follower.directory, "c1"), "new-c1");
	assert_follows(&follower);
	/* Renamed again, then the name is used anew, then its target goes. */
	fake_remove(&follower.fake, "new-c0", "newer-c0");
	fake_put_as(&follower.fake, "newer-c0", "c0");
	fake_send_delta(&follower.fake);
	assert_follows(&follower);
	assert_string_equal(directory_renamed(follower.directory, "c0"), "newer-c0");
	fake_put(&follower.fake, "new-c0", 3);
	fake_remove(&follower.fake, "new-c1", NULL);
	fake_send_delta(&follower.fake);
	assert_follows(&follower);
	assert_null(directory_renamed(follower.directory, "new-c0"));
	assert_null(directory_renamed(follower.directory, "c1"));
	close_follower(&follower);
}

static void test_recreated_is_another_cluster(void **state)
{
	(void)state;
	struct follower follower;
	open_follower(&follower, 1);
	assert_follows(&follower);
	fake_put_as(&follower.fake, "c0", "another");
	fake_send_delta(&follower.fake);
	assert_follows(&follower);
	assert_string_equal(follower.events, "+c0 -c0 +c0 ");
	close_follower(&follower);
}

static void test_selectors(void **state)
{
	(void)state;
	struct follower follower;
	struct settings *all, *some;
	open_follower(&follower, 3);
	assert_follows(&follower);
	char *error = NULL;
	all = follower.settings;
	some = bus_settings(&follower.world);
	selector_free(&some->kubernetes.resources[0].labels);
	some->kubernetes.resources[0].labels = selector_new();
	assert_true(selector_add(some->kubernetes.resources[0].labels, "variant", "v9", &error));
	follower.events[0] = '\0';
	directory_set_settings(follower.directory, some);
	assert_string_equal(follower.events, "-c0 -c1 -c2 ");
	assert_int_equal(directory_status(follower.directory).total, 3);
	fake_put(&follower.fake, "c1", 9);
	fake_send_delta(&follower.fake);
	assert_follows(&follower);
	assert_string_equal(follower.events, "-c0 -c1 -c2 +c1 ");
	fake_put(&follower.fake, "c1", 8);
	fake_send_delta(&follower.fake);
	assert_follows(&follower);
	assert_string_equal(follower.events, "-c0 -c1 -c2 +c1 -c1 ");
	some->kubernetes.enabled = false;
	directory_set_settings(follower.directory, all);
	assert_int_equal(directory_status(follower.directory).served, 3);
	directory_set_settings(follower.directory, some);
	assert_int_equal(directory_status(follower.directory).served, 0);
	directory_set_settings(follower.directory, all);
	bus_settings_free(&some);
	close_follower(&follower);
}

static bool has_refresh(void *arg)
{
	return ((struct fake *)arg)->refreshes > 0;
}

static void test_refresh_is_sent_once(void **state)
{
	(void)state;
	struct follower follower;
	open_follower(&follower, 2);
	subscriber_refresh(follower.subscriber, "c0", "too early");
	assert_follows(&follower);
	for (int i = 0; i < 5; i++)
		subscriber_refresh(follower.subscriber, "c0", "the API server answered 401");
	assert_true(bus_wait(&follower.world, has_refresh, &follower.fake, 5000));
	bus_run(&follower.world, 50);
	assert_int_equal(follower.fake.refreshes, 1);
	close_follower(&follower);
}

static bool has_task_result(void *arg)
{
	return ((struct fake *)arg)->task_results > 0;
}

static void test_unknown_tasks_are_answered(void **state)
{
	(void)state;
	struct follower follower;
	open_follower(&follower, 1);
	assert_follows(&follower);
	fake_send(&follower.fake, MESSAGE_TASK, 0, 0, 0,
	    "{\"nonce\":\"n\",\"kind\":\"probe\",\"cluster\":\"c0\",\"body\":\"{}\"}");
	assert_true(bus_wait(&follower.world, has_task_result, &follower.fake, 5000));
	assert_int_equal(follower.fake.hellos, 1);
	close_follower(&follower);
}

/* --- the cache file */

static void test_restart_without_discoveryd(void **state)
{
	(void)state;
	struct follower follower;
	struct stat status;
	open_follower(&follower, 3);
	assert_follows(&follower);
	restart_follower(&follower, false);
	assert_int_equal(stat(follower.cache, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0600);
	struct directory_status here = directory_status(follower.directory);
	assert_true(here.is_known && here.is_from_cache && here.is_stale && !here.is_expired);
	assert_int_equal(here.served, 3);
	assert_true(here.sequence == follower.fake.sequence);
	assert_true(here.epoch == follower.fake.epoch);
	assert_true(here.fresh_at.ms > unix_now().ms - 60000);
	assert_non_null(directory_find(follower.directory, "c2"));
	close_follower(&follower);
}

static void alter_cache(const char *path, long at, char value)
{
	FILE *file = fopen(path, "r+");
	assert_non_null(file);
	assert_int_equal(fseek(file, at, at < 0 ? SEEK_END : SEEK_SET), 0);
	assert_int_equal(fputc(value, file), value);
	fclose(file);
}

static void corrupt(struct follower *follower)
{
	alter_cache(follower->cache, -20, 'X');
}

static void corrupt_time(struct follower *follower)
{
	alter_cache(follower->cache, 85, 'X');
}

static void cut(struct follower *follower)
{
	assert_int_equal(truncate(follower->cache, 500), 0);
}

static void empty(struct follower *follower)
{
	assert_int_equal(truncate(follower->cache, 0), 0);
}

static void age(struct follower *follower)
{
	follower->settings->proxy.max_stale = duration_ms(1);
	usleep(5000);
}

static void change_group(struct follower *follower)
{
	free(follower->settings->discovery.group);
	follower->settings->discovery.group = xstrdup("another");
}

static void open_to_others(struct follower *follower)
{
	assert_int_equal(chmod(follower->cache, 0666), 0);
}

static void make_directory(struct follower *follower)
{
	unlink(follower->cache);
	assert_int_equal(mkdir(follower->cache, 0700), 0);
}

static void make_link(struct follower *follower)
{
	char *elsewhere = xasprintf("%s.elsewhere", follower->cache);
	assert_int_equal(rename(follower->cache, elsewhere), 0);
	assert_int_equal(symlink(elsewhere, follower->cache), 0);
	free(elsewhere);
}

static void take_away(struct follower *follower)
{
	unlink(follower->cache);
}

static void test_bad_caches_are_ignored(void **state)
{
	(void)state;
	void (*const harms[])(struct follower *) = {corrupt, corrupt_time, cut, empty, age,
	    change_group, open_to_others, make_directory, make_link, take_away};
	for (size_t i = 0; i < sizeof harms / sizeof harms[0]; i++) {
		struct follower follower;
		open_follower(&follower, 3);
		assert_follows(&follower);
		stop_follower(&follower);
		harms[i](&follower);
		start_follower(&follower, false);
		struct directory_status status = directory_status(follower.directory);
		if (status.is_known || status.served > 0)
			fail_msg("cache %zu was used", i);
		assert_false(status.is_expired);
		close_follower(&follower);
	}
}

static void test_cache_needs_no_room(void **state)
{
	(void)state;
	struct follower follower;
	open_follower(&follower, 3);
	free(follower.settings->proxy.cache_dir);
	follower.settings->proxy.cache_dir = xstrdup("/proc/nowhere");
	restart_follower(&follower, true);
	assert_follows(&follower);
	fake_put(&follower.fake, "c1", 5);
	fake_send_delta(&follower.fake);
	assert_follows(&follower);
	close_follower(&follower);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_snapshot_and_deltas),
	    cmocka_unit_test(test_absurd_clocks_are_ignored),
	    cmocka_unit_test(test_every_trouble_heals),
	    cmocka_unit_test(test_duplicates_and_strange_types),
	    cmocka_unit_test(test_bad_snapshots),
	    cmocka_unit_test(test_silence_makes_stale_not_empty),
	    cmocka_unit_test(test_publishers_that_are_not_followed),
	    cmocka_unit_test(test_unreadable_items_keep_their_old_version),
	    cmocka_unit_test(test_renames),
	    cmocka_unit_test(test_recreated_is_another_cluster),
	    cmocka_unit_test(test_selectors),
	    cmocka_unit_test(test_refresh_is_sent_once),
	    cmocka_unit_test(test_unknown_tasks_are_answered),
	    cmocka_unit_test(test_restart_without_discoveryd),
	    cmocka_unit_test(test_bad_caches_are_ignored),
	    cmocka_unit_test(test_cache_needs_no_room),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
