/* The engine of HTTP/2: windows both ways, whose turn it is, how much it queues (RFC 9113, 5.2 and
 * 6.9). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/h2_rows.h"
#include "tests/unit/h2_stage.h"

/* One step after the other, with what is said. */
struct step {
	const char *script, *said;
};

static void play_steps(struct stage *stage, const struct step *steps, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		stage_play(stage, steps[i].script);
		const char *said = stage_said(stage);
		if (strcmp(said, steps[i].said) != 0)
			print_message("%s: %s\n", steps[i].script, said);
		assert_string_equal(said, steps[i].said);
	}
}
#define PLAY(stage, steps) play_steps((stage), (steps), sizeof(steps) / sizeof(steps)[0])
#define OK(id)		   "HEADERS " #id " [:status: 200]"

/* --- what the peer lets us send -----------------------------------------------------------------
 */

static void test_a_window_of_nothing(void **state)
{
	(void)state;
	struct stage stage;
	stage_open(&stage, true);
	static const struct step steps[] = {
	    {"SETTINGS 0 4:0; HEADERS/eh 1 GET; >answer 1 200; >send/e 1 10", "SETTINGS/e; " OK(1)},
	    {"WINDOW 1 =1", "DATA 1 1"},
	    {"WINDOW 0 =1", ""},
	    {"WINDOW 1 =3; WINDOW 1 =2", "DATA 1 5"},
	    {"SETTINGS 0 4:1", "SETTINGS/e; DATA 1 1"},
	    {"SETTINGS 0 4:1", "SETTINGS/e"},
	    {"SETTINGS 0 4:100", "SETTINGS/e; DATA/e 1 3"},
	    {"HEADERS/eh 3 GET; >answer 2 200; >send/e 2 101", OK(3) "; DATA 3 100"},
	    {"WINDOW 3 =1", "DATA/e 3 1"},
	};
	PLAY(&stage, steps);
	stage_close(&stage);
}

/* An end needs no window. */
static void test_an_end_needs_no_window(void **state)
{
	(void)state;
	struct stage stage;
	stage_open(&stage, true);
	static const struct step steps[] = {
	    {"SETTINGS 0 4:0; HEADERS/eh 1 GET; >answer 1 200; >send/e 1 0",
		"SETTINGS/e; " OK(1) "; DATA/e 1 0"},
	    {"HEADERS/eh 3 GET; >answer 2 200; >trailers 2 0", OK(3) "; HEADERS/e 3 [t: v]"},
	    {"HEADERS/eh 5 GET; >answer 3 200; >trailers 3 1", OK(5)},
	    {"WINDOW 5 =9", "DATA 5 1; HEADERS/e 5 [t: v]"},
	};
	PLAY(&stage, steps);
	assert_int_equal(stage.h2.count, 0);
	stage_close(&stage);
}

/* The setting takes away what was given, down to below nothing. */
static void test_a_window_below_nothing(void **state)
{
	(void)state;
	struct stage stage;
	stage_open(&stage, true);
	static const struct step steps[] = {
	    {"HEADERS/eh 1 GET; >answer 1 200; >send 1 1000", OK(1) "; DATA 1 1000"},
	    {"SETTINGS 0 4:0; >send 1 10", "SETTINGS/e"}, /* -1,000 */
	    {"WINDOW 1 =1000", ""},
	    {"WINDOW 1 =1", "DATA 1 1"},
	    {"SETTINGS 0 4:65535; >flush; SETTINGS 0 4:0; >send 1 1",
		"SETTINGS/e; DATA 1 9; SETTINGS/e"},
	};
	PLAY(&stage, steps);
	assert_int_equal(stage.requests[0]->h2.credit, -9);
	stage_close(&stage);
}

