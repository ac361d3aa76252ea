/* The engine of HTTP/2 while its owner acts inside of events: resets the stream of the event or
 * another, ends the connection, asks anew with the memory of a request that is over. Whatever it
 * does, no event follows that must not, and nothing that is freed is touched. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/h2_stage.h"

static const char *const events[] = {"open", "begin", "field", "head", "body", "end", "close",
    "bad", "frame", "reset", "ask", "write", "trailers"};
#define EVENTS (sizeof events / sizeof events[0])

/* What the owner does in the event, each time or once. */
struct act {
	const char *event;
	void (*act)(struct stage *stage, struct stage_request *request);
	unsigned times, left;
};

static void on_event(struct stage *stage, const char *event, struct stage_request *request)
{
	struct act *act = stage->hook_arg;
	if (strcmp(event, act->event) != 0 || act->left == 0)
		return;
	act->left--;
	act->times++;
	act->act(stage, request);
}

static void reset_one(struct stage_request *request)
{
	if (request->is_over || request->h2.h2 == NULL)
		return;
	/* No event may follow: the stage sees to it. */
	request->is_over = true;
	h2_reset(&request->h2, H2_CANCEL);
}

static void reset_own(struct stage *stage, struct stage_request *request)
{
	if (request == NULL && stage->count > 0)
		request = stage->requests[stage->count - 1];
	if (request != NULL)
		reset_one(request);
}

static void reset_all(struct stage *stage, struct stage_request *request)
{
	(void)request;
	for (size_t i = 0; i < stage->count; i++)
		reset_one(stage->requests[i]);
}

static void reset_others(struct stage *stage, struct stage_request *request)
{
	for (size_t i = 0; i < stage->count; i++)
		if (stage->requests[i] != request)
			reset_one(stage->requests[i]);
}

/* Nothing at all may be told behind it. */
static void stop(struct stage *stage, struct stage_request *request)
{
	(void)request;
	h2_stop(&stage->h2);
	for (size_t i = 0; i < stage->count; i++)
		stage->requests[i]->is_over = true;
}

static void terminate(struct stage *stage, struct stage_request *request)
{
	(void)request;
	h2_terminate(&stage->h2, H2_ENHANCE_YOUR_CALM);
}

/* The memory serves another request at once, as upstream_h2 lends it. */
static void ask_again(struct stage *stage, struct stage_request *request)
{
	if (request == NULL || stage->h2.options.is_server || !h2_may_submit(&stage->h2))
		return;
	h2_reset(&request->h2, H2_CANCEL);
	buf_clear(&request->fields);
	request->is_over = request->is_last = request->has_trailers = false;
	request->to_send = 0;
	h2_submit(&stage->h2, &request->h2, false);
	struct buf *out = h2_head_open(&request->h2);
	buf_append(out, "\x82\x84\x87", 3);
	h2_head_close(&request->h2, false);
}

static void ask_more(struct stage *stage, struct stage_request *request)
{
	(void)request;
	if (!stage->h2.options.is_server && h2_may_submit(&stage->h2))
		stage_submit(stage, true, false);
}

static void answer_and_end(struct stage *stage, struct stage_request *request)
{
	if (!stage->h2.options.is_server || request == NULL || request->h2.h2 == NULL ||
	    request->is_over || request->h2.is_ended)
		return;
	buf_append(h2_head_open(&request->h2), "\x88", 1);
	h2_head_close(&request->h2, true);
}

static void consume(struct stage *stage, struct stage_request *request)
{
	if (request != NULL)
		h2_consume(&request->h2, 1);
	h2_ping(&stage->h2);
	h2_notice(&stage->h2);
}

static void (*const acts[])(struct stage *stage, struct stage_request *request) = {reset_own,
    reset_all, reset_others, stop, terminate, ask_again, ask_more, answer_and_end, consume};
#define ACTS (sizeof acts / sizeof acts[0])

static const char *const of_servers =
    "HEADERS/h 1 POST; DATA 1 x100; HEADERS/h 3 POST; DATA/p 3 #05 x10 z5; HEADERS/e 5 GET; "
    "CONTINUATION/h 5 [a: b, c: d]; PRIORITY 7 z5; HEADERS/h 7 GET [b: c, connection: close]; "
    "DATA/e 1 x10; HEADERS/eh 3 TRAILERS; HEADERS/h 9 [:path: /, :path: /]; "
    "HEADERS/eh 11 GET; HEADERS/h 13 POST; HEADERS/h 15 POST; WINDOW 13 =0; DATA 13 x1; RST 15 =8; "
    "HEADERS/h 17 [:method: POST, :scheme: https, :path: /, host: h, content-length: 1]; DATA 17 "
    "x2; "
    "HEADERS/h 19 POST; DATA 19 x20; DATA/e 19; DATA 19 x1; WINDOW 0 =10; GOAWAY 0 =0 =0; PING 0 "
    "z8";
