/* The engine of HTTP/2 at the client's end: requests that wait, what was sent, GOAWAY (RFC 9113,
 * 5.1.2 and 6.8). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/h2_stage.h"

#define ASKS(id)    "HEADERS/e " #id " [:method: GET, :path: /]"
#define ASKS_ON(id) "HEADERS " #id " [:method: GET, :path: /]"
#define ANSWERED(n) "begin " #n "; head/e " #n "; close " #n " NO_ERROR"

static struct stage stage;

static void play(const char *script, const char *told, const char *said)
{
	stage_play(&stage, script);
	const char *was_told = stage_told(&stage), *was_said = stage_said(&stage);
	if (strcmp(was_told, told) != 0 || strcmp(was_said, said) != 0)
		print_message("%s: %s | %s\n", script, was_told, was_said);
	assert_string_equal(was_told, told);
	assert_string_equal(was_said, said);
}

static bool is_sent(unsigned number)
{
	return h2_is_sent(&stage_request(&stage, number)->h2);
}

static void open_unreached(void)
{
	stage_open_with(&stage, &(struct h2_options){.stream_window = 65535,
				    .connection_window = 65535,
				    .header_list_max = 65536,
				    .continuations_max = 5});
}

/* --- waiting ------------------------------------------------------------------------------------
 */

static void test_before_the_server_is_reached(void **state)
{
	(void)state;
	open_unreached();
	play(">submit; >submit/e; >submit/e; >send 1 3; >reset 2 8; >submit/e", "", "");
	assert_int_equal(stage.h2.count, 0);
	assert_false(is_sent(1) || is_sent(2) || is_sent(3));
	play(">start", "", "SETTINGS; " ASKS_ON(1) "; " ASKS(3) "; " ASKS(5) "; DATA 1 3");
	assert_true(is_sent(1) && !is_sent(2) && is_sent(3) && is_sent(4));
	play("SETTINGS 0; HEADERS/eh 3 OK; >send/e 1 1", ANSWERED(3), "SETTINGS/e; DATA/e 1 1");
	stage_close(&stage);
}

/* A hundred until the server says what it allows, in order. */
static void test_before_its_settings(void **state)
{
	(void)state;
	open_unreached();
	stage_play(&stage, ">start");
	for (unsigned i = 0; i < 103; i++)
		stage_play_on(&stage, ">submit/e");
	stage_play(&stage, "");
	(void)stage_said(&stage);
	assert_int_equal(stage.h2.count, 100);
	assert_true(is_sent(100) && !is_sent(101));
	play("SETTINGS 0 3:101", "", "SETTINGS/e; " ASKS(201));
	play("SETTINGS 0 1:4096", "", "SETTINGS/e"); /* says nothing about it */
	play("HEADERS/eh 1 OK", ANSWERED(1), ASKS(203));
	play("RST 3 =8; SETTINGS 0 3:1000", "close 2 CANCEL", "SETTINGS/e; " ASKS(205));
	stage_close(&stage);
	/* No limit if the first ones name none. */
	open_unreached();
	stage_play(&stage, ">start");
	for (unsigned i = 0; i < 500; i++)
		stage_play_on(&stage, ">submit/e");
	stage_play(&stage, "SETTINGS 0 4:1000");
	assert_int_equal(stage.h2.count, 500);
	assert_int_equal(h2_peer_streams_max(&stage.h2), UINT32_MAX);
	stage_close(&stage);
}

static void test_beyond_the_limit(void **state)
{
	(void)state;
	stage_open(&stage, false);
	play("SETTINGS 0 3:2; >submit; >submit/e; >submit; >submit/e; >submit/e; >send/e 3 7", "",
	    "SETTINGS/e; " ASKS_ON(1) "; " ASKS(3));
	play(">reset 4 8", "", ""); /* it waits: nobody hears of it */
	assert_false(is_sent(4));
	play("SETTINGS 0 3:0; HEADERS/eh 3 OK", ANSWERED(2), "SETTINGS/e");
	play("SETTINGS 0 3:1", "", "SETTINGS/e"); /* one is there */
	play("SETTINGS 0 3:2", "", "SETTINGS/e; " ASKS_ON(5) "; DATA/e 5 7");
	/* One that is new does not overtake. */
	play(">reset 1 8; >submit/e", "reset", "RST 1 CANCEL; " ASKS(7));
	assert_true(is_sent(5) && !is_sent(6));
	play("HEADERS/eh 5 OK; HEADERS/eh 7 OK", ANSWERED(3) "; " ANSWERED(5), ASKS(9));
	assert_int_equal(stage.h2.count, 1);
	stage_close(&stage);
}

/* The one that makes way ends in the middle of a flush. */
static void test_one_ends_while_it_is_written(void **state)
{
	(void)state;
	stage_open(&stage, false);
	play("SETTINGS 0 3:1; >submit; >submit/e", "", "SETTINGS/e; " ASKS_ON(1));
	play("HEADERS/eh 1 OK", "begin 1; head/e 1", "");
	play(">send/e 1 3", "close 1 NO_ERROR", "DATA/e 1 3; " ASKS(3));
	stage_close(&stage);
}