/* The connection's window is one for all: they go on when it opens, each in its turn. */
static void test_the_connection_blocks(void **state)
{
	(void)state;
	struct stage stage;
	stage_open(&stage, true);
	stage_play(&stage, "HEADERS/eh 1 GET; >answer 1 200; >send/e 1 65535");
	(void)stage_said(&stage);
	static const struct step steps[] = {
	    {"HEADERS/eh 3 GET; HEADERS/eh 5 GET; HEADERS/eh 7 GET; >answer 2 200; >answer 3 200; "
	     ">answer 4 200; >send/e 2 10; >send 3 20; >send/e 4 0",
		OK(3) "; " OK(5) "; " OK(7) "; DATA/e 7 0"},
	    {"WINDOW 3 =100; WINDOW 5 =100", ""},
	    {"WINDOW 0 =5; >send 3 1", "DATA 3 5"},
	    {"RST 3 =8; WINDOW 0 =1", "DATA 5 1"},
	    {"WINDOW 0 =16384", "DATA 5 20"},
	    {">send/e 3 16400", "DATA 5 16364"},
	    {"WINDOW 0 =100", "DATA/e 5 36"},
	};
	PLAY(&stage, steps);
	assert_int_equal(stage.h2.credit, 64);
	assert_int_equal(stage.h2.count, 0);
	stage_close(&stage);
}

static void test_many_blocked_streams_go_on(void **state)
{
	(void)state;
	struct stage stage;
	stage_open(&stage, true);
	stage_play(&stage, "HEADERS/eh 1 GET; >answer 1 200; >send/e 1 65535");
	for (unsigned i = 2; i <= 100; i++) {
		char script[96];
		snprintf(script, sizeof script,
		    "HEADERS/eh %u GET; >answer %u 200; >send/e %u 1000", 2 * i - 1, i, i);
		stage_play(&stage, script);
	}
	assert_int_equal(stage.h2.count, 99);
	stage_play(&stage, "WINDOW 0 =98999");
	assert_int_equal(stage.h2.count, 1);
	stage_play(&stage, "WINDOW 0 =1");
	assert_int_equal(stage.h2.count, 0);
	stage_close(&stage);
}

/* A frame each, and what is full waits. */
static void test_round_robin(void **state)
{
	(void)state;
	struct stage stage;
	stage_open(&stage, true);
	static const struct step steps[] = {
	    {"HEADERS/eh 1 GET; HEADERS/eh 3 GET; HEADERS/eh 5 GET; >answer 1 200; >answer 2 200; "
	     ">answer 3 200; >send/e 1 40000; >send/e 2 10; >send/e 3 20000; >room 100",
		OK(1) "; " OK(3) "; " OK(5) "; DATA 1 16384"},
	    {"PING 0 z8", ""},
	    {">room 40", "PING/e 0000000000000000; DATA/e 3 10; DATA 5 16384"},
	    {">room 1; HEADERS/eh 7 GET; >answer 4 200; >send/e 4 1", OK(7) "; DATA 1 16384"},
	    {">room 100000", "DATA/e 5 3616; DATA/e 7 1; DATA/e 1 7232"},
	};
	PLAY(&stage, steps);
	stage_close(&stage);
}

/* --- what we let the peer send ------------------------------------------------------------------
 */

