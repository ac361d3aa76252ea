/* What is queued in the kernel meanwhile waits there, as it does when descriptors run out (the
 * listener's own rest). Made by proxy.c, which passes the rooms' news on. */
#include "kubeproxyd/accepting.h"

#include "common/log.h"
#include "common/metrics.h"
#include "common/xmem.h"
#include "kubeproxyd/net/listeners.h"

struct accepting {
	struct listeners *listeners;
	bool is_held[ACCEPTING_HOLDS];
	struct metric *paused;
};

struct reason {
	const char *word, *text;
};

static const struct reason reasons[ACCEPTING_HOLDS] = {
    [ACCEPTING_FULL] = {"connections",
	"as many connections as eksgate.proxy.limits.connections allows"},
    [ACCEPTING_UNRECORDED] = {"audit",
	"the audit log cannot be written and its buffer is full: make room, or set "
	"eksgate.proxy.audit.when_failing to buffer"},
    [ACCEPTING_UNKNOWING] = {"first-snapshot",
	"no cluster is known yet: discoveryd's first snapshot is waited for"},
};

static void apply(struct accepting *accepting)
{
	if (accepting->listeners == NULL)
		return;
	bool is_held = false;
	for (unsigned i = 0; i < ACCEPTING_HOLDS; i++)
		is_held |= accepting->is_held[i];
	if (is_held)
		listeners_pause(accepting->listeners);
	else
		listeners_resume(accepting->listeners);
}

struct accepting *accepting_new(struct metrics *metrics)
{
	struct accepting *accepting = xcalloc(1, sizeof *accepting);
	accepting->paused = metrics_gauge(metrics, "eksgate_proxy_accept_paused",
	    "Whether new connections wait, by the reason.", "reason");
	for (unsigned i = 0; i < ACCEPTING_HOLDS; i++)
		metric_set(accepting->paused, 0, reasons[i].word);
	return accepting;
}

void accepting_free(struct accepting **accepting)
{
	xfree(accepting);
}

void accepting_set_listeners(struct accepting *accepting, struct listeners *listeners)
{
	accepting->listeners = listeners;
	apply(accepting);
}

void accepting_hold(struct accepting *accepting, enum accepting_hold why, bool is_held)
{
	if (accepting->is_held[why] == is_held)
		return;
	accepting->is_held[why] = is_held;
	metric_set(accepting->paused, is_held, reasons[why].word);
	log_warn("listener", is_held ? "paused" : "resumed", LOG_S("reason", reasons[why].text));
	apply(accepting);
}

const char *accepting_trouble(const struct accepting *accepting)
{
	return accepting->is_held[ACCEPTING_UNRECORDED] ? reasons[ACCEPTING_UNRECORDED].text : NULL;
}
