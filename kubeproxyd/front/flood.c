/* Each kind of frame has its limit in ten seconds, a setting: streams that the client resets
 * (CVE-2023-44487), or makes us reset, as well. Called by session_h2.c. */
#include "kubeproxyd/front/flood.h"

#include "common/settings_proxy.h"

#define WINDOW_MS 10000
/* A reader may give back its window in pieces of this size. */
#define UPDATE_BYTES 1024

void flood_init(struct flood *flood)
{
	*flood = (struct flood){.since = mono_now()};
}

void flood_note_sent(struct flood *flood, size_t bytes)
{
	flood->uncredited += bytes;
}

static bool count(struct flood *flood, enum flood_kind kind, size_t limit)
{
	if (mono_since(flood->since).ms > WINDOW_MS)
		*flood = (struct flood){.since = mono_now(), .uncredited = flood->uncredited};
	return ++flood->counts[kind] <= limit;
}

/* Window that is given back for what was sent. */
static bool is_earned(struct flood *flood)
{
	if (flood->uncredited < UPDATE_BYTES)
		return false;
	flood->uncredited -= UPDATE_BYTES;
	return true;
}

static bool is_empty(struct flood *flood, const struct h2_frame *frame)
{
	switch (frame->type) {
	case H2_PRIORITY:
	case H2_GOAWAY: /* only the first says something */
		return true;
	case H2_WINDOW_UPDATE:
		return !is_earned(flood);
	case H2_DATA:
		return frame->len == 0 && (frame->flags & H2_END_STREAM) == 0;
	default:
		return frame->type > H2_CONTINUATION; /* means nothing to us */
	}
}

bool flood_take(
    struct flood *flood, const struct proxy_limits *limits, const struct h2_frame *frame)
{
	/* Nobody asked for their acknowledgements either: no client is sent a PING. Those of
	 * SETTINGS are as many as ours, or end the connection. */
	if (frame->type == H2_PING)
		return count(flood, FLOOD_PINGS, limits->pings);
	if (frame->type == H2_SETTINGS)
		return (frame->flags & H2_ACK) != 0 ||
		       count(flood, FLOOD_SETTINGS, limits->settings_frames);
	if (frame->type == H2_RST_STREAM)
		return count(flood, FLOOD_CANCELS, limits->resets);
	return !is_empty(flood, frame) || count(flood, FLOOD_EMPTY, limits->empty_frames);
}

bool flood_take_stray(struct flood *flood, const struct proxy_limits *limits)
{
	return count(flood, FLOOD_EMPTY, limits->empty_frames);
}

bool flood_take_reset(struct flood *flood, const struct proxy_limits *limits)
{
	return count(flood, FLOOD_RESETS, limits->resets);
}
