/* The made-up neighbours of an HTTP/1 session: see session_neighbours.h. */
#include "tests/unit/session_neighbours.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/xmem.h"
#include "tests/unit/loop_turn.h"

struct fake_wire wire;
struct fake_life life;
struct fake_end end;
struct session session;
struct settings settings;
struct loop *loop;
bool is_draining;

/* --- the stream ------------------------------------------------------------------------------- */

void stream_set_events(struct stream *stream, const struct stream_events *events, void *arg)
{
	(void)stream;
	wire.events = events;
	wire.arg = arg;
}

void stream_keep_records(struct stream *stream)
{
	(void)stream;
}

void stream_write(struct stream *stream, const void *data, size_t len)
{
	(void)stream;
	assert_false(end.has_ended);
	buf_append(&wire.written, data, len);
}

void stream_end(struct stream *stream)
{
	(void)stream;
	wire.has_end = true;
}

bool stream_is_full(const struct stream *stream)
{
	(void)stream;
	return wire.is_full;
}

bool stream_has_peer_left(const struct stream *stream)
{
	(void)stream;
	return wire.has_peer_left;
}

void stream_pause(struct stream *stream)
{
	(void)stream;
	wire.is_paused = true;
}

void stream_resume(struct stream *stream)
{
	(void)stream;
	wire.is_paused = false;
}

/* Never inside a callback, as the real one. */
void offer(void)
{
	if (wire.is_offering)
		return;
	wire.is_offering = true;
	while (!wire.is_paused && !end.has_ended && wire.unread.len > 0) {
		size_t used = wire.events->on_data(
		    wire.arg, (const uint8_t *)wire.unread.data, wire.unread.len);
		buf_consume(&wire.unread, used);
		if (used == 0)
			break;
	}
	wire.is_offering = false;
}

void receive(const char *text)
{
	buf_append_text(&wire.unread, text);
	offer();
}

/* --- the session ------------------------------------------------------------------------------ */

struct loop *session_loop(const struct session *of)
{
	(void)of;
	return loop;
}

const struct settings *session_settings(const struct session *of)
{
	(void)of;
	return &settings;
}

struct exchanges *session_exchanges(const struct session *of)
{
	(void)of;
	return NULL;
}

bool session_is_draining(const struct session *of)
{
	(void)of;
	return is_draining;
}

void session_count_bad_request(struct session *of, unsigned status, const char *message)
{
	(void)of;
	assert_non_null(message);
	end.bad_status = status;
}

void session_end(struct session *of, enum session_end how, const char *reason)
{
	(void)of;
	assert_false(end.has_ended);
	end.has_ended = true;
	end.how = how;
	end.reason = xstrdup(reason);
	loop_stop(loop);
}

/* --- the exchange ----------------------------------------------------------------------------- */

void answer_whole(unsigned status, const char *text)
{
	struct http_head head = {.status = status, .body = HTTP_BODY_LENGTH, .keep_alive = true};
	head.content_length = strlen(text);
	(void)!life.client.verbs->send_head(life.client.object, &head);
	(void)!life.client.verbs->send_body(
	    life.client.object, (const uint8_t *)text, strlen(text));
	life.client.verbs->send_end(life.client.object);
}

void answer(unsigned status, const char *text)
{
	answer_whole(status, text);
	life.is_live = false;
	life.client.verbs->release(life.client.object);
	offer();
}

void want_body(void)
{
	life.client.verbs->resume(life.client.object);
	offer();
}

struct exchange *exchange_new(
    struct exchanges *all, struct peer client, struct caller *caller, const struct http_head *head)
{
	(void)all;
	assert_ptr_equal(caller, &session.caller);
	assert_false(life.is_live);
	life.client = client;
	life.head = head;
	life.is_live = true;
	life.has_body_end = false;
	buf_clear(&life.body);
	return (struct exchange *)(void *)&life;
}

void exchange_start(struct exchange *exchange)
{
	(void)exchange;
	life.started++;
	if (life.answers_at_once)
		answer(403, "no");
}

static void on_body(void *arg, const uint8_t *data, size_t len)
{
	(void)arg;
	buf_append(&life.body, data, len);
}

static void on_end(void *arg)
{
	(void)arg;
	life.has_body_end = true;
}

static void on_drain(void *arg)
{
	(void)arg;
	life.drained++;
}

static void on_failed(void *arg, const struct peer_failure *failure)
{
	(void)arg;
	life.failed = xstrdup(failure->reason);
	if (life.answers_when_given_up)
		answer_whole(403, "no");
	life.is_live = false;
	life.client.verbs->release(life.client.object);
}

const struct peer_events exchange_client_events = {
    .on_body = on_body, .on_end = on_end, .on_drain = on_drain, .on_failed = on_failed};

/* --- the setting ------------------------------------------------------------------------------ */

void end_turn(void)
{
	loop_end_turn(loop);
}

int set_up(void **state)
{
	(void)state;
	memset(&wire, 0, sizeof wire);
	memset(&life, 0, sizeof life);
	memset(&end, 0, sizeof end);
	memset(&session, 0, sizeof session);
	is_draining = false;
	settings.proxy.limits.header_bytes = 1024;
	settings.proxy.limits.header_count = 10;
	/* Longer than any test: those about times have their own. */
	settings.proxy.limits.header_timeout = duration_seconds(60);
	settings.proxy.limits.idle_timeout = duration_seconds(60);
	loop = loop_new();
	session.caller.address = "192.0.2.1:1";
	session.caller.is_known = true;
	session.protocol = &session_h1;
	session.conversation = session_h1.start(&session);
	return 0;
}

int tear_down(void **state)
{
	(void)state;
	session_h1.free(session.conversation);
	loop_free(&loop);
	buf_free(&wire.written);
	buf_free(&wire.unread);
	buf_free(&life.body);
	free(life.failed);
	free(end.reason);
	return 0;
}