/* --- what was sent ------------------------------------------------------------------------------
 */

static void test_is_sent(void **state)
{
	(void)state;
	stage_open(&stage, false);
	stage.room = 0;
	play(">submit/e; >submit; >submit/e", "", "");
	assert_false(is_sent(1) || is_sent(2) || is_sent(3));
	play(">reset 3 8", "", ""); /* it has not begun */
	assert_false(is_sent(3));
	stage.room = 1;
	stage_play(&stage, "");
	assert_true(is_sent(1) && is_sent(2) && !is_sent(3));
	stage.room = 0;
	stage_play(&stage, ">submit/e; >trailers 2 0");
	assert_true(is_sent(1) && is_sent(2) && !is_sent(4));
	stage.room = 2;
	stage_play(&stage, "");
	assert_true(is_sent(2) && is_sent(4));
	play("RST 1 =8; HEADERS/eh 3 OK; >reset 4 8; >room 1000",
	    "close 1 CANCEL; begin 2; head/e 2; close 2 NO_ERROR; reset",
	    ASKS(1) "; " ASKS_ON(3) "; " ASKS(5) "; HEADERS/e 3 [t: v]; RST 5 CANCEL");
	assert_true(is_sent(1) && is_sent(2) && is_sent(4));
	stage_close(&stage);
}

/* An owner that is content is not counted. */
static void test_resets_without_an_error(void **state)
{
	(void)state;
	stage_open(&stage, false);
	play(">submit; >submit; >reset 1 0; >reset 2 8", "reset",
	    ASKS_ON(1) "; " ASKS_ON(3) "; RST 1 NO_ERROR; RST 3 CANCEL");
	stage_close(&stage);
}

/* Trailers that wait for the transport do not unsay the head. */
static void test_trailers_and_is_sent(void **state)
{
	(void)state;
	stage_open(&stage, false);
	stage_play(&stage, ">submit");
	assert_true(is_sent(1));
	stage.room = 1;
	stage_play(&stage, ">trailers 1 5");
	assert_true(is_sent(1));
	assert_string_equal(stage_said(&stage), ASKS_ON(1) "; DATA 1 5");
	h2_reset(&stage.requests[0]->h2, H2_CANCEL);
	assert_true(is_sent(1));
	stage_close(&stage);
}

/* --- GOAWAY -------------------------------------------------------------------------------------
 */

static void test_goaway(void **state)
{
	(void)state;
	stage_open(&stage, false);
	play("SETTINGS 0 3:3; >submit/e; >submit/e; >submit/e; >submit/e; >submit/e", "",
	    "SETTINGS/e; " ASKS(1) "; " ASKS(3) "; " ASKS(5));
	assert_true(h2_may_submit(&stage.h2));
	play("GOAWAY 0 =3 =0",
	    "close 3 REFUSED_STREAM; close 4 REFUSED_STREAM; close 5 REFUSED_STREAM", "");
	assert_false(h2_may_submit(&stage.h2) || h2_is_done(&stage.h2));
	assert_true(is_sent(3) && !is_sent(4) && !is_sent(5));
	play("HEADERS/eh 1 OK", ANSWERED(1), "");
	play("GOAWAY 0 =1 =0", "close 2 REFUSED_STREAM", "");
	assert_true(h2_is_done(&stage.h2));
	stage_close(&stage);
}

/* First a notice: what is under way is served, what waits goes elsewhere (6.8). */
static void test_goaway_after_a_notice(void **state)
{
	(void)state;
	stage_open(&stage, false);
	play("SETTINGS 0 3:1; >submit/e; >submit/e", "", "SETTINGS/e; " ASKS(1));
	play("GOAWAY 0 =0x7fffffff =0", "close 2 REFUSED_STREAM", "");
	assert_false(h2_may_submit(&stage.h2));
	play("SETTINGS 0 3:5; >submit/e; >reset 3 8", "", "SETTINGS/e"); /* never sent */
	play(">submit/e", "", "");
	h2_reset(&stage.requests[3]->h2, H2_CANCEL);
	play("GOAWAY 0 =0x80000001 =0; HEADERS/h 1 OK", "begin 1; head 1", "");
	assert_false(h2_is_done(&stage.h2));
	play("DATA/e 1 x1", "body 1 1; end 1; close 1 NO_ERROR", "");
	assert_true(h2_is_done(&stage.h2));
	stage_close(&stage);
}

static void test_goaway_with_an_error(void **state)
{
	(void)state;
	stage_open(&stage, false);
	play(">submit/e; >submit; >send 2 3", "", ASKS(1) "; " ASKS_ON(3) "; DATA 3 3");
	play("GOAWAY 0 =0 =11 x50", "close 1 REFUSED_STREAM; close 2 REFUSED_STREAM", "");
	assert_true(h2_is_done(&stage.h2));
	stage_close(&stage);
}

