/* One turn of a loop, as far as its end: what is deferred runs, timers and descriptors do not. */
#ifndef EKSGATE_TESTS_LOOP_TURN_H
#define EKSGATE_TESTS_LOOP_TURN_H

#include "common/loop.h"

/* For timers and deferred work; `arg` is the loop. */
static inline void stop_loop(void *arg)
{
	loop_stop(arg);
}

static inline void loop_end_turn(struct loop *which)
{
	struct deferred last = {.fn = stop_loop, .arg = which};
	loop_defer(which, &last);
	loop_run(which);
}

/* Whole turns, for so long. */
static inline void loop_run_for(struct loop *which, struct duration time)
{
	struct timer *timer = timer_new(which, stop_loop, which);
	timer_set(timer, time);
	loop_run(which);
	timer_free(&timer);
}

#endif
