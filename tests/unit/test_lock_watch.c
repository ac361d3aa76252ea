/* The watch of the file of locks, with a file that cannot be opened for a while. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/loop.h"
#include "common/metrics.h"
#include "kubeproxyd/gate/lock_watch.h"
#include "kubeproxyd/gate/locks.h"

static struct rlimit before;

static void write_locks(const char *path, const char *locks)
{
	FILE *file = fopen(path, "we");
	assert_non_null(file);
	fprintf(file, "{\"version\":1,\"locks\":[%s]}", locks);
	fclose(file);
}

/* From now on there is a descriptor again. */
static void on_room(void *arg)
{
	(void)arg;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
}

static void stop(void *arg)
{
	loop_stop(arg);
}

/* A lock that came while descriptors were short is in force as soon as they are not. */
static void test_a_file_that_could_not_be_read_is_tried_again(void **state)
{
	(void)state;
	char path[] = "/tmp/test_lock_watch.XXXXXX";
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	close(fd);
	write_locks(path, "");
	struct loop *loop = loop_new();
	struct metrics *metrics = metrics_new();
	struct lock_watch *watch = lock_watch_new(loop, metrics, path, stop, loop);
	struct timer *room = timer_new(loop, on_room, NULL), *end = timer_new(loop, stop, loop);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	write_locks(path, "{\"kind\":\"user\",\"name\":\"alice\"}");
	struct rlimit none = {.rlim_cur = 0, .rlim_max = before.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	timer_set(room, duration_ms(1500));
	timer_set(end, duration_ms(6000));
	loop_run(loop);
	assert_int_equal(locks_count(lock_watch_now(watch)), 1);
	timer_free(&room);
	timer_free(&end);
	lock_watch_free(&watch);
	metrics_free(&metrics);
	loop_free(&loop);
	unlink(path);
}

/* A directory that was unmounted, a file that was moved away: nobody is let in by it. */
static void test_a_file_that_is_gone_keeps_its_locks(void **state)
{
	(void)state;
	char path[] = "/tmp/test_lock_watch.XXXXXX";
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	close(fd);
	write_locks(path, "{\"kind\":\"user\",\"name\":\"alice\"}");
	struct loop *loop = loop_new();
	struct metrics *metrics = metrics_new();
	struct lock_watch *watch = lock_watch_new(loop, metrics, path, stop, loop);
	struct timer *end = timer_new(loop, stop, loop);
	assert_int_equal(locks_count(lock_watch_now(watch)), 1);
	unlink(path);
	timer_set(end, duration_ms(1500));
	loop_run(loop);
	assert_int_equal(locks_count(lock_watch_now(watch)), 1);
	/* An empty list lifts them. */
	write_locks(path, "");
	timer_set(end, duration_ms(6000));
	loop_run(loop);
	assert_int_equal(locks_count(lock_watch_now(watch)), 0);
	timer_free(&end);
	lock_watch_free(&watch);
	metrics_free(&metrics);
	loop_free(&loop);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_file_that_could_not_be_read_is_tried_again),
	    cmocka_unit_test(test_a_file_that_is_gone_keeps_its_locks),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