/* What is written at once is framed as what waits, and its end joins it while that is here. */
static void test_offers(void **state)
{
	(void)state;
	struct stage stage;
	stage_open(&stage, true);
	static const struct step steps[] = {
	    {"HEADERS/eh 1 GET; >answer 1 200; >offer/e 1 10", OK(1) "; DATA/e 1 10"},
	    {"HEADERS/eh 3 GET; >answer 2 200; >offer 2 10", OK(3) "; DATA 3 10"},
	    {">offer/e 2 0", "DATA/e 3 0"}, /* the other has left */
	    {"HEADERS/eh 5 GET; >answer 3 200; HEADERS/eh 7 GET; >answer 4 200; >offer/e 3 3; "
	     ">offer 4 2; >offer/e 4 1",
		OK(5) "; " OK(7) "; DATA/e 5 3; DATA 7 2; DATA/e 7 1"},
	    {"HEADERS/eh 9 GET; >answer 5 200; >offer 5 4; >trailers 5 0",
		OK(9) "; DATA 9 4; HEADERS/e 9 [t: v]"},
	    {"HEADERS/eh 11 GET; >answer 6 200; >offer/e 6 20000",
		OK(11) "; DATA 11 16384; DATA/e 11 3616"},
	    /* Beyond its window, and the connection's, of which 45497 bytes are left. */
	    {"SETTINGS 0 4:5; HEADERS/eh 13 GET; >answer 7 200; >offer/e 7 8",
		"SETTINGS/e; " OK(13) "; DATA 13 5"},
	    {"WINDOW 13 =3", "DATA/e 13 3"},
	    {"SETTINGS 0 4:65535; HEADERS/eh 15 GET; >answer 8 200; >offer/e 8 45498",
		"SETTINGS/e; " OK(15) "; DATA 15 16384; DATA 15 16384; DATA 15 12729"},
	    {"WINDOW 0 =1", "DATA/e 15 1"},
	    /* A transport that is full, and a stream that the peer gave up. */
	    {"WINDOW 0 =65535; HEADERS/eh 17 GET; >answer 9 200; >room 1; >offer/e 9 20000",
		OK(17) "; DATA 17 16384"},
	    {">room 100000", "DATA/e 17 3616"},
	    {"HEADERS/eh 19 GET; >answer 10 200; RST 19 =8; >offer/e 10 8", OK(19)},
	};
	PLAY(&stage, steps);
	assert_int_equal(stage.h2.count, 0);
	stage_close(&stage);
}

static void test_too_much(void **state)
{
	(void)state;
#define FOUR(id)                                                                                   \
	"DATA " #id " x16384; DATA " #id " x16384; DATA " #id " x16384; DATA " #id " x16383"
	static const struct h2_row rows[] = {
	    {"HEADERS/h 1 POST", FOUR(1), "body 1 65535", ""},
	    /* An empty frame, and what is padded away. */
	    {"HEADERS/h 1 POST; " FOUR(1), "DATA/e 1", "end 1", ""},
	    {"HEADERS/h 1 POST; " FOUR(1), "DATA/e 1 x1", "bad 0", "GOAWAY 1 FLOW_CONTROL_ERROR"},
	    {"HEADERS/h 1 POST; " FOUR(1), "DATA/ep 1 #00", "bad 0", "GOAWAY 1 FLOW_CONTROL_ERROR"},
	    {"HEADERS/h 1 POST; HEADERS/h 3 POST; " FOUR(1), "DATA/e 3 x1", "bad 0",
		"GOAWAY 3 FLOW_CONTROL_ERROR"},
	    /* The stream's alone. */
	    {"HEADERS/h 1 POST; >widen 0 100000; " FOUR(1), "DATA/e 1 x1",
		"bad 1; reset; close 1 FLOW_CONTROL_ERROR", "RST 1 FLOW_CONTROL_ERROR"},
	    {"HEADERS/h 1 POST; >widen 0 100000; >widen 1 65536; " FOUR(1), "DATA/e 1 x1",
		"body 1 65536; end 1", ""},
	    /* Credit of the connection alone does not help the stream. */
	    {"HEADERS/h 1 POST; " FOUR(1) "; >take 0 65535", "DATA/e 1 x1",
		"bad 1; reset; close 1 FLOW_CONTROL_ERROR", "RST 1 FLOW_CONTROL_ERROR"},
	    {"HEADERS/h 1 POST; " FOUR(1) "; >take 0 65535; >take 1 65535", "DATA/e 1 x1",
		"body 1 65536; end 1", ""},
	};
	H2_ROWS_RUN(true, rows);
}

