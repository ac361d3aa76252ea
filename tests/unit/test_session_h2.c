/* HTTP/2 with clients, against nghttp2 as the client and made-up exchanges: requests, bodies both
 * ways, drains and ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/buf.h"
#include "common/xmem.h"
#include "kubeproxyd/net/holdings.h"
#include "tests/unit/session_h2_talk.h"

#define CLIENT_BODY_WINDOW (256u * 1024)

/* --- requests and answers --------------------------------------------------------------------- */

static void test_request_and_answer(void **state)
{
	(void)state;
	int32_t id = ask("GET", "/clusters/a/api", false);
	assert_int_equal(world.count, 1);
	assert_string_equal(last_life()->method, "GET");
	assert_string_equal(last_life()->target, "/clusters/a/api");
	assert_string_equal(last_life()->authority, "h:3026");
	assert_int_equal(last_life()->head->body, HTTP_BODY_NONE);
	assert_string_equal(fields_get(&last_life()->head->fields, "accept"), "*/*");
	assert_int_equal(last_life()->head->fields.count, 1);
	life_answer(last_life(), 200, "hello");
	talk();
	assert_answer(id, ":status: 200\ncontent-type: text/plain\ncontent-length: 5\n", "hello");
	assert_int_equal(world.session.requests, 1);
}

/* The end joins the body that came in the same turn. */
static void test_an_end_joins_its_body(void **state)
{
	(void)state;
	int32_t id = ask("GET", "/api", false);
	char body[401];
	memset(body, 'x', 400);
	body[400] = '\0';
	life_answer_head(last_life(), 200, 400);
	life_send(last_life(), body, 100); /* so little waits for more */
	life_send(last_life(), body, 50);
	world_end_turn();
	life_send(last_life(), body, 250);
	life_end(last_life());
	world_end_turn();
	const struct buf *written = &world.wire.written;
	struct buf kinds = {0};
	for (size_t at = 0; at < written->len;) {
		const uint8_t *frame = (const uint8_t *)written->data + at;
		buf_append_char(&kinds, frame[3] == NGHTTP2_HEADERS ? 'H' : 'D');
		if ((frame[4] & NGHTTP2_FLAG_END_STREAM) != 0)
			buf_append_char(&kinds, '!');
		at += 9 + ((size_t)frame[0] << 16 | (size_t)frame[1] << 8 | frame[2]);
	}
	assert_string_equal(buf_text(&kinds), "HDD!");
	buf_free(&kinds);
	talk();
	assert_answer(id, ":status: 200\ncontent-type: text/plain\ncontent-length: 400\n", body);
}

static void test_many_at_a_time(void **state)
{
	(void)state;
	int32_t ids[100];
	for (unsigned i = 0; i < 100; i++)
		ids[i] = ask("GET", "/api", false);
	for (unsigned i = 100; i > 0; i--)
		life_answer(&world.lives[i - 1], 200, "x");
	talk();
	for (unsigned i = 0; i < 100; i++)
		assert_true(heard(ids[i])->is_closed);
}

static void test_answered_at_once(void **state)
{
	(void)state;
	world.answers_at_once = true;
	int32_t id = ask("GET", "/api", false);
	assert_answer(id, ":status: 403\ncontent-type: text/plain\ncontent-length: 2\n", "no");
}

static void test_answers_without_a_body(void **state)
{
	(void)state;
	int32_t head = ask("HEAD", "/api", false);
	life_answer_head(last_life(), 200, 42);
	life_end(last_life());
	talk();
	assert_answer(head, ":status: 200\ncontent-type: text/plain\ncontent-length: 42\n", "");
	int32_t none = ask("DELETE", "/api", false);
	life_answer_head(last_life(), 204, -1);
	life_end(last_life());
	talk();
	assert_answer(none, ":status: 204\ncontent-type: text/plain\n", "");
	int32_t same = ask("GET", "/api", false);
	life_answer_head(last_life(), 304, 42);
	life_end(last_life());
	talk();
	assert_answer(same, ":status: 304\ncontent-type: text/plain\ncontent-length: 42\n", "");
}

static void test_an_answer_that_is_cut_looks_cut(void **state)
{
	(void)state;
	int32_t id = ask("GET", "/api", false);
	life_answer_head(last_life(), 200, -1);
	life_send(last_life(), "part", 4);
	talk();
	life_release(last_life());
	talk();
	assert_false(heard(id)->has_end);
	assert_true(heard(id)->is_closed);
	assert_int_equal(heard(id)->code, NGHTTP2_INTERNAL_ERROR);
	id = ask("HEAD", "/api", false);
	life_release(last_life());
	talk();
	assert_int_equal(heard(id)->code, NGHTTP2_INTERNAL_ERROR);
	assert_false(world.has_ended);
}

