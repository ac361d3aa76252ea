/* The event loop: timers, file descriptors, signals, and the queue that runs at the end of each
 * turn. One per process. Only this file, the byte layer (stream, listener, resolver), zsock, fetch
 * and admin know libevent. */
#ifndef EKSGATE_LOOP_H
#define EKSGATE_LOOP_H

#include <bsd/sys/queue.h>
#include <stdbool.h>

#include "common/attr.h"
#include "common/mono.h"

struct event_base;
struct loop;
struct timer;
struct watch;

typedef void loop_fn(void *arg);

struct loop *loop_new(void) MUST_USE;
/* Runs what is still queued, then frees. Timers, watches and signals must be gone before. */
void loop_free(struct loop **loop);
/* Returns after loop_stop(). */
void loop_run(struct loop *loop);
void loop_stop(struct loop *loop);
/* From here on a loop that is busy lets events gather for a fraction of a millisecond: gather.h. */
void loop_gather(struct loop *loop);
/* There is more to read than could be read at once: this turn is not followed by such a wait. */
void loop_expect_more(struct loop *loop);
/* For the modules that bind a library (curl, ZeroMQ, evhttp) to the loop. */
struct event_base *loop_base(struct loop *loop);

/* --- end of turn ----------------------------------------------------------------------------- */

/* A piece of work that runs once after all events of this turn were handled: flushing a connection,
 * sending a batch. Embed it in the object; {0} plus fn and arg initialise it. */
struct deferred {
	loop_fn *fn;
	void *arg;
	bool is_queued;
	TAILQ_ENTRY(deferred) entry;
};

/* Queues `work` for the end of this turn; does nothing when it is queued already. */
void loop_defer(struct loop *loop, struct deferred *work);
/* The same, ahead of all that is queued. */
void loop_defer_first(struct loop *loop, struct deferred *work);
/* Takes it back. Safe when it is not queued. */
void loop_undefer(struct loop *loop, struct deferred *work);
/* Calls fn(object) after all deferred work of this turn: how dead objects are freed, never inside a
 * callback. */
void loop_free_later(struct loop *loop, loop_fn *fn, void *object);

/* --- timers ---------------------------------------------------------------------------------- */

struct timer *timer_new(struct loop *loop, loop_fn *fn, void *arg) MUST_USE;
/* Fires once after `delay`; an earlier setting is replaced. */
void timer_set(struct timer *timer, struct duration delay);
void timer_cancel(struct timer *timer);
bool timer_is_set(const struct timer *timer) MUST_USE;
void timer_free(struct timer **timer);

/* --- file descriptors (level-triggered) ------------------------------------------------------ */

#define WATCH_READ  1u
#define WATCH_WRITE 2u
typedef void watch_fn(void *arg, unsigned ready);

/* Watches nothing until watch_set(). The descriptor stays the caller's; free the watch before
 * closing it. */
struct watch *watch_new(struct loop *loop, int fd, watch_fn *fn, void *arg) MUST_USE;
void watch_set(struct watch *watch, unsigned wanted);
/* Calls the function again in this turn as if `ready` had happened: for sources that hold data that
 * the kernel no longer shows (TLS, ZeroMQ). */
void watch_activate(struct watch *watch, unsigned ready);
void watch_free(struct watch **watch);

/* --- signals --------------------------------------------------------------------------------- */

/* Calls fn(arg) in the loop whenever `signal_number` arrives, until the loop is freed. */
void loop_on_signal(struct loop *loop, int signal_number, loop_fn *fn, void *arg);

#endif
