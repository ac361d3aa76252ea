/* A connection of HTTP/2 as its owner sees it: how it begins, windows, GOAWAY, the end. Called by
 * session_h2 and upstream_h2. */
#include "kubeproxyd/http/h2.h"

#include <stdlib.h>
#include <string.h>

#include "common/xmem.h"
#include "kubeproxyd/http/h2_private.h"

static const char PREFACE[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/* What clients may begin before the server says what it allows. */
#define STREAMS_BEFORE_SETTINGS 100u
/* Identifiers that are left for requests that wait when no more are taken. */
#define IDS_LEFT 8192u
/* The identifier of a GOAWAY that announces another one (6.8). */
#define GOAWAY_NOTICE H2_STREAM_ID_MAX

static void put_setting(uint8_t *at, enum h2_setting name, uint32_t value)
{
	at[0] = 0;
	at[1] = (uint8_t)name;
	h2_write_u32(at + 2, value);
}

static void put_settings(struct h2 *h2)
{
	uint8_t payload[18];
	const struct h2_options *options = &h2->options;
	if (options->is_server)
		put_setting(payload, H2_MAX_CONCURRENT_STREAMS, options->streams_max);
	else
		put_setting(payload, H2_ENABLE_PUSH, 0);
	put_setting(payload + 6, H2_INITIAL_WINDOW_SIZE, options->stream_window);
	put_setting(payload + 12, H2_MAX_HEADER_LIST_SIZE, options->header_list_max);
	h2_put_frame(h2, &(struct h2_frame){.len = sizeof payload, .type = H2_SETTINGS}, payload);
	h2->acks_due++;
}

void h2_init(
    struct h2 *h2, const struct h2_options *options, const struct h2_events *events, void *arg)
{
	*h2 = (struct h2){
	    .events = events,
	    .arg = arg,
	    .options = *options,
	    .window = {.size = H2_WINDOW_DEFAULT},
	    .credit = H2_WINDOW_DEFAULT,
	    .initial_credit = H2_WINDOW_DEFAULT,
	    .peer_streams_max = STREAMS_BEFORE_SETTINGS,
	    .goaway_last = H2_STREAM_ID_MAX,
	};
	TAILQ_INIT(&h2->sendable);
	TAILQ_INIT(&h2->waiting);
	hpack_decoder_init(&h2->decoder, HPACK_TABLE_DEFAULT);
	if (!options->is_server)
		buf_append(&h2->out, PREFACE, sizeof PREFACE - 1);
	put_settings(h2);
	if (options->connection_window > H2_WINDOW_DEFAULT)
		h2_widen_connection(h2, options->connection_window);
}

void h2_free(struct h2 *h2)
{
	hpack_decoder_free(&h2->decoder);
	hpack_kept_free(&h2->kept);
	buf_free_secret(&h2->in);
	buf_free_secret(&h2->block);
	buf_free_secret(&h2->out);
	free(h2->slots);
	h2->slots = NULL;
}

void h2_stop(struct h2 *h2)
{
	h2->is_stopped = true;
	hpack_kept_free(&h2->kept);
}

bool h2_take_preface(struct h2 *h2, const uint8_t *data, size_t len, size_t *used)
{
	size_t rest = sizeof PREFACE - 1 - h2->preface;
	*used = len < rest ? len : rest;
	if (memcmp(data, PREFACE + h2->preface, *used) != 0) {
		h2->reason = "it does not speak HTTP/2";
		return false;
	}
	h2->preface += *used;
	return true;
}

bool h2_is_done(const struct h2 *h2)
{
	if (h2->out.len > 0)
		return false;
	bool is_left = h2->has_said_goaway || h2->has_heard_goaway;
	return h2->is_terminated || (is_left && h2->count == 0 && TAILQ_EMPTY(&h2->waiting));
}

void h2_start(struct h2 *h2)
{
	h2->is_started = true;
}

bool h2_may_submit(const struct h2 *h2)
{
	return !h2->has_heard_goaway && !h2->is_terminated &&
	       h2->highest < H2_STREAM_ID_MAX - IDS_LEFT;
}

uint32_t h2_peer_streams_max(const struct h2 *h2)
{
	return h2->peer_streams_max;
}

/* --- windows -----------------------------------------------------------------------------------
 */

/* What was taken is given back by halves, so that a body costs few frames. */
static int64_t give_back(struct h2_window *window, size_t len)
{
	window->consumed += (int64_t)len;
	if (window->consumed < window->size / 2)
		return 0;
	int64_t more = window->consumed;
	window->used -= more;
	window->consumed = 0;
	return more;
}

void h2_consume(struct h2_stream *stream, size_t len)
{
	if (stream->h2 == NULL)
		return;
	int64_t more = give_back(&stream->window, len);
	if (more > 0 && !stream->is_peer_ended)
		h2_put_window(stream->h2, stream->id, more);
}

void h2_consume_connection(struct h2 *h2, size_t len)
{
	int64_t more = give_back(&h2->window, len);
	if (more > 0)
		h2_put_window(h2, 0, more);
}

static void widen(struct h2 *h2, struct h2_window *window, uint32_t id, uint32_t size)
{
	int64_t more = (int64_t)size - window->size;
	if (more <= 0)
		return;
	window->size = size;
	h2_put_window(h2, id, more);
}

void h2_widen(struct h2_stream *stream, uint32_t size)
{
	if (stream->h2 != NULL)
		widen(stream->h2, &stream->window, stream->id, size);
}

void h2_widen_connection(struct h2 *h2, uint32_t size)
{
	widen(h2, &h2->window, 0, size);
}

/* --- the rest ----------------------------------------------------------------------------------
 */

void h2_stream_reset(struct h2_stream *stream, uint32_t code, h2_put *put)
{
	struct h2 *h2 = stream->h2;
	if (h2 == NULL)
		return;
	bool is_open = !stream->is_waiting && !(stream->is_ended && stream->is_peer_ended);
	uint32_t id = stream->id;
	h2_stream_forget(stream);
	if (!is_open || h2->is_stopped)
		return;
	uint8_t payload[4];
	h2_write_u32(payload, code);
	put(h2, &(struct h2_frame){.len = sizeof payload, .type = H2_RST_STREAM, .id = id},
	    payload);
	if (h2->events->on_reset != NULL && code != H2_NO_ERROR)
		h2->events->on_reset(h2->arg);
}

/* Of the owner's own accord: it is no reply to what the peer sent. */
void h2_reset(struct h2_stream *stream, uint32_t code)
{
	h2_stream_reset(stream, code, h2_put_frame);
}

void h2_ping(struct h2 *h2)
{
	static const uint8_t payload[8];
	h2_put_frame(h2, &(struct h2_frame){.len = sizeof payload, .type = H2_PING}, payload);
}

static void put_goaway(struct h2 *h2, uint32_t last, uint32_t code)
{
	uint8_t payload[8];
	h2_write_u32(payload, last);
	h2_write_u32(payload + 4, code);
	h2_put_frame(h2, &(struct h2_frame){.len = sizeof payload, .type = H2_GOAWAY}, payload);
}

void h2_notice(struct h2 *h2)
{
	if (!h2->is_terminated && !h2->has_said_goaway)
		put_goaway(h2, GOAWAY_NOTICE, H2_NO_ERROR);
}

/* The last stream that was seen must not grow from one GOAWAY to the next (6.8). */
static void say_goaway(struct h2 *h2, uint32_t code)
{
	uint32_t seen = h2->options.is_server ? h2->highest : 0;
	if (seen < h2->goaway_last)
		h2->goaway_last = seen;
	h2->has_said_goaway = true;
	put_goaway(h2, h2->goaway_last, code);
}

void h2_goaway(struct h2 *h2)
{
	if (!h2->is_terminated && !h2->has_said_goaway)
		say_goaway(h2, H2_NO_ERROR);
}

void h2_terminate(struct h2 *h2, uint32_t code)
{
	if (h2->is_terminated)
		return;
	say_goaway(h2, code);
	h2->is_terminated = true;
}
