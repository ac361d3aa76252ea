/* See session_h2_talk.h. */
#include "tests/unit/session_h2_talk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/xmem.h"

#define TALKS_MAX 20000

struct h2_end client;

/* --- both ends -------------------------------------------------------------------------------- */

/* To the client. True: there was something. */
bool carry_down(void)
{
	world_end_turn();
	if (world.wire.written.len == 0)
		return false;
	struct buf written = world.wire.written;
	world.wire.written = (struct buf){0};
	(void)!h2_end_hear(&client, written.data, written.len);
	buf_free(&written);
	if (!world.has_ended)
		world.wire.events->on_drain(world.wire.arg);
	return true;
}

bool carry_up(void)
{
	struct buf said = {0};
	h2_end_say(&client, &said);
	bool is_something = said.len > 0 && !world.has_ended;
	if (is_something)
		world_receive(said.data, said.len);
	buf_free(&said);
	return is_something;
}

void talk(void)
{
	bool goes_on = true;
	for (unsigned i = 0; i < TALKS_MAX && goes_on; i++) {
		goes_on = carry_up();
		goes_on |= carry_down();
	}
	assert_false(goes_on);
}

int32_t ask(const char *method, const char *path, bool has_body)
{
	const char *const pairs[] = {":method", method, ":scheme", "https", ":authority", "h:3026",
	    ":path", path, "accept", "*/*", NULL};
	int32_t id = h2_end_request(&client, pairs, has_body);
	talk();
	return id;
}

struct life *last_life(void)
{
	assert_true(world.count > 0);
	return &world.lives[world.count - 1];
}

struct h2_end_stream *heard(int32_t id)
{
	struct h2_end_stream *stream = h2_end_find(&client, id);
	assert_non_null(stream);
	return stream;
}

void assert_answer(int32_t id, const char *head, const char *body)
{
	struct h2_end_stream *stream = heard(id);
	assert_string_equal(buf_text(&stream->head), head);
	assert_string_equal(buf_text(&stream->body), body);
	assert_true(stream->has_end && stream->is_closed);
	assert_int_equal(stream->code, NGHTTP2_NO_ERROR);
}

/* Answered by the proxy itself, with a Status. */
void assert_refused(int32_t id, const char *status)
{
	struct h2_end_stream *stream = heard(id);
	char *line = xasprintf(":status: %s\n", status);
	assert_memory_equal(buf_text(&stream->head), line, strlen(line));
	assert_non_null(strstr(buf_text(&stream->body), "\"kind\":\"Status\""));
	assert_true(stream->has_end);
	free(line);
}

void reopen(const struct h2_end_options *options)
{
	h2_end_free(&client);
	h2_end_init(&client, options);
}

int set_up(void **state)
{
	(void)state;
	world_open();
	h2_end_init(&client, &(struct h2_end_options){0});
	return 0;
}

int tear_down(void **state)
{
	(void)state;
	world_close();
	h2_end_free(&client);
	return 0;
}

void fresh(void **state, const struct h2_end_options *options)
{
	tear_down(state);
	set_up(state);
	reopen(options);
}
