/* See session_h2_world.h. */
#include "tests/unit/session_h2_world.h"

#include <stdlib.h>
#include <string.h>

#include "common/xmem.h"
#include "kubeproxyd/net/stream_queue.h"
#include "tests/unit/loop_turn.h"

struct world world;

/* --- the stream ------------------------------------------------------------------------------- */

void stream_set_events(struct stream *stream, const struct stream_events *events, void *arg)
{
	(void)stream;
	world.wire.events = events;
	world.wire.arg = arg;
}

void stream_write(struct stream *stream, const void *data, size_t len)
{
	if (stream == NULL || world.has_ended)
		abort();
	buf_append(&world.wire.written, data, len);
}

bool stream_amend(struct stream *stream, uint64_t back, uint8_t bits)
{
	struct buf *written = &world.wire.written;
	if (stream == NULL || back > written->len)
		return false;
	((uint8_t *)written->data)[written->len - back] |= bits;
	return true;
}

void stream_write_queue(struct stream *stream, struct stream_queue *from, size_t len)
{
	while (len > 0) {
		size_t run;
		const uint8_t *data = stream_queue_peek(from, &run);
		run = run < len ? run : len;
		stream_write(stream, data, run);
		stream_queue_consume(from, run);
		len -= run;
	}
}

bool stream_is_full(const struct stream *stream)
{
	if (stream == NULL || world.has_ended)
		abort();
	return world.wire.written.len > world.wire.high_mark;
}

void world_receive(const void *data, size_t len)
{
	if (world.has_ended)
		return;
	/* Exactly as long as the input, so that a sanitizer sees a read beyond it. */
	uint8_t *copy = xmalloc(len > 0 ? len : 1);
	memcpy(copy, data, len);
	if (world.wire.events->on_data(world.wire.arg, copy, len) != len)
		abort();
	free(copy);
	world_end_turn();
}

/* --- the session ------------------------------------------------------------------------------ */

struct loop *session_loop(const struct session *of)
{
	(void)of;
	return world.loop;
}

const struct settings *session_settings(const struct session *of)
{
	(void)of;
	return &world.settings;
}

struct exchanges *session_exchanges(const struct session *of)
{
	(void)of;
	return NULL;
}

bool session_is_draining(const struct session *of)
{
	(void)of;
	return false;
}

void session_count_bad_request(struct session *of, unsigned status, const char *message)
{
	(void)of;
	if (message == NULL)
		abort();
	world.bad_requests++;
	world.bad_status = status;
}

void session_end(struct session *of, enum session_end how, const char *reason)
{
	if (world.has_ended)
		abort();
	world.has_ended = true;
	world.how = how;
	world.reason = xstrdup(reason);
	of->stream = NULL;
	of->caller.address = NULL;
	for (size_t i = 0; i < world.count; i++)
		if (world.lives[i].is_live)
			abort(); /* it would be recorded without its caller */
}

/* --- the exchanges ---------------------------------------------------------------------------- */

static struct life *life_of(void *exchange)
{
	return exchange;
}

void life_release(struct life *life)
{
	if (!life->is_live)
		return;
	life->is_live = false;
	life->head = NULL;
	life->client.verbs->release(life->client.object);
}

void life_answer_head(struct life *life, unsigned status, long length)
{
	struct http_head head = {.status = status,
	    .body = length < 0 ? HTTP_BODY_CHUNKED : HTTP_BODY_LENGTH,
	    .content_length = length < 0 ? 0 : (uint64_t)length};
	fields_add_text(&head.fields, "Content-Type", "text/plain");
	(void)!life->client.verbs->send_head(life->client.object, &head);
	http_head_free(&head);
}

void life_send(struct life *life, const char *data, size_t len)
{
	life->is_full =
	    !life->client.verbs->send_body(life->client.object, (const uint8_t *)data, len);
}

void life_end(struct life *life)
{
	life->client.verbs->send_end(life->client.object);
	life_release(life);
}

void life_answer(struct life *life, unsigned status, const char *text)
{
	life_answer_head(life, status, (long)strlen(text));
	life_send(life, text, strlen(text));
	life_end(life);
}

