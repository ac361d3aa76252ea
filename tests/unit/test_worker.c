/* Jobs run in their order, in another thread, and the loop hears of each; the end waits for all. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/loop.h"
#include "common/worker.h"
#include "common/xmem.h"

#define JOBS 100

static struct loop *loop;
static pthread_t loop_thread;
static int done[JOBS], done_count;
static bool was_elsewhere;

struct numbered {
	struct worker_job job;
	int number, worked;
};

static void work(struct worker_job *job)
{
	struct numbered *numbered = (struct numbered *)job;
	numbered->worked = numbered->number + 1;
	was_elsewhere = !pthread_equal(pthread_self(), loop_thread);
}

static void on_done(struct worker_job *job)
{
	struct numbered *numbered = (struct numbered *)job;
	assert_true(pthread_equal(pthread_self(), loop_thread));
	assert_int_equal(numbered->worked, numbered->number + 1);
	done[done_count++] = numbered->number;
	free(numbered);
	if (done_count == JOBS)
		loop_stop(loop);
}

static void add_jobs(struct worker *worker)
{
	done_count = 0;
	for (int i = 0; i < JOBS; i++) {
		struct numbered *numbered = xcalloc(1, sizeof *numbered);
		numbered->job = (struct worker_job){.work = work, .done = on_done};
		numbered->number = i;
		worker_add(worker, &numbered->job);
	}
}

static void assert_all_done(void)
{
	assert_int_equal(done_count, JOBS);
	for (int i = 0; i < JOBS; i++)
		assert_int_equal(done[i], i);
	assert_true(was_elsewhere);
}

static void test_jobs(void **state)
{
	(void)state;
	loop = loop_new();
	loop_thread = pthread_self();
	struct worker *worker = worker_new(loop);
	add_jobs(worker);
	loop_run(loop);
	assert_all_done();
	add_jobs(worker);
	assert_true(worker_free(&worker, duration_seconds(30)));
	assert_all_done();
	worker = worker_new(loop);
	assert_true(worker_free(&worker, duration_seconds(30)));
	assert_true(worker_free(&worker, duration_seconds(30)));
	loop_free(&loop);
}

/* --- quiet ones ------------------------------------------------------------------------------ */

static void work_badly(struct worker_job *job)
{
	job->is_quiet = false;
}

static void stop_loop(struct worker_job *job)
{
	(void)job;
	done_count++;
	loop_stop(loop);
}

static void stop_waiting(void *arg)
{
	(void)arg;
	loop_stop(loop);
}

static void run_loop_for(int ms)
{
	struct timer *timer = timer_new(loop, stop_waiting, NULL);
	timer_set(timer, duration_ms(ms));
	loop_run(loop);
	timer_free(&timer);
}

static void work_nothing(struct worker_job *job)
{
	(void)job;
}

static void test_quiet_ones(void **state)
{
	(void)state;
	loop = loop_new();
	struct worker *worker = worker_new(loop);
	struct worker_job job = {.work = work_nothing, .done = stop_loop, .is_quiet = true};
	struct worker_job bad = {.work = work_badly, .done = stop_loop, .is_quiet = true};
	done_count = 0;
	/* Nobody is told, until it is taken, */
	worker_add(worker, &job);
	run_loop_for(50);
	assert_int_equal(done_count, 0);
	assert_true(worker_take(worker, &job));
	assert_false(worker_take(worker, &job));
	worker_collect(worker);
	assert_int_equal(done_count, 0);
	assert_true(worker_wait(worker, duration_ms(0)));
	/* or somebody asks, */
	worker_add(worker, &job);
	assert_true(worker_wait(worker, duration_seconds(30)));
	assert_int_equal(done_count, 1);
	/* or waits: before it is done, and behind that; */
	worker_listen(worker, true);
	worker_add(worker, &job);
	usleep(10000);
	assert_false(worker_take(worker, &job));
	loop_run(loop);
	assert_int_equal(done_count, 2);
	worker_listen(worker, false);
	worker_add(worker, &job);
	run_loop_for(50);
	assert_int_equal(done_count, 2);
	worker_listen(worker, true);
	loop_run(loop);
	assert_int_equal(done_count, 3);
	worker_listen(worker, false);
	/* or it is not quiet any more, and cannot be taken. */
	worker_add(worker, &bad);
	usleep(10000);
	assert_false(worker_take(worker, &bad));
	loop_run(loop);
	assert_int_equal(done_count, 4);
	assert_true(worker_free(&worker, duration_ms(0)));
	loop_free(&loop);
}

/* --- one that hangs -------------------------------------------------------------------------- */

static int barrier[2];

static void hang(struct worker_job *job)
{
	char byte;
	(void)job;
	(void)!read(barrier[0], &byte, 1);
}

static void on_one_done(struct worker_job *job)
{
	(void)job;
	done_count++;
}

static void test_waits_no_longer_than_it_may(void **state)
{
	(void)state;
	loop = loop_new();
	struct worker *worker = worker_new(loop);
	struct worker_job first = {.work = hang, .done = on_one_done}, second = first;
	assert_int_equal(pipe(barrier), 0);
	done_count = 0;
	assert_true(worker_wait(worker, duration_ms(0)));
	worker_add(worker, &first);
	worker_add(worker, &second);
	assert_false(worker_wait(worker, duration_ms(20)));
	assert_int_equal(done_count, 0);
	assert_int_equal(write(barrier[1], "", 1), 1);
	assert_false(worker_wait(worker, duration_ms(200)));
	assert_int_equal(done_count, 1);
	assert_int_equal(write(barrier[1], "", 1), 1);
	assert_true(worker_wait(worker, duration_seconds(30)));
	assert_int_equal(done_count, 2);
	assert_true(worker_free(&worker, duration_ms(0)));
	loop_free(&loop);
}

/* Nobody is told of the job any more. */
static void test_leaves_one_that_hangs(void **state)
{
	(void)state;
	static struct worker_job job = {.work = hang, .done = on_one_done};
	loop = loop_new();
	struct worker *worker = worker_new(loop);
	done_count = 0;
	worker_add(worker, &job);
	assert_false(worker_free(&worker, duration_ms(20)));
	assert_null(worker);
	assert_int_equal(write(barrier[1], "", 1), 1);
	loop_free(&loop);
	assert_int_equal(done_count, 0);
}

/* Who has no patience is told of nothing, be it done. */
static void test_leaves_what_is_done(void **state)
{
	(void)state;
	static struct worker_job job = {.work = work_nothing, .done = on_one_done};
	loop = loop_new();
	struct worker *worker = worker_new(loop);
	done_count = 0;
	worker_add(worker, &job);
	usleep(10000);
	assert_false(worker_free(&worker, duration_ms(0)));
	loop_free(&loop);
	assert_int_equal(done_count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_jobs),
	    cmocka_unit_test(test_quiet_ones),
	    cmocka_unit_test(test_waits_no_longer_than_it_may),
	    cmocka_unit_test(test_leaves_one_that_hangs),
	    cmocka_unit_test(test_leaves_what_is_done),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