static const char *const of_clients =
    "HEADERS/h 1 [:status: 103, a: b]; HEADERS/h 1 OK; DATA 1 x100; HEADERS/h 3 [:status: 200, a: "
    "b]; "
    "DATA/p 3 #05 x10 z5; DATA/e 1 x10; HEADERS/e 3 TRAILERS; CONTINUATION/h 3 [u: v]; "
    "HEADERS/eh 5 [:status: 204, a: b]; HEADERS/eh 7 [a: b]; WINDOW 9 =0; RST 11 =2; WINDOW 0 =1; "
    "HEADERS/h 13 [:status: 200, content-length: 1]; DATA 13 x2; SETTINGS 0 4:10 3:100; "
    "HEADERS/h 15 OK; DATA/e 15; GOAWAY 0 =17 =0; PING 0 z8";

static void go_on(struct stage *stage)
{
	size_t count = stage->count;
	for (size_t i = 0; i < count; i++) {
		struct stage_request *request = stage->requests[i];
		bool is_open = request->h2.h2 != NULL && !request->is_over && !request->h2.is_ended;
		if (!is_open)
			continue;
		if (stage->h2.options.is_server) {
			buf_append(h2_head_open(&request->h2), "\x88", 1);
			h2_head_close(&request->h2, false);
		}
		request->to_send += i == 0 ? 20000 : 1000;
		request->is_last = true;
		request->has_trailers = i % 2 == 0;
		h2_resume(&request->h2);
	}
	h2_flush(&stage->h2);
}

static unsigned run(bool is_server, struct act act, size_t piece, unsigned left)
{
	static struct stage stage;
	stage_open(&stage, is_server);
	if (!is_server) {
		stage_play(&stage, "SETTINGS 0 3:10");
		for (unsigned i = 0; i < 15; i++)
			stage_submit(&stage, i % 3 != 0, i == 2);
		h2_flush(&stage.h2);
	}
	act.left = left;
	stage.takes = true;
	stage.hook = on_event;
	stage.hook_arg = &act;
	stage.piece = piece;
	const char *script = is_server ? of_servers : of_clients;
	/* In two halves, with answers between them. */
	size_t half = (size_t)(strchr(script + strlen(script) / 2, ';') - script);
	char *first = strndup(script, half);
	stage_play(&stage, first);
	go_on(&stage);
	stage_play(&stage, script + half);
	go_on(&stage);
	free(first);
	bool is_over = act.act == stop || act.act == terminate;
	if (is_over && act.times > 0)
		assert_true(stage.h2.is_stopped || stage.h2.is_terminated);
	(void)stage_told(&stage);
	if (!stage.h2.is_stopped)
		(void)stage_said(&stage); /* whole frames */
	/* Exactly the streams that are open are counted. */
	size_t open = 0;
	for (size_t i = 0; i < stage.count; i++)
		open += stage.requests[i]->h2.h2 != NULL && !stage.requests[i]->h2.is_waiting;
	assert_int_equal(stage.h2.count, open);
	stage_close(&stage);
	return act.times;
}

static void test_each_act_in_each_event(void **state)
{
	(void)state;
	static const size_t pieces[] = {0, 1, 7};
	for (size_t e = 0; e < EVENTS; e++) {
		unsigned times = 0;
		for (size_t a = 0; a < ACTS; a++) {
			for (size_t p = 0; p < 3; p++) {
				struct act act = {.event = events[e], .act = acts[a]};
				times += run(true, act, pieces[p], UINT32_MAX);
				times += run(false, act, pieces[p], 40);
			}
		}
		/* Each event came. */
		if (times < ACTS)
			print_message("%s: %u\n", events[e], times);
		assert_true(times >= ACTS);
	}
}

/* Once, at each place where the event comes. */
static void test_each_act_at_each_place(void **state)
{
	(void)state;
	for (size_t e = 0; e < EVENTS; e++) {
		for (size_t a = 0; a < ACTS; a++) {
			struct act act = {.event = events[e], .act = acts[a]};
			unsigned times;
			for (unsigned left = 1; left < 15; left += 1 + left / 6) {
				times = run(true, act, 0, left) + run(false, act, 0, left);
				if (times < left)
					break;
			}
		}
	}
}

/* Behind stop nothing is told, behind terminate nothing is read. */
static void test_nothing_behind_the_end(void **state)
{
	(void)state;
	for (size_t e = 1; e < EVENTS; e++) {
		for (unsigned is_server = 0; is_server < 2; is_server++) {
			struct stage stage;
			struct act act = {.event = events[e], .act = terminate, .left = 1};
			stage_open(&stage, is_server);
			for (unsigned i = 0; i < 8 && !is_server; i++)
				stage_submit(&stage, false, false);
			stage_play(&stage, "");
			stage.hook = on_event;
			stage.hook_arg = &act;
			stage_play_on(&stage, is_server ? of_servers : of_clients);
			if (act.times == 0) {
				stage_close(&stage);
				continue;
			}
			(void)stage_told(&stage);
			stage_play(&stage, is_server ? of_servers : of_clients);
			assert_string_equal(stage_told(&stage), "");
			assert_true(h2_is_done(&stage.h2));
			stage_close(&stage);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_each_act_in_each_event),
	    cmocka_unit_test(test_each_act_at_each_place),
	    cmocka_unit_test(test_nothing_behind_the_end),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