/* Credit is given back by halves; less stays until more comes. */
static void test_credit_is_given_back(void **state)
{
	(void)state;
	struct stage stage;
	stage_open(&stage, true);
	static const struct step steps[] = {
	    {"HEADERS/h 1 POST; DATA 1 x16384; DATA 1 x16384; DATA 1 x16384", ""},
	    {">take 1 32766; >take 0 32766", ""}, {">take 1 1", "WINDOW 1 +32767"},
	    {">take 0 10", "WINDOW +32776"},
	    {"DATA/e 1 x16384; >take 1 32769; >take 0 32760", ""}, /* nothing more will come */
	};
	PLAY(&stage, steps);
	stage_close(&stage);
}

/* Beyond what the peer may know: what it is given is what it may send. */
static void test_widening(void **state)
{
	(void)state;
	struct stage stage;
	stage_open(&stage, true);
	static const struct step steps[] = {
	    {"HEADERS/h 1 POST; >widen 1 65535; >widen 1 10; >widen 0 65535", ""},
	    {">widen 1 100000; >widen 0 200000", "WINDOW 1 +34465; WINDOW +134465"},
	    {">widen 1 100001", "WINDOW 1 +1"},
	    {"RST 1 =8; >widen 0 200001", "WINDOW +1"},
	};
	PLAY(&stage, steps);
	h2_widen(&stage.requests[0]->h2, 300000);
	h2_consume(&stage.requests[0]->h2, 300000);
	stage_play(&stage, "");
	assert_string_equal(stage_said(&stage), "");
	stage_close(&stage);
}

static uint64_t sum_of_windows(struct stage *stage, unsigned id)
{
	uint64_t sum = 0;
	char start[32];
	if (id == 0)
		snprintf(start, sizeof start, "WINDOW +");
	else
		snprintf(start, sizeof start, "WINDOW %u +", id);
	const char *at = stage_said(stage);
	while ((at = strstr(at, start)) != NULL) {
		at += strlen(start);
		sum += strtoul(at, NULL, 10);
	}
	return sum;
}

/* Bodies, padding, what is dropped: all that came is given back, whatever became of its stream. */
static void test_credit_is_exact(void **state)
{
	(void)state;
	static const struct {
		const char *before, *frame;
		unsigned bytes; /* of the connection's window */
		bool takes;
	} rows[] = {
	    {"HEADERS/h 1 POST", "DATA 1 x16384", 16384, true},
	    {"HEADERS/h 1 POST", "DATA/p 1 #ff x1000 z255", 1256, true},
	    {"HEADERS/h 1 POST", "DATA/p 1 #ff z255", 256, false},
	    {"HEADERS/h 1 POST", "DATA/p 1 #00", 1, false},
	    {"HEADERS/h 1 POST; RST 1 =8", "DATA 1 x16384", 16384, false},
	    {"HEADERS/h 1 POST; RST 1 =8", "DATA/p 1 #10 x16367 z16", 16384, false},
	    {"HEADERS/h 1 POST; HEADERS/h 3 POST; HEADERS/h 3 POST", "DATA/ep 3 #10 x16367 z16",
		16384, false},
	    {"HEADERS/eh 3 GET", "DATA 1 x5", 5, false},
	    {">goaway; HEADERS/h 1 POST", "DATA 1 x16000", 16000, false},
	};
	static const size_t pieces[] = {0, 11, 500, 9000};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		for (size_t k = 0; k < sizeof pieces / sizeof pieces[0]; k++) {
			struct stage stage;
			stage_open(&stage, true);
			stage.takes = rows[i].takes;
			stage_play(&stage, rows[i].before);
			stage.piece = pieces[k];
			uint64_t sent = 0, given = 0;
			while (sent < 100000) {
				stage_play(&stage, rows[i].frame);
				sent += rows[i].bytes;
				given += sum_of_windows(&stage, 0);
				if (rows[i].bytes < 1000 && sent > 40000)
					break;
			}
			assert_true(stage.h2.has_said_goaway == (rows[i].before[0] == '>'));
			assert_true(given <= sent && sent - given < 32767);
			assert_int_equal(stage.h2.window.used, sent - given);
			assert_int_equal(stage.h2.window.consumed, sent - given);
			stage_close(&stage);
		}
	}
}

