/* HTTP/2 clients that mean harm, frame by frame: what they make the proxy hold, and what they make
 * it do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "common/buf.h"
#include "kubeproxyd/http/h2_frame.h"
#include "tests/unit/session_h2_talk.h"

/* :method GET, :scheme https, :path /, :authority h */
#define HEAD_OF_GET "\x82\x87\x84\x01\x01h"
/* The same for HEAD. */
#define HEAD_OF_HEAD "\x02\x04HEAD\x87\x84\x01\x01h"

static void put_frame(struct buf *out, const struct h2_frame *frame, const void *payload)
{
	uint8_t header[H2_FRAME_HEADER];
	h2_frame_write(header, frame);
	buf_append(out, header, sizeof header);
	buf_append(out, payload, frame->len);
}

static void put_head(struct buf *out, uint32_t id, const char *block, uint8_t flags)
{
	struct h2_frame frame = {
	    .len = (uint32_t)strlen(block), .type = H2_HEADERS, .flags = flags, .id = id};
	put_frame(out, &frame, block);
}

static void send_all(struct buf *out)
{
	world_receive(out->data, out->len);
	buf_free(out);
}

/* --- heads that come slowly --------------------------------------------------------------------
 */

#define WHOLE (H2_END_STREAM | H2_END_HEADERS)

/* The end of one head and the beginning of the next, always together. */
static void go_on_with_heads(unsigned count, long pause_ms)
{
	for (unsigned i = 0; i < count; i++) {
		struct buf bytes = {0};
		put_frame(&bytes,
		    &(struct h2_frame){.type = H2_CONTINUATION, .flags = 4, .id = 2 * i + 3}, "");
		put_head(&bytes, 2 * i + 5, HEAD_OF_GET, H2_END_STREAM);
		send_all(&bytes);
		world_wait(pause_ms);
	}
}

static void begin_a_head(void)
{
	assert_int_equal(ask("GET", "/api", false), 1);
	struct buf bytes = {0};
	put_head(&bytes, 3, HEAD_OF_GET, H2_END_STREAM);
	send_all(&bytes);
}

/* Each has the time that a head has. */
static void test_heads_behind_each_other(void **state)
{
	(void)state;
	world.settings.proxy.limits.header_timeout = duration_ms(300);
	begin_a_head();
	go_on_with_heads(5, 100);
	assert_false(world.has_ended);
	assert_int_equal(world.count, 6);
}

/* It has no more than that because another was complete when it began. */
static void test_a_head_that_stalls_behind_another(void **state)
{
	(void)state;
	assert_int_equal(ask("GET", "/api", false), 1);
	life_answer(last_life(), 200, "ok");
	talk();
	struct buf bytes = {0};
	world.settings.proxy.limits.header_timeout = duration_ms(40);
	put_head(&bytes, 3, HEAD_OF_GET, H2_END_STREAM);
	send_all(&bytes);
	go_on_with_heads(1, 0);
	world_wait(100);
	assert_true(world.has_ended);
	assert_int_equal(world.bad_status, 408);
}

/* --- what is held ------------------------------------------------------------------------------
 */

/* A head is kept until it is whole: no more of it than could be a head. */
static void test_a_head_without_end(void **state)
{
	(void)state;
	static const char zeros[H2_FRAME_PAYLOAD_MAX];
	struct buf bytes = {0};
	assert_int_equal(ask("GET", "/api", false), 1);
	put_head(&bytes, 3, HEAD_OF_GET, H2_END_STREAM);
	for (unsigned i = 0; i < 6; i++)
		put_frame(&bytes,
		    &(struct h2_frame){.len = sizeof zeros, .type = H2_CONTINUATION, .id = 3},
		    zeros);
	send_all(&bytes);
	carry_down();
	assert_true(world.has_ended);
	assert_int_equal(client.goaway_code, NGHTTP2_ENHANCE_YOUR_CALM);
}

static void answer_with_a_large_head(struct life *life)
{
	static char value[8000];
	struct http_head head = {.status = 200, .body = HTTP_BODY_LENGTH, .content_length = 1};
	memset(value, 'v', sizeof value - 1);
	fields_add_text(&head.fields, "A", value);
	(void)!life->client.verbs->send_head(life->client.object, &head);
	http_head_free(&head);
}

/* Heads of answers to requests that the client gives up, while it reads nothing. */
static void test_answers_that_are_not_read(void **state)
{
	static const uint8_t cancel[4] = {0, 0, 0, 8};
	(void)state;
	world.settings.proxy.limits.streams = 1;
	world.settings.proxy.limits.resets = 100000;
	assert_int_equal(ask("GET", "/api", false), 1);
	life_answer(last_life(), 200, "ok");
	world.wire.high_mark = 0;
	uint32_t id = 3;
	for (; id < 2000 && !world.has_ended; id += 2) {
		struct buf bytes = {0};
		put_head(&bytes, id, HEAD_OF_HEAD, WHOLE);
		send_all(&bytes);
		if (world.has_ended)
			break;
		answer_with_a_large_head(last_life());
		put_frame(
		    &bytes, &(struct h2_frame){.len = 4, .type = H2_RST_STREAM, .id = id}, cancel);
		send_all(&bytes);
	}
	assert_true(world.has_ended);
	assert_true(id > 100 && id < 2 * 1024);
}

/* --- what is done ------------------------------------------------------------------------------
 */

#define MANY 1900

/* Windows of many streams that are changed again and again. */
static void test_windows_that_change(void **state)
{
	enum { SETTINGS = 32 };
	struct buf bytes = {0};
	uint8_t payload[SETTINGS * 6] = {0};
	(void)state;
	world.settings.proxy.limits.streams = 2 * MANY;
	world_become_stranger();
	world.session.caller.is_known = true;
	reopen(&(struct h2_end_options){0});
	assert_int_equal(ask("GET", "/api", false), 1);
	for (uint32_t i = 1; i < MANY; i++)
		put_head(&bytes, 2 * i + 1, HEAD_OF_GET, WHOLE);
	send_all(&bytes);
	assert_int_equal(world.count, MANY);
	for (unsigned i = 0; i < SETTINGS; i++) {
		payload[6 * i + 1] = H2_INITIAL_WINDOW_SIZE;
		payload[6 * i + 4] = (uint8_t)(i & 1);
	}
	struct h2_frame frame = {.len = sizeof payload, .type = H2_SETTINGS};
	for (unsigned i = 0; i < 10; i++)
		put_frame(&bytes, &frame, payload);
	clock_t before = clock();
	send_all(&bytes);
	assert_false(world.has_ended);
	assert_true(clock() - before < CLOCKS_PER_SEC);
}

#define CASE(fn) cmocka_unit_test_setup_teardown(fn, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    CASE(test_heads_behind_each_other),
	    CASE(test_a_head_that_stalls_behind_another),
	    CASE(test_a_head_without_end),
	    CASE(test_answers_that_are_not_read),
	    CASE(test_windows_that_change),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
