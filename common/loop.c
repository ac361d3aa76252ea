/* libevent behind the handful of verbs that the daemons use. A turn is one
 * event_base_loop(EVLOOP_ONCE); after it the deferred work runs (work may defer more work: it runs
 * in the same turn), then dead objects are freed. Turns of a busy loop may keep a distance. */
#include "common/loop.h"

#include <event2/event.h>
#include <stdlib.h>
#include <time.h>

#include "common/gather.h"
#include "common/xmem.h"

struct dead_object {
	loop_fn *fn;
	void *object;
};

struct signal_handler {
	struct event *event;
	loop_fn *fn;
	void *arg;
	struct signal_handler *next;
};

struct loop {
	struct event_base *base;
	TAILQ_HEAD(, deferred) deferred;
	struct dead_object *dead;
	size_t dead_count, dead_cap;
	struct signal_handler *signals;
	struct gather gather;
	bool is_stopping, gathers;
};

struct timer {
	struct event *event;
	loop_fn *fn;
	void *arg;
};

struct watch {
	struct event_base *base;
	struct event *event;
	int fd;
	unsigned wanted;
	watch_fn *fn;
	void *arg;
};

struct loop *loop_new(void)
{
	struct loop *loop = xcalloc(1, sizeof *loop);
	struct event_config *config = event_config_new();
	if (config == NULL)
		abort();
	event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
	loop->base = event_base_new_with_config(config);
	event_config_free(config);
	if (loop->base == NULL)
		abort();
	TAILQ_INIT(&loop->deferred);
	return loop;
}

static void run_deferred(struct loop *loop)
{
	struct deferred *work;
	while ((work = TAILQ_FIRST(&loop->deferred)) != NULL) {
		loop_undefer(loop, work);
		work->fn(work->arg);
	}
}

static void free_dead(struct loop *loop)
{
	/* A destructor may add further dead objects: they are appended and reached by this same
	 * walk. */
	for (size_t i = 0; i < loop->dead_count; i++) {
		struct dead_object dead = loop->dead[i];
		dead.fn(dead.object);
	}
	loop->dead_count = 0;
}

static void end_turn(struct loop *loop)
{
	run_deferred(loop);
	free_dead(loop);
	/* What a destructor deferred must not wait for the next event. */
	while (!TAILQ_EMPTY(&loop->deferred)) {
		run_deferred(loop);
		free_dead(loop);
	}
}

void loop_free(struct loop **loop)
{
	if (*loop == NULL)
		return;
	end_turn(*loop);
	struct signal_handler *next;
	for (struct signal_handler *handler = (*loop)->signals; handler != NULL; handler = next) {
		next = handler->next;
		event_free(handler->event);
		free(handler);
	}
	event_base_free((*loop)->base);
	free((*loop)->dead);
	xfree(loop);
}

static int64_t cpu_time(void)
{
	struct timespec worked;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &worked);
	return worked.tv_sec * INT64_C(1000000000) + worked.tv_nsec;
}

static void let_gather(struct loop *loop)
{
	struct timespec delay = {.tv_nsec = gather_delay(&loop->gather, mono_now().ns, cpu_time)};
	if (delay.tv_nsec > 0)
		nanosleep(&delay, NULL);
}

void loop_gather(struct loop *loop)
{
	loop->gathers = true;
}

void loop_expect_more(struct loop *loop)
{
	loop->gather.expects_more = true;
}

void loop_run(struct loop *loop)
{
	loop->is_stopping = false;
	end_turn(loop);
	while (!loop->is_stopping) {
		if (loop->gathers)
			let_gather(loop);
		if (event_base_loop(loop->base, EVLOOP_ONCE | EVLOOP_NO_EXIT_ON_EMPTY) < 0)
			abort();
		end_turn(loop);
	}
}

void loop_stop(struct loop *loop)
{
	loop->is_stopping = true;
	event_base_loopbreak(loop->base);
}

struct event_base *loop_base(struct loop *loop)
{
	return loop->base;
}

void loop_defer(struct loop *loop, struct deferred *work)
{
	if (work->is_queued)
		return;
	work->is_queued = true;
	TAILQ_INSERT_TAIL(&loop->deferred, work, entry);
}

