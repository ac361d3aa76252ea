/* Files of answers: what goes in comes out, nobody else can read it, and limits hold. */
#include <dirent.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/loop.h"
#include "common/worker.h"
#include "kubeproxyd/exchange/spool.h"
#include "tests/unit/worker_hang.h"

#define KIB ((size_t)1024)

static char directory[] = "/tmp/eksgate-spool-XXXXXX";
static struct spools spools;
static struct loop *loop;
static uint8_t bytes[200 * 1024];

static int set_up(void **state)
{
	(void)state;
	spools = (struct spools){
	    .directory = directory, .each_max = 1024 * KIB, .patience = duration_seconds(30)};
	spools.all.limit = 2048 * KIB;
	loop = loop_new();
	spools.worker = worker_new(loop);
	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (uint8_t)(i / 7 + i % 5);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	assert_true(worker_free(&spools.worker, duration_seconds(30)));
	loop_free(&loop);
	assert_int_equal(spools.all.held, 0);
	return 0;
}

static size_t count_names(void)
{
	DIR *entries = opendir(directory);
	size_t count = 0;
	for (struct dirent *entry; (entry = readdir(entries)) != NULL;)
		count += entry->d_name[0] != '.';
	closedir(entries);
	return count;
}

/* Until the disk has done all. */
static void settle(void)
{
	assert_true(worker_wait(spools.worker, duration_seconds(30)));
}

static size_t steps;

static void on_step(void *arg)
{
	assert_ptr_equal(arg, &steps);
	steps++;
}

static struct spool *make(void)
{
	return spool_new(&spools, on_step, &steps);
}

/* The descriptor of the one file that is open without a name below the directory; -1: none. */
static int find_file(void)
{
	for (int fd = 3; fd < 100; fd++) {
		char link[64], path[256] = "";
		snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
		if (readlink(link, path, sizeof path - 1) > 0 &&
		    strncmp(path, directory, strlen(directory)) == 0)
			return fd;
	}
	return -1;
}

static void test_round_trip(void **state)
{
	(void)state;
	static const size_t puts[] = {1, 15, 16, 17, 32 * KIB, 32 * KIB + 1, 100 * KIB + 3};
	static const size_t fetches[] = {16 * KIB, 5, 1, 31, 16 * KIB - 1};
	static uint8_t got[sizeof bytes];
	struct spool *spool = make();
	size_t size = 0, fetched = 0;
	assert_int_equal(find_file(), -1);
	for (size_t i = 0; i < sizeof puts / sizeof puts[0]; i++) {
		assert_true(spool_put(spool, bytes + size, puts[i]));
		size += puts[i];
		assert_int_equal(spool_size(spool), size);
		assert_int_equal(spools.all.held, size);
	}
	for (size_t i = 0; fetched < size; i++) {
		size_t len = fetches[i % 5] < size - fetched ? fetches[i % 5] : size - fetched;
		if (!spool_is_ready(spool))
			settle();
		assert_true(spool_is_ready(spool));
		assert_true(spool_memory(spool) < 100 * KIB);
		assert_true(spool_fetch(spool, got + fetched, len));
		fetched += len;
	}
	assert_memory_equal(got, bytes, size);
	assert_true(spool_is_ready(spool) && steps > 1);
	assert_false(spool_fetch(spool, got, 1));
	assert_int_equal(spool_fault(spool), SPOOL_BROKEN);
	spool_free(&spool);
	assert_null(spool);
	settle();
	assert_int_equal(find_file(), -1);
}

