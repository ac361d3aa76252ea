/* Tells data from pings. What cannot be read counts as data: nobody's session is ended for a
 * protocol that is not known here. Used by the exchange when a role has client_idle_timeout. */
#include "kubeproxyd/exchange/activity.h"

#include <stdbool.h>
#include <strings.h>

#include "kubeproxyd/record/spdy.h"

/* A ping of SPDY, as port-forward wraps it in one message of a WebSocket. */
#define WRAPPED_PING_BYTES 12

static void on_message(void *arg, const uint8_t *data, size_t len, bool is_first, bool is_last)
{
	struct activity *activity = arg;
	bool is_ping =
	    is_first && is_last && len == WRAPPED_PING_BYTES && data[0] == 0x80 && data[3] == 6;
	if (!is_ping && len > 0)
		activity->last = mono_now();
}

static void on_stream(void *arg, uint32_t stream)
{
	struct activity *activity = arg;
	(void)stream;
	activity->last = mono_now();
}

static void on_data(void *arg, uint32_t stream, const uint8_t *data, size_t len, bool is_last)
{
	struct activity *activity = arg;
	(void)stream;
	(void)data;
	(void)len;
	(void)is_last;
	activity->last = mono_now();
}

static const struct spdy_events spdy_events = {.on_stream = on_stream, .on_data = on_data};

void activity_start(struct activity *activity, const char *protocol)
{
	activity_free(activity);
	*activity = (struct activity){.last = mono_now()};
	bool is_websocket = protocol != NULL && strcasecmp(protocol, "websocket") == 0;
	bool is_spdy = protocol != NULL && strcasecmp(protocol, "SPDY/3.1") == 0;
	for (int side = 0; side < ACTIVITY_SIDES; side++) {
		if (is_websocket)
			activity->websockets[side] =
			    (struct websocket_reader){.fn = on_message, .arg = activity};
		if (is_spdy)
			activity->spdy[side] = spdy_reader_new(&spdy_events, activity);
	}
}

void activity_feed(
    struct activity *activity, enum activity_side side, const uint8_t *data, size_t len)
{
	bool is_read = true;
	if (activity->websockets[side].fn != NULL)
		is_read = websocket_feed(&activity->websockets[side], data, len);
	else if (activity->spdy[side] != NULL)
		is_read = spdy_feed(activity->spdy[side], data, len);
	else
		is_read = false;
	if (!is_read)
		activity->last = mono_now();
}

void activity_free(struct activity *activity)
{
	for (int side = 0; side < ACTIVITY_SIDES; side++)
		spdy_reader_free(&activity->spdy[side]);
}
