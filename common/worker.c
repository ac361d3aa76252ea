/* Two queues under one lock, one of jobs and one of those that are done; an eventfd wakes the loop,
 * once for all that it has not seen yet.
 * Made by whoever writes files that must reach the disk. */
#include "common/worker.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "common/log.h"
#include "common/loop.h"
#include "common/xmem.h"

TAILQ_HEAD(job_queue, worker_job);

struct worker {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t has_job, has_finished;
	struct job_queue jobs, finished; /* under the lock, as what follows */
	size_t listeners;
	bool is_told; /* the loop is woken already */
	bool is_ending;
	bool is_running; /* the loop's, as what follows */
	size_t count; /* of jobs that the loop was not told of yet */
	int wake;
	struct watch *watch;
};

static void tell_loop(const struct worker *worker)
{
	uint64_t one = 1;
	(void)!write(worker->wake, &one, sizeof one);
}

static struct worker_job *take_job(struct worker *worker)
{
	pthread_mutex_lock(&worker->lock);
	while (TAILQ_EMPTY(&worker->jobs) && !worker->is_ending)
		pthread_cond_wait(&worker->has_job, &worker->lock);
	struct worker_job *job = TAILQ_FIRST(&worker->jobs);
	if (job != NULL)
		TAILQ_REMOVE(&worker->jobs, job, entry);
	pthread_mutex_unlock(&worker->lock);
	return job;
}

/* Under the lock. Whoever finishes jobs faster than the loop turns wakes it once. */
static bool must_tell(struct worker *worker, bool is_worth_it)
{
	bool tells = is_worth_it && !worker->is_told;
	worker->is_told |= tells;
	return tells;
}

static void finish_job(struct worker *worker, struct worker_job *job)
{
	pthread_mutex_lock(&worker->lock);
	TAILQ_INSERT_TAIL(&worker->finished, job, entry);
	job->is_finished = true;
	bool tells = must_tell(worker, !job->is_quiet || worker->listeners > 0);
	pthread_cond_signal(&worker->has_finished);
	pthread_mutex_unlock(&worker->lock);
	if (tells)
		tell_loop(worker);
}

static void *run(void *arg)
{
	struct worker *worker = arg;
	struct worker_job *job;
	while ((job = take_job(worker)) != NULL) {
		job->work(job);
		finish_job(worker, job);
	}
	return NULL;
}

static void hand_back(struct worker *worker)
{
	struct job_queue finished = TAILQ_HEAD_INITIALIZER(finished);
	struct worker_job *job;
	pthread_mutex_lock(&worker->lock);
	/* Not to be taken any more: whoever is told first may try. */
	TAILQ_FOREACH(job, &worker->finished, entry)
	job->is_finished = false;
	TAILQ_CONCAT(&finished, &worker->finished, entry);
	worker->is_told = false;
	pthread_mutex_unlock(&worker->lock);
	while ((job = TAILQ_FIRST(&finished)) != NULL) {
		TAILQ_REMOVE(&finished, job, entry);
		worker->count--;
		job->done(job);
	}
}

static void on_wake(void *arg, unsigned ready)
{
	struct worker *worker = arg;
	uint64_t count;
	(void)ready;
	(void)!read(worker->wake, &count, sizeof count);
	hand_back(worker);
}

/* Signals are the loop's. */
static bool start(struct worker *worker)
{
	sigset_t all, before;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int error = pthread_create(&worker->thread, NULL, run, worker);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (error != 0)
		log_error("worker", "no-thread", LOG_S("error", strerror(error)),
		    LOG_S("effect", "the disk is waited for in the loop"));
	return error == 0;
}

/* On the clock of struct mono. */
static void make_timed(pthread_cond_t *condition)
{
	pthread_condattr_t attributes;
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(condition, &attributes);
	pthread_condattr_destroy(&attributes);
}

struct worker *worker_new(struct loop *loop)
{
	struct worker *worker = xcalloc(1, sizeof *worker);
	pthread_mutex_init(&worker->lock, NULL);
	pthread_cond_init(&worker->has_job, NULL);
	make_timed(&worker->has_finished);
	TAILQ_INIT(&worker->jobs);
	TAILQ_INIT(&worker->finished);
	worker->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (worker->wake < 0) {
		log_error("worker", "no-eventfd", LOG_S("error", strerror(errno)));
		abort();
	}
	worker->watch = watch_new(loop, worker->wake, on_wake, worker);
	watch_set(worker->watch, WATCH_READ);
	return worker;
}

void worker_add(struct worker *worker, struct worker_job *job)
{
	worker->count++;
	job->is_finished = false;
	if (!worker->is_running)
		worker->is_running = start(worker);
	if (!worker->is_running) {
		job->work(job);
		finish_job(worker, job);
		return;
	}
	pthread_mutex_lock(&worker->lock);
	TAILQ_INSERT_TAIL(&worker->jobs, job, entry);
	pthread_cond_signal(&worker->has_job);
	pthread_mutex_unlock(&worker->lock);
}

bool worker_take(struct worker *worker, struct worker_job *job)
{
	pthread_mutex_lock(&worker->lock);
	bool is_taken = job->is_finished && job->is_quiet && worker->listeners == 0;
	if (is_taken)
		TAILQ_REMOVE(&worker->finished, job, entry);
	job->is_finished &= !is_taken;
	pthread_mutex_unlock(&worker->lock);
	worker->count -= is_taken;
	return is_taken;
}

void worker_listen(struct worker *worker, bool is_waiting)
{
	pthread_mutex_lock(&worker->lock);
	if (is_waiting)
		worker->listeners++;
	else
		worker->listeners--;
	bool tells = must_tell(worker, is_waiting && !TAILQ_EMPTY(&worker->finished));
	pthread_mutex_unlock(&worker->lock);
	if (tells)
		tell_loop(worker);
}

void worker_collect(struct worker *worker)
{
	hand_back(worker);
}

/* False: nothing is finished, and it is too late. */
static bool await_one(struct worker *worker, struct mono until)
{
	struct timespec at = {
	    .tv_sec = until.ns / 1000000000, .tv_nsec = (long)(until.ns % 1000000000)};
	pthread_mutex_lock(&worker->lock);
	bool is_late = false;
	while (TAILQ_EMPTY(&worker->finished) && !is_late)
		is_late = pthread_cond_timedwait(&worker->has_finished, &worker->lock, &at) != 0;
	bool has_any = !TAILQ_EMPTY(&worker->finished);
	pthread_mutex_unlock(&worker->lock);
	return has_any;
}

bool worker_wait(struct worker *worker, struct duration patience)
{
	struct mono until = mono_add(mono_now(), patience);
	while (worker->count > 0) {
		if (!await_one(worker, until))
			return false;
		hand_back(worker);
	}
	return true;
}

bool worker_free(struct worker **worker, struct duration patience)
{
	struct worker *old = *worker;
	*worker = NULL;
	if (old == NULL)
		return true;
	bool is_done = patience.ms > 0 ? worker_wait(old, patience) : old->count == 0;
	watch_free(&old->watch);
	if (!is_done)
		return false;
	pthread_mutex_lock(&old->lock);
	old->is_ending = true;
	pthread_cond_signal(&old->has_job);
	pthread_mutex_unlock(&old->lock);
	if (old->is_running)
		pthread_join(old->thread, NULL);
	close(old->wake);
	pthread_cond_destroy(&old->has_job);
	pthread_cond_destroy(&old->has_finished);
	pthread_mutex_destroy(&old->lock);
	free(old);
	return true;
}