/* A slow reader: what it does not take stays bounded, and every byte arrives. */
static void test_slow_reader(void **state)
{
	(void)state;
	static char piece[100000];
	memset(piece, 'x', sizeof piece);
	reopen(&(struct h2_end_options){.gives_no_credit = true});
	int32_t id = ask("GET", "/api", false);
	struct life *life = last_life();
	life_answer_head(life, 200, -1);
	size_t sent = 0, seen = 0;
	while (sent < 5u * 1024 * 1024) {
		while (!life->is_full) {
			life_send(life, piece, sizeof piece);
			sent += sizeof piece;
		}
		talk();
		size_t more = heard(id)->body.len - seen;
		assert_true(more > 0 && more <= 65535);
		assert_true(sent - heard(id)->body.len < 500000);
		seen = heard(id)->body.len;
		h2_end_credit(&client, id, more);
	}
	assert_true(life->drained > 5);
	life_end(life);
	for (unsigned i = 0; i < 1000 && !heard(id)->has_end; i++) {
		talk();
		size_t more = heard(id)->body.len - seen;
		seen = heard(id)->body.len;
		h2_end_credit(&client, id, more);
	}
	assert_int_equal(heard(id)->body.len, sent);
}

/* While all answers together hold much, each holds little; who is given up holds nothing. */
static void test_slow_reader_when_tight(void **state)
{
	(void)state;
	static char piece[10000];
	struct holdings holdings = {.held = 600, .limit = 1000};
	world.session.holdings = &holdings;
	reopen(&(struct h2_end_options){.gives_no_credit = true});
	int32_t id = ask("GET", "/api", false);
	struct life *life = last_life();
	life_answer_head(life, 200, -1);
	while (heard(id)->body.len < 65535) {
		assert_false(life->is_full);
		life_send(life, piece, sizeof piece);
		talk();
	}
	while (!life->is_full)
		life_send(life, piece, sizeof piece);
	assert_true(holdings.held - 600 >= 16384 && holdings.held - 600 <= 32768);
	/* Who was told to wait is told when there is room, though there is more of it meanwhile. */
	holdings.limit = 1000000;
	life_send(life, piece, sizeof piece);
	assert_true(life->is_full);
	h2_end_credit(&client, id, 65535);
	talk();
	assert_int_equal(life->drained, 1);
	assert_int_equal(holdings.held, 600);
	for (unsigned i = 0; i < 25; i++)
		life_send(life, piece, sizeof piece);
	assert_false(life->is_full);
	assert_true(holdings.held > 200000);
	life_release(life);
	assert_int_equal(holdings.held, 600);
	talk();
	assert_true(heard(id)->is_closed);
	world.session.holdings = NULL;
}

/* Small pieces of window are given back all the time by some clients. */
static void test_many_window_updates_for_a_long_answer(void **state)
{
	(void)state;
	static char piece[64 * 1024];
	reopen(&(struct h2_end_options){.gives_no_credit = true, .window = 60000});
	int32_t id = ask("GET", "/api", false);
	life_answer_head(last_life(), 200, -1);
	for (unsigned i = 0; i < 400; i++) {
		life_send(last_life(), piece, sizeof piece);
		talk();
		for (size_t at = 0; at < sizeof piece; at += 2048) {
			nghttp2_submit_window_update(client.session, 0, id, 2048);
			nghttp2_submit_window_update(client.session, 0, 0, 2048);
		}
		talk();
		assert_false(world.has_ended);
	}
}

/* --- uploads ---------------------------------------------------------------------------------- */

static void test_upload_waits_until_it_is_wanted(void **state)
{
	(void)state;
	static char data[1024 * 1024];
	memset(data, 'u', sizeof data);
	int32_t id = ask("POST", "/api", true);
	struct life *life = last_life();
	assert_int_equal(life->head->body, HTTP_BODY_CHUNKED);
	h2_end_send(&client, id, data, sizeof data, true);
	talk();
	assert_int_equal(life->body.len, 0);
	assert_true(heard(id)->to_send.len >= sizeof data - CLIENT_BODY_WINDOW);
	/* It stops nobody else, although together they hold more than the connection's window. */
	for (unsigned i = 0; i < 70; i++) {
		int32_t other = ask("POST", "/api", true);
		h2_end_send(&client, other, data, CLIENT_BODY_WINDOW, true);
		talk();
		assert_int_equal(heard(other)->to_send.len, 0);
	}
	life->client.verbs->resume(life->client.object);
	talk();
	assert_int_equal(life->body.len, sizeof data);
	assert_true(life->has_body_end);
	life_answer(life, 201, "made");
	talk();
	assert_true(heard(id)->has_end);
}

