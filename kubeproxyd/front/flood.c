/* Each kind of frame has its limit in ten seconds, a setting. Streams that the client itself resets
 * are counted by nghttp2 (CVE-2023-44487), those that it makes us reset here. Called by
 * session_h2.c.
 */
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

static bool is_empty(struct flood *flood, const nghttp2_frame *frame)
{
	switch (frame->hd.type) {
	case NGHTTP2_PRIORITY:
		return true;
	case NGHTTP2_WINDOW_UPDATE:
		return !is_earned(flood);
	case NGHTTP2_DATA:
		return frame->hd.length == 0 && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0;
	default:
		return false;
	}
}

bool flood_take(struct flood *flood, const struct proxy_limits *limits, const nghttp2_frame *frame)
{
	bool is_ack = (frame->hd.flags & NGHTTP2_FLAG_ACK) != 0;
	if (frame->hd.type == NGHTTP2_PING)
		return is_ack || count(flood, FLOOD_PINGS, limits->pings);
	if (frame->hd.type == NGHTTP2_SETTINGS)
		return is_ack || count(flood, FLOOD_SETTINGS, limits->settings_frames);
	return !is_empty(flood, frame) || count(flood, FLOOD_EMPTY, limits->empty_frames);
}

bool flood_take_reset(struct flood *flood, const struct proxy_limits *limits)
{
	return count(flood, FLOOD_RESETS, limits->resets);
}
