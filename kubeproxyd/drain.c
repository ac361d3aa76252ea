/* SIGTERM: clients are told to go elsewhere, requests under way are finished, watches are ended as
 * API servers end them, some at a time so that not all of them begin anew at once; execs,
 * port-forwards and followed logs, which cannot be taken up elsewhere, get a while. Made by the
 * proxy once its listeners are closed. */
#include "kubeproxyd/drain.h"

#include "common/log.h"
#include "common/loop.h"
#include "common/settings.h"
#include "common/xmem.h"
#include "kubeproxyd/exchange/exchanges.h"
#include "kubeproxyd/front/session.h"
#include "kubeproxyd/net/stream.h"

#define LOOK_MS		 50
#define WATCHES_PER_LOOK 100u
/* How long the last close_notify gets to leave. */
#define FAREWELL_MS 100

static const char reason[] = "kubeproxyd is stopping";

struct drain {
	struct drain_options with;
	struct timer *timer;
	struct mono short_until, long_until;
	bool is_farewell;
};

static bool is_late(const struct drain *drain)
{
	return mono_is_past(drain->short_until) && mono_is_past(drain->long_until);
}

static bool is_empty(const struct drain *drain)
{
	return sessions_count(drain->with.sessions) == 0 &&
	       !stream_is_finishing_any(drain->with.loop);
}

static void look(void *arg)
{
	struct drain *drain = arg;
	struct exchanges *exchanges = drain->with.exchanges;
	if (drain->is_farewell || is_late(drain)) {
		log_info("main", "stopping",
		    LOG_I("sessions", sessions_count(drain->with.sessions)),
		    LOG_I("exchanges", exchanges_count(exchanges)));
		drain->with.on_done(drain->with.arg);
		return;
	}
	exchanges_end_watches(exchanges, reason, WATCHES_PER_LOOK);
	if (mono_is_past(drain->long_until))
		exchanges_cut_long(exchanges, reason);
	drain->is_farewell = is_empty(drain);
	timer_set(drain->timer, duration_ms(drain->is_farewell ? FAREWELL_MS : LOOK_MS));
}

struct drain *drain_start(const struct drain_options *options)
{
	const struct proxy_limits *limits = &options->settings->proxy.limits;
	struct drain *drain = xcalloc(1, sizeof *drain);
	drain->with = *options;
	drain->short_until = mono_add(mono_now(), limits->drain_timeout);
	drain->long_until = mono_add(mono_now(), limits->tunnel_grace);
	drain->timer = timer_new(options->loop, look, drain);
	log_info("main", "draining", LOG_I("sessions", sessions_count(options->sessions)),
	    LOG_I("exchanges", exchanges_count(options->exchanges)));
	sessions_drain(options->sessions);
	timer_set(drain->timer, duration_ms(0));
	return drain;
}

void drain_free(struct drain **drain)
{
	if (*drain == NULL)
		return;
	timer_free(&(*drain)->timer);
	xfree(drain);
}