static void test_upload_pauses(void **state)
{
	(void)state;
	int32_t id = ask("POST", "/api", true);
	struct life *life = last_life();
	life->client.verbs->resume(life->client.object);
	h2_end_send(&client, id, "first", 5, false);
	talk();
	assert_string_equal(buf_text(&life->body), "first");
	life->client.verbs->pause(life->client.object);
	h2_end_send(&client, id, "second", 6, true);
	talk();
	assert_string_equal(buf_text(&life->body), "first");
	assert_false(life->has_body_end);
	life->client.verbs->resume(life->client.object);
	talk();
	assert_string_equal(buf_text(&life->body), "firstsecond");
	assert_true(life->has_body_end);
	life_answer(life, 200, "");
	talk();
}

/* The rest of an upload that was answered is not wanted, and its credit is not lost to others. */
static void test_answered_uploads_are_told_to_stop(void **state)
{
	(void)state;
	static char data[CLIENT_BODY_WINDOW];
	for (unsigned i = 0; i < 100; i++) {
		int32_t id = ask("POST", "/api", true);
		h2_end_send(&client, id, data, sizeof data, false);
		talk();
		assert_int_equal(heard(id)->to_send.len, 0);
		life_answer(last_life(), 403, "no");
		talk();
		assert_answer(
		    id, ":status: 403\ncontent-type: text/plain\ncontent-length: 2\n", "no");
	}
	world.takes_bodies = true;
	int32_t id = ask("POST", "/api", true);
	h2_end_send(&client, id, data, sizeof data, true);
	talk();
	assert_int_equal(last_life()->body.len, sizeof data);
}

static void test_continue(void **state)
{
	(void)state;
	const char *const pairs[] = {":method", "POST", ":scheme", "https", ":authority", "h",
	    ":path", "/api", "expect", "100-continue", "content-length", "2", NULL};
	int32_t id = h2_end_request(&client, pairs, true);
	talk();
	struct life *life = last_life();
	assert_int_equal(life->head->body, HTTP_BODY_LENGTH);
	assert_int_equal(life->head->content_length, 2);
	assert_null(fields_get(&life->head->fields, "expect"));
	assert_int_equal(heard(id)->head.len, 0);
	life->client.verbs->resume(life->client.object);
	talk();
	assert_string_equal(buf_text(&heard(id)->head), ":status: 100\n");
	h2_end_send(&client, id, "ab", 2, true);
	talk();
	life_answer(life, 200, "");
	talk();
	assert_true(heard(id)->has_end);
	id = h2_end_request(&client, pairs, true);
	talk();
	life_answer(last_life(), 403, "no");
	talk();
	assert_non_null(strstr(buf_text(&heard(id)->head), ":status: 403\n"));
	assert_null(strstr(buf_text(&heard(id)->head), "100"));
}

static void test_trailers_are_dropped(void **state)
{
	(void)state;
	world.takes_bodies = true;
	int32_t id = ask("POST", "/api", true);
	h2_end_send(&client, id, "x", 1, false);
	talk();
	nghttp2_nv field = {(uint8_t[]){"impersonate-user"}, (uint8_t[]){"root"}, 16, 4, 0};
	nghttp2_submit_headers(client.session, NGHTTP2_FLAG_END_STREAM, id, NULL, &field, 1, NULL);
	talk();
	assert_string_equal(buf_text(&last_life()->body), "x");
	assert_true(last_life()->has_body_end);
	assert_null(fields_get(&last_life()->head->fields, "impersonate-user"));
}

/* What an API server sends for no table to hold goes on so, behind a body, too. */
static void test_trailers_of_answers_stay_never_indexed(void **state)
{
	(void)state;
	static const char wanted[] = "\x10\x08x-secret\x01s";
	struct http_fields trailers = {0};
	int32_t id = ask("GET", "/api", false);
	struct life *life = last_life();
	life_answer_head(life, 200, -1);
	life_send(life, "x", 1);
	fields_add_with(&trailers, FIELD_PRIVATE, "x-secret", strlen("x-secret"), "s", 1);
	life->client.verbs->send_trailers(life->client.object, &trailers);
	fields_free(&trailers);
	life_end(life);
	world_end_turn();
	const struct buf *written = &world.wire.written;
	assert_non_null(memmem(written->data, written->len, wanted, strlen(wanted)));
	talk();
	assert_non_null(strstr(buf_text(&heard(id)->head), "x-secret: s\n"));
}