/* What a server says. */
static void test_goaway_of_servers(void **state)
{
	(void)state;
	stage_open(&stage, true);
	play("HEADERS/eh 1 GET; >notice; HEADERS/eh 3 GET; >goaway; HEADERS/eh 5 GET; >goaway; "
	     ">notice",
	    "head/e 1; head/e 2; stray", "GOAWAY 2147483647 NO_ERROR; GOAWAY 3 NO_ERROR");
	assert_false(h2_is_done(&stage.h2));
	play("DATA 5 x1; PING 0 z8; >answer/e 1 200", "close 1 NO_ERROR",
	    "PING/e 0000000000000000; HEADERS/e 1 [:status: 200]");
	assert_false(h2_is_done(&stage.h2));
	/* The last stream does not grow. */
	play("WINDOW 0 =0", "bad 0", "GOAWAY 3 PROTOCOL_ERROR");
	assert_true(h2_is_done(&stage.h2));
	stage_close(&stage);
	stage_open(&stage, true);
	stage.room = 0;
	stage_play(&stage, ">goaway");
	assert_false(h2_is_done(&stage.h2)); /* it has not left */
	stage.room = 100;
	play("", "", "GOAWAY 0 NO_ERROR");
	assert_true(h2_is_done(&stage.h2));
	stage_close(&stage);
	/* The client goes: what it asked for is answered. */
	stage_open(&stage, true);
	play("HEADERS/eh 1 GET; GOAWAY 0 =0 =0; HEADERS/eh 3 GET", "head/e 1; head/e 2", "");
	assert_false(h2_is_done(&stage.h2));
	play(">answer/e 1 200; >answer/e 2 200", "close 1 NO_ERROR; close 2 NO_ERROR",
	    "HEADERS/e 1 [:status: 200]; HEADERS/e 3 [:status: 200]");
	assert_true(h2_is_done(&stage.h2));
	stage_close(&stage);
}

/* Said once, with the first code; nothing is heard or sent behind it. */
static void test_terminate(void **state)
{
	(void)state;
	stage_open(&stage, true);
	play("HEADERS/eh 1 GET; >answer 1 200; >send 1 5; >terminate 11; >terminate 1; HEADERS/eh "
	     "3 GET; "
	     ">goaway; >notice",
	    "head/e 1", "HEADERS 1 [:status: 200]; GOAWAY 1 ENHANCE_YOUR_CALM");
	assert_true(h2_is_done(&stage.h2));
	play("PING 0 z8; RST 1 =8", "", "");
	stage_close(&stage);
}

/* --- identifiers --------------------------------------------------------------------------------
 */

/* The last ones are for what waits already. */
static void test_identifiers_run_out(void **state)
{
	(void)state;
	stage_open(&stage, false);
	stage.h2.highest = 0x7fffffff - 8192 - 2;
	assert_true(h2_may_submit(&stage.h2));
	play(">submit/e", "", ASKS(2147475455));
	assert_false(h2_may_submit(&stage.h2));
	stage.h2.highest = 0x7ffffffb;
	play(">submit/e; >submit/e; >submit/e", "", ASKS(2147483645) "; " ASKS(2147483647));
	assert_int_equal(stage.h2.count, 3);
	play("HEADERS/eh 2147483647 OK", ANSWERED(3), "");
	stage_close(&stage);
	/* A client's. */
	stage_open(&stage, true);
	play(
	    "HEADERS/eh 2147483645 GET; HEADERS/eh 2147483647 GET; HEADERS/eh 2147483647 TRAILERS; "
	    "DATA 2147483641 x1",
	    "head/e 1; head/e 2; bad 2; reset; close 2 STREAM_CLOSED",
	    "RST 2147483647 STREAM_CLOSED");
	play("HEADERS/eh 2147483641 GET", "bad 0", "GOAWAY 2147483647 PROTOCOL_ERROR");
	stage_close(&stage);
}

static void test_ping(void **state)
{
	(void)state;
	stage_open(&stage, false);
	play(">ping", "", "PING 0000000000000000");
	play("PING/e 0 z8", "", "");
	stage_close(&stage);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_before_the_server_is_reached),
	    cmocka_unit_test(test_before_its_settings),
	    cmocka_unit_test(test_beyond_the_limit),
	    cmocka_unit_test(test_one_ends_while_it_is_written),
	    cmocka_unit_test(test_is_sent),
	    cmocka_unit_test(test_resets_without_an_error),
	    cmocka_unit_test(test_trailers_and_is_sent),
	    cmocka_unit_test(test_goaway),
	    cmocka_unit_test(test_goaway_after_a_notice),
	    cmocka_unit_test(test_goaway_with_an_error),
	    cmocka_unit_test(test_goaway_of_servers),
	    cmocka_unit_test(test_terminate),
	    cmocka_unit_test(test_identifiers_run_out),
	    cmocka_unit_test(test_ping),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