/* A stream that fails in the middle of a frame. */
static void test_a_frame_whose_stream_goes(void **state)
{
	(void)state;
	struct stage stage;
	for (size_t cut = 1; cut < 40; cut++) {
		static const uint8_t frame[] = "\0\0\x20\0\x09\0\0\0\1\x0a"
					       "abcdefghijklmnopqrstu\0\0\0\0\0\0\0\0\0\0";
		stage_open(&stage, true);
		stage_play(&stage, "HEADERS/h 1 POST");
		stage_hear(&stage, frame, cut);
		size_t body = cut > 10 ? (cut - 10 < 21 ? cut - 10 : 21) : 0;
		if (body > 0)
			stage_play(&stage, "");
		stage_request(&stage, 1)->is_over = true;
		h2_reset(&stage.requests[0]->h2, H2_CANCEL);
		stage_hear(&stage, frame + cut, 41 - cut);
		assert_int_equal(stage.requests[0]->received, body);
		assert_int_equal(stage.h2.window.used, 32);
		assert_int_equal(stage.h2.window.consumed, 32 - body);
		stage_play(&stage, "HEADERS/eh 3 GET");
		assert_non_null(strstr(stage_told(&stage), "head/e 2"));
		assert_string_equal(stage_said(&stage), "RST 1 CANCEL");
		stage_close(&stage);
	}
}

/* --- what it queues -----------------------------------------------------------------------------
 */

/* A peer that makes us answer and reads nothing. */
static void test_replies_are_bounded(void **state)
{
	(void)state;
	static const char *const makers[] = {"PING 0 z8", "SETTINGS 0", NULL /* bad heads */};
	for (size_t i = 0; i < sizeof makers / sizeof makers[0]; i++) {
		struct stage stage;
		stage_open(&stage, true);
		stage.room = 0;
		unsigned replies = 0;
		for (; replies < 2000 && !stage.is_refused; replies++) {
			char script[64];
			snprintf(script, sizeof script, "HEADERS/eh %u TRAILERS", 2 * replies + 1);
			stage_play(&stage, makers[i] != NULL ? makers[i] : script);
		}
		assert_int_equal(replies, 1001);
		assert_non_null(stage.h2.reason);
		assert_true(stage.h2.out.len < 40000);
		stage_close(&stage);
	}
}

/* One that reads is answered for ever. */
static void test_replies_that_are_read(void **state)
{
	(void)state;
	struct stage stage;
	stage_open(&stage, true);
	for (unsigned i = 0; i < 3000; i++) {
		stage_play_on(&stage, "PING 0 z8");
		if (i % 900 == 0)
			h2_flush(&stage.h2);
	}
	assert_false(stage.is_refused);
	stage_close(&stage);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_window_of_nothing),
	    cmocka_unit_test(test_an_end_needs_no_window),
	    cmocka_unit_test(test_a_window_below_nothing),
	    cmocka_unit_test(test_the_connection_blocks),
	    cmocka_unit_test(test_many_blocked_streams_go_on),
	    cmocka_unit_test(test_round_robin),
	    cmocka_unit_test(test_offers),
	    cmocka_unit_test(test_too_much),
	    cmocka_unit_test(test_credit_is_given_back),
	    cmocka_unit_test(test_widening),
	    cmocka_unit_test(test_credit_is_exact),
	    cmocka_unit_test(test_a_frame_whose_stream_goes),
	    cmocka_unit_test(test_replies_are_bounded),
	    cmocka_unit_test(test_replies_that_are_read),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
