/* Jobs run in their order, in another thread, and the loop hears of each; the end waits for all. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

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
	worker_free(&worker);
	assert_all_done();
	worker = worker_new(loop);
	worker_free(&worker);
	worker_free(&worker);
	loop_free(&loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_jobs),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