struct exchange *exchange_new(
    struct exchanges *all, struct peer client, struct caller *caller, const struct http_head *head)
{
	(void)all;
	if (caller != &world.session.caller || world.count == LIVES)
		abort();
	struct life *life = &world.lives[world.count++];
	*life = (struct life){.client = client, .head = head, .is_live = true};
	life->method = xstrdup(head->method);
	life->target = xstrdup(head->target);
	life->authority = xstrdup(head->authority);
	return (struct exchange *)(void *)life;
}

void exchange_start(struct exchange *exchange)
{
	struct life *life = life_of(exchange);
	if (world.answers_at_once)
		life_answer(life, 403, "no");
	else if (world.takes_bodies)
		life->client.verbs->resume(life->client.object);
}

static void on_body(void *arg, const uint8_t *data, size_t len)
{
	struct life *life = arg;
	if (!life->is_live || life->has_body_end)
		abort();
	buf_append(&life->body, data, len);
}

static void on_end(void *arg)
{
	struct life *life = arg;
	if (!life->is_live || life->has_body_end)
		abort();
	life->has_body_end = true;
}

static void on_drain(void *arg)
{
	struct life *life = arg;
	if (!life->is_live)
		abort();
	life->drained++;
	life->is_full = false;
}

static void on_failed(void *arg, const struct peer_failure *failure)
{
	struct life *life = arg;
	if (!life->is_live || world.session.caller.address == NULL)
		abort();
	life->failures++;
	life->failure = xstrdup(failure->reason);
	life_release(life);
}

const struct peer_events exchange_client_events = {
    .on_body = on_body, .on_end = on_end, .on_drain = on_drain, .on_failed = on_failed};

/* --- the setting ------------------------------------------------------------------------------ */

void world_end_turn(void)
{
	loop_end_turn(world.loop);
}

void world_wait(long ms)
{
	loop_run_for(world.loop, duration_ms(ms));
}

static char somebody;

static void restart_for(struct caller caller)
{
	session_h2.cut(world.session.conversation, "another comes");
	session_h2.free(world.session.conversation);
	buf_clear(&world.wire.written);
	free(world.reason);
	world.reason = NULL;
	world.has_ended = false;
	world.session.stream = (struct stream *)(void *)&world.wire;
	world.session.caller = caller;
	world.session.conversation = session_h2.start(&world.session);
}

void world_restart(void)
{
	restart_for(world.session.caller);
}

void world_become_stranger(void)
{
	restart_for((struct caller){.address = "192.0.2.2:1"});
}

void world_open(void)
{
	memset(&world, 0, sizeof world);
	world.settings.proxy.limits.header_bytes = 8192;
	world.settings.proxy.limits.header_count = 20;
	world.settings.proxy.limits.streams = 250;
	world.settings.proxy.limits.resets = 1000;
	world.settings.proxy.limits.pings = 3000;
	world.settings.proxy.limits.settings_frames = 500;
	world.settings.proxy.limits.empty_frames = 9500;
	world.settings.proxy.limits.continuations = 16;
	/* Longer than any test: those about times have their own. */
	world.settings.proxy.limits.header_timeout = duration_seconds(60);
	world.settings.proxy.limits.idle_timeout = duration_seconds(60);
	world.loop = loop_new();
	world.wire.high_mark = 64u * 1024;
	world.session.stream = (struct stream *)(void *)&world.wire;
	world.session.caller.address = "192.0.2.1:1";
	world.session.caller.identity =
	    (struct identity *)(void *)&somebody; /* nobody looks into it */
	world.session.caller.is_known = true;
	world.session.protocol = &session_h2;
	world.session.conversation = session_h2.start(&world.session);
}

void world_close(void)
{
	session_h2.cut(world.session.conversation, "the test is over");
	session_h2.free(world.session.conversation);
	loop_free(&world.loop);
	buf_free(&world.wire.written);
	for (size_t i = 0; i < world.count; i++) {
		struct life *life = &world.lives[i];
		if (life->is_live)
			abort();
		buf_free(&life->body);
		free(life->method);
		free(life->target);
		free(life->authority);
		free(life->failure);
	}
	free(world.reason);
}