void loop_defer_first(struct loop *loop, struct deferred *work)
{
	if (work->is_queued)
		return;
	work->is_queued = true;
	TAILQ_INSERT_HEAD(&loop->deferred, work, entry);
}

void loop_undefer(struct loop *loop, struct deferred *work)
{
	if (!work->is_queued)
		return;
	TAILQ_REMOVE(&loop->deferred, work, entry);
	work->is_queued = false;
}

void loop_free_later(struct loop *loop, loop_fn *fn, void *object)
{
	if (loop->dead_count == loop->dead_cap) {
		loop->dead_cap = loop->dead_cap > 0 ? loop->dead_cap * 2 : 16;
		loop->dead = xreallocarray(loop->dead, loop->dead_cap, sizeof *loop->dead);
	}
	loop->dead[loop->dead_count++] = (struct dead_object){fn, object};
}

static void on_timer(evutil_socket_t fd, short events, void *arg)
{
	(void)fd;
	(void)events;
	struct timer *timer = arg;
	timer->fn(timer->arg);
}

struct timer *timer_new(struct loop *loop, loop_fn *fn, void *arg)
{
	struct timer *timer = xcalloc(1, sizeof *timer);
	timer->fn = fn;
	timer->arg = arg;
	timer->event = evtimer_new(loop->base, on_timer, timer);
	if (timer->event == NULL)
		abort();
	return timer;
}

void timer_set(struct timer *timer, struct duration delay)
{
	int64_t ms = delay.ms > 0 ? delay.ms : 0;
	struct timeval tv = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
	if (evtimer_add(timer->event, &tv) != 0)
		abort();
}

void timer_cancel(struct timer *timer)
{
	evtimer_del(timer->event);
}

bool timer_is_set(const struct timer *timer)
{
	return evtimer_pending(timer->event, NULL) != 0;
}

void timer_free(struct timer **timer)
{
	if (*timer == NULL)
		return;
	event_free((*timer)->event);
	xfree(timer);
}

static void on_ready(evutil_socket_t fd, short events, void *arg)
{
	(void)fd;
	struct watch *watch = arg;
	unsigned ready =
	    (events & EV_READ ? WATCH_READ : 0) | (events & EV_WRITE ? WATCH_WRITE : 0);
	watch->fn(watch->arg, ready);
}

static short event_flags(unsigned wanted)
{
	return (short)((wanted & WATCH_READ ? EV_READ : 0) | (wanted & WATCH_WRITE ? EV_WRITE : 0));
}

struct watch *watch_new(struct loop *loop, int fd, watch_fn *fn, void *arg)
{
	struct watch *watch = xcalloc(1, sizeof *watch);
	watch->base = loop->base;
	watch->fd = fd;
	watch->fn = fn;
	watch->arg = arg;
	watch->event = event_new(loop->base, fd, EV_PERSIST, on_ready, watch);
	if (watch->event == NULL)
		abort();
	return watch;
}

void watch_set(struct watch *watch, unsigned wanted)
{
	if (watch->wanted == wanted)
		return;
	watch->wanted = wanted;
	event_del(watch->event);
	event_assign(watch->event, watch->base, watch->fd,
	    (short)(event_flags(wanted) | EV_PERSIST), on_ready, watch);
	if (wanted != 0 && event_add(watch->event, NULL) != 0)
		abort();
}

void watch_activate(struct watch *watch, unsigned ready)
{
	event_active(watch->event, event_flags(ready), 0);
}

void watch_free(struct watch **watch)
{
	if (*watch == NULL)
		return;
	event_free((*watch)->event);
	xfree(watch);
}

static void on_signal(evutil_socket_t number, short events, void *arg)
{
	(void)number;
	(void)events;
	struct signal_handler *handler = arg;
	handler->fn(handler->arg);
}

void loop_on_signal(struct loop *loop, int signal_number, loop_fn *fn, void *arg)
{
	struct signal_handler *handler = xcalloc(1, sizeof *handler);
	handler->fn = fn;
	handler->arg = arg;
	handler->next = loop->signals;
	loop->signals = handler;
	handler->event = evsignal_new(loop->base, signal_number, on_signal, handler);
	if (handler->event == NULL || evsignal_add(handler->event, NULL) != 0)
		abort();
}