/* No name, no reader, and on the disk no text; the same text is another with each file. */
static void test_nobody_can_read_it(void **state)
{
	(void)state;
	static const char secret[] = "the quick brown fox jumps over the lazy dog";
	uint8_t raw[2][sizeof secret];
	for (int i = 0; i < 2; i++) {
		struct stat status;
		struct spool *spool = make();
		assert_true(spool_put(spool, (const uint8_t *)secret, sizeof secret));
		settle();
		assert_int_equal(count_names(), 0);
		int fd = find_file();
		assert_true(fd >= 0 && fstat(fd, &status) == 0);
		assert_int_equal(status.st_mode & 0777, 0600);
		assert_int_equal(status.st_nlink, 0);
		assert_int_equal(status.st_size, sizeof secret);
		assert_int_equal(pread(fd, raw[i], sizeof secret, 0), sizeof secret);
		for (size_t at = 0; at + 4 <= sizeof secret; at++)
			assert_null(memmem(raw[i], sizeof secret, secret + at, 4));
		spool_free(&spool);
		settle();
	}
	assert_memory_not_equal(raw[0], raw[1], sizeof secret);
}

static void test_too_long(void **state)
{
	(void)state;
	struct spool *spool = make();
	spools.each_max = 100;
	assert_true(spool_put(spool, bytes, 60));
	assert_true(spool_put(spool, bytes, 40));
	assert_false(spool_put(spool, bytes, 1));
	assert_int_equal(spool_fault(spool), SPOOL_TOO_LONG);
	assert_string_equal(spool_error(spool), "");
	spools.each_max = 200;
	assert_false(spool_put(spool, bytes, 1)); /* it sticks */
	assert_false(spool_fetch(spool, bytes, 1));
	spool_free(&spool);
	settle();
	/* Nothing at all, and a limit that became less. */
	spools.each_max = 0;
	spool = make();
	assert_false(spool_put(spool, bytes, 1));
	assert_int_equal(find_file(), -1);
	spool_free(&spool);
	spools.each_max = 100;
	spool = make();
	assert_true(spool_put(spool, bytes, 100));
	spools.each_max = 50;
	assert_false(spool_put(spool, bytes, 1));
	spool_free(&spool);
}

static struct spool *victim;

static void give_up_victim(void *arg, size_t more)
{
	assert_ptr_equal(arg, &spools);
	assert_true(more > 0);
	spool_free(&victim);
}

static void test_no_room(void **state)
{
	(void)state;
	struct spool *spool = make();
	victim = make();
	spools.all.limit = 100;
	spools.all.arg = &spools;
	assert_true(spool_put(victim, bytes, 70));
	assert_true(spool_put(spool, bytes, 30));
	spools.all.make_room = give_up_victim;
	assert_true(spool_put(spool, bytes, 70)); /* the victim's */
	assert_null(victim);
	assert_false(spool_put(spool, bytes, 1));
	assert_int_equal(spool_fault(spool), SPOOL_NO_ROOM);
	spool_free(&spool);
}