/* --- ends ------------------------------------------------------------------------------------- */

static void test_client_cancels(void **state)
{
	(void)state;
	int32_t id = ask("GET", "/api", false);
	int32_t other = ask("GET", "/api", false);
	life_answer_head(&world.lives[0], 200, -1);
	life_send(&world.lives[0], "x", 1);
	talk();
	nghttp2_submit_rst_stream(client.session, 0, id, NGHTTP2_CANCEL);
	talk();
	assert_int_equal(world.lives[0].failures, 1);
	assert_string_equal(world.lives[0].failure, "the client cancelled");
	life_answer(&world.lives[1], 200, "x");
	talk();
	assert_true(heard(other)->has_end);
}

static void test_client_leaves(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 3; i++)
		ask("GET", "/api", false);
	life_answer_head(&world.lives[1], 200, -1);
	world.wire.events->on_error(world.wire.arg, "connection reset");
	assert_true(world.has_ended);
	assert_int_equal(world.how, SESSION_CUT);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(world.lives[i].failures, 1);
		assert_string_equal(world.lives[i].failure, "connection reset");
	}
	world_end_turn();
}

static void test_idle(void **state)
{
	(void)state;
	world.settings.proxy.limits.idle_timeout = duration_ms(200);
	ask("GET", "/api", false);
	world_wait(250);
	assert_false(world.has_ended);
	life_answer(last_life(), 200, "x");
	talk();
	world_wait(20);
	assert_false(world.has_ended);
	world_wait(250);
	carry_down();
	assert_true(world.has_ended);
	assert_int_equal(world.how, SESSION_POLITE);
	assert_int_equal(client.goaways, 1);
	assert_int_equal(client.goaway_code, NGHTTP2_NO_ERROR);
}

/* A notice first; requests on their way are served; then the last id, and the end with the last
 * answer. */
static void test_drain(void **state)
{
	(void)state;
	ask("GET", "/api", false);
	session_h2.drain(world.session.conversation);
	session_h2.drain(world.session.conversation);
	carry_down();
	assert_int_equal(client.goaways, 1);
	assert_int_equal(client.last_id, INT32_MAX);
	/* The head of one that was on its way. */
	static const uint8_t late[] = {
	    0, 0, 6, 1, 5, 0, 0, 0, 3, 0x82, 0x87, 0x84, 0x41, 0x01, 'h'};
	world_receive(late, sizeof late);
	assert_int_equal(world.count, 2);
	world_wait(1100);
	carry_down();
	assert_int_equal(client.goaways, 2);
	assert_int_equal(client.last_id, 3);
	life_answer(&world.lives[0], 200, "x");
	world_end_turn();
	assert_false(world.has_ended);
	life_answer(&world.lives[1], 200, "x");
	world_end_turn();
	assert_true(world.has_ended);
	assert_int_equal(world.how, SESSION_POLITE);
}

static void test_drain_of_an_idle_connection(void **state)
{
	(void)state;
	talk();
	session_h2.drain(world.session.conversation);
	world_wait(1100);
	world_end_turn();
	assert_true(world.has_ended);
	assert_int_equal(world.how, SESSION_POLITE);
}

static void test_client_says_goodbye(void **state)
{
	(void)state;
	int32_t id = ask("GET", "/api", false);
	nghttp2_submit_goaway(client.session, 0, 0, NGHTTP2_NO_ERROR, NULL, 0);
	talk();
	assert_false(world.has_ended);
	life_answer(last_life(), 200, "x");
	talk();
	assert_true(heard(id)->has_end);
	assert_true(world.has_ended);
	assert_int_equal(world.how, SESSION_POLITE);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    CASE(test_request_and_answer),
	    CASE(test_an_end_joins_its_body),
	    CASE(test_many_at_a_time),
	    CASE(test_answered_at_once),
	    CASE(test_answers_without_a_body),
	    CASE(test_an_answer_that_is_cut_looks_cut),
	    CASE(test_slow_reader),
	    CASE(test_slow_reader_when_tight),
	    CASE(test_many_window_updates_for_a_long_answer),
	    CASE(test_upload_waits_until_it_is_wanted),
	    CASE(test_upload_pauses),
	    CASE(test_answered_uploads_are_told_to_stop),
	    CASE(test_continue),
	    CASE(test_trailers_are_dropped),
	    CASE(test_trailers_of_answers_stay_never_indexed),
	    CASE(test_client_cancels),
	    CASE(test_client_leaves),
	    CASE(test_idle),
	    CASE(test_drain),
	    CASE(test_drain_of_an_idle_connection),
	    CASE(test_client_says_goodbye),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