static void test_broken(void **state)
{
	(void)state;
	struct rlimit before, small;
	char absent[] = "/nonexistent/eksgate";
	spools.directory = absent;
	struct spool *spool = make();
	assert_true(spool_put(spool, bytes, 1));
	steps = 0;
	settle();
	assert_int_equal(steps, 1); /* it is told at once */
	assert_int_equal(spool_fault(spool), SPOOL_BROKEN);
	assert_string_equal(spool_error(spool), "No such file or directory");
	assert_false(spool_put(spool, bytes, 1));
	spool_free(&spool);
	/* As a disk that is full in the middle of a write. */
	spools.directory = directory;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	small = (struct rlimit){50 * KIB, before.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	spool = make();
	assert_true(spool_put(spool, bytes, 40 * KIB));
	settle();
	assert_int_equal(spool_fault(spool), SPOOL_SOUND);
	assert_true(spool_put(spool, bytes, 40 * KIB));
	settle();
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(spool_fault(spool), SPOOL_BROKEN);
	assert_string_equal(spool_error(spool), "File too large");
	assert_false(spool_put(spool, bytes, 1));
	spool_free(&spool);
	settle();
	/* What is gone from under it is not made up. */
	uint8_t got[10];
	spool = make();
	assert_true(spool_put(spool, bytes, 10));
	settle();
	assert_int_equal(ftruncate(find_file(), 9), 0);
	assert_false(spool_is_ready(spool));
	settle();
	assert_false(spool_fetch(spool, got, 10));
	assert_int_equal(spool_fault(spool), SPOOL_BROKEN);
	spool_free(&spool);
}

/* A disk that hangs holds nobody up who puts; who should wait knows it, and gives up one day. */
static void test_a_disk_that_hangs(void **state)
{
	(void)state;
	hang_worker(spools.worker);
	struct spool *spool = make();
	assert_true(spool_put(spool, bytes, 10 * KIB));
	assert_false(spool_is_behind(spool)); /* the thread has it */
	assert_true(spool_put(spool, bytes + 10 * KIB, 10 * KIB));
	assert_true(spool_is_behind(spool));
	assert_false(spool_is_ready(spool));
	spool_look(spool);
	assert_int_equal(spool_fault(spool), SPOOL_SOUND);
	release_worker(spools.worker);
	assert_false(spool_is_behind(spool));
	assert_true(spool_is_ready(spool));
	spools.patience = duration_ms(0);
	spool_look(spool);
	assert_int_equal(spool_fault(spool), SPOOL_SOUND); /* nothing waits for it */
	spool_free(&spool);
	settle();
	hang_worker(spools.worker);
	spool = make();
	assert_true(spool_put(spool, bytes, 10 * KIB));
	spool_look(spool);
	assert_int_equal(spool_fault(spool), SPOOL_BROKEN);
	assert_string_equal(spool_error(spool), "the disk does not answer");
	release_worker(spools.worker);
	assert_int_equal(spool_fault(spool), SPOOL_BROKEN); /* it sticks */
	spool_free(&spool);
	/* Its owner is gone before the disk is back: nothing is told any more, all is given back.
	 */
	spools.patience = duration_seconds(30);
	hang_worker(spools.worker);
	spool = make();
	assert_true(spool_put(spool, bytes, 10 * KIB));
	steps = 0;
	spool_free(&spool);
	assert_int_equal(spools.all.held, 0);
	release_worker(spools.worker);
	assert_int_equal(steps, 0);
	assert_int_equal(find_file(), -1);
}

/* What waits for one is not joined by more and more, although its owners have left. */
static void test_a_disk_that_stays_silent(void **state)
{
	(void)state;
	hang_worker(spools.worker);
	struct spool *spool = make(), *second = make();
	assert_true(spool_put(spool, bytes, 10 * KIB));
	spool_free(&spool);
	assert_true(spool_put(second, bytes, 10 * KIB));
	spools.patience = duration_ms(0);
	spool = make();
	assert_false(spool_put(spool, bytes, 10 * KIB));
	assert_string_equal(spool_error(spool), "the disk does not answer");
	spool_free(&spool);
	assert_false(spool_put(second, bytes, 10 * KIB));
	spool_free(&second);
	release_worker(spools.worker);
	spool = make();
	assert_true(spool_put(spool, bytes, 10 * KIB));
	settle();
	assert_int_equal(spool_fault(spool), SPOOL_SOUND);
	spool_free(&spool);
}

/* It is freed by whoever is told. */
static struct spool *told;

static void on_last_step(void *arg)
{
	(void)arg;
	spool_free(&told);
}

static void test_freed_when_told(void **state)
{
	(void)state;
	for (size_t puts = 1; puts <= 2; puts++) {
		told = spool_new(&spools, on_last_step, NULL);
		for (size_t i = 0; i < puts; i++)
			assert_true(spool_put(told, bytes, 1000));
		settle();
		assert_null(told);
		assert_int_equal(find_file(), -1);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(test_round_trip),
	    TEST(test_nobody_can_read_it),
	    TEST(test_too_long),
	    TEST(test_no_room),
	    TEST(test_broken),
	    TEST(test_a_disk_that_hangs),
	    TEST(test_a_disk_that_stays_silent),
	    TEST(test_freed_when_told),
	};
	if (mkdtemp(directory) == NULL)
		return 1;
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	rmdir(directory);
	return failed;
}
