/* The engine of HTTP/2: every frame in every state of a stream (RFC 9113, 5.1), for both ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/h2_rows.h"
#include "tests/unit/h2_stage.h"

enum { DATA, HEADERS, PRIORITY, RST, PROMISE, WINDOW, CONTINUATION, UNKNOWN, FRAMES };

static const char *const frames[FRAMES] = {"DATA/e 1 x3", "HEADERS/eh 1 TRAILERS", "PRIORITY 1 z5",
    "RST 1 =8", "PROMISE/h 1 =2 GET", "WINDOW 1 =1", "CONTINUATION/h 1 TRAILERS", "t32/eh 1 x3"};

struct outcome {
	const char *told, *said;
};

struct state_row {
	const char *before;
	struct outcome outcomes[FRAMES];
};

/* As a row: NULL in it is "". */
static void run(bool is_server, const struct state_row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		for (size_t k = 0; k < FRAMES; k++) {
			const struct outcome *outcome = &rows[i].outcomes[k];
			const struct h2_row row = {rows[i].before, frames[k],
			    outcome->told != NULL ? outcome->told : "",
			    outcome->said != NULL ? outcome->said : ""};
			h2_rows_run(is_server, &row, 1);
		}
	}
}

#define DIES(last)                                                                                 \
	{                                                                                          \
		"bad 0", "GOAWAY " #last " PROTOCOL_ERROR"                                         \
	}
#define RESET(code)                                                                                \
	{                                                                                          \
		"bad 1; reset; close 1 " code, "RST 1 " code                                       \
	}

#define CLOSED                                                                                     \
	{                                                                                          \
		[HEADERS] = {"stray"}, [PROMISE] = DIES(1), [CONTINUATION] = DIES(1)               \
	}

static void test_server(void **state)
{
	(void)state;
	static const struct state_row rows[] = {
	    /* Idle: a head opens it, and this one is no request's. */
	    {"",
		{
		    [DATA] = DIES(0),
		    [HEADERS] = RESET("PROTOCOL_ERROR"),
		    [RST] = DIES(0),
		    [PROMISE] = DIES(0),
		    [WINDOW] = DIES(0),
		    [CONTINUATION] = DIES(0),
		}},
	    /* Open. */
	    {"HEADERS/h 1 POST",
		{
		    [DATA] = {"body 1 3; end 1"},
		    [HEADERS] = {"end 1"},
		    [RST] = {"close 1 CANCEL"},
		    [PROMISE] = DIES(1),
		    [CONTINUATION] = DIES(1),
		}},
	    /* Open, and an answer has begun. */
	    {"HEADERS/h 1 POST; >answer 1 200; >send 1 10",
		{
		    [DATA] = {"body 1 3; end 1"},
		    [HEADERS] = {"end 1"},
		    [RST] = {"close 1 CANCEL"},
		    [PROMISE] = DIES(1),
		    [CONTINUATION] = DIES(1),
		}},
	    /* Half-closed (remote). */
	    {"HEADERS/eh 1 GET",
		{
		    [DATA] = RESET("STREAM_CLOSED"),
		    [HEADERS] = RESET("STREAM_CLOSED"),
		    [RST] = {"close 1 CANCEL"},
		    [PROMISE] = DIES(1),
		    [CONTINUATION] = DIES(1),
		}},
	    {"HEADERS/h 1 POST; DATA/e 1 x1; >answer 1 200",
		{
		    [DATA] = RESET("STREAM_CLOSED"),
		    [HEADERS] = RESET("STREAM_CLOSED"),
		    [RST] = {"close 1 CANCEL"},
		    [PROMISE] = DIES(1),
		    [CONTINUATION] = DIES(1),
		}},
	    /* Closed by both, by the client, by us, by an answer that did not wait: what is on its
	     * way is ignored, and heads are counted. */
	    {"HEADERS/eh 1 GET; >answer/e 1 200", CLOSED},
	    {"HEADERS/h 1 POST; RST 1 =8", CLOSED},
	    {"HEADERS/h 1 POST; >reset 1 8", CLOSED},
	    {"HEADERS/h 1 POST; >answer/e 1 200", CLOSED},
	    {"HEADERS/h 1 POST; HEADERS/h 1 POST", CLOSED},
	    /* Closed without having been used (5.1.1). */
	    {"HEADERS/eh 3 GET",
		{[HEADERS] = DIES(3), [PROMISE] = DIES(3), [CONTINUATION] = DIES(3)}},
	};
	run(true, rows, sizeof rows / sizeof rows[0]);
}

static void test_client(void **state)
{
	(void)state;
	static const struct state_row rows[] = {
	    /* Idle. */
	    {"",
		{
		    [DATA] = DIES(0),
		    [HEADERS] = DIES(0),
		    [RST] = DIES(0),
		    [PROMISE] = DIES(0),
		    [WINDOW] = DIES(0),
		    [CONTINUATION] = DIES(0),
		}},
	    /* Open. */
	    {">submit",
		{
		    [DATA] = RESET("PROTOCOL_ERROR"),
		    [HEADERS] = {"begin 1; bad 1; reset; close 1 PROTOCOL_ERROR",
			"RST 1 PROTOCOL_ERROR"},
		    [RST] = {"close 1 CANCEL"},
		    [PROMISE] = DIES(0),
		    [CONTINUATION] = DIES(0),
		}},
	    /* Half-closed (local). */
	    {">submit/e",
		{
		    [DATA] = RESET("PROTOCOL_ERROR"),
		    [HEADERS] = {"begin 1; bad 1; reset; close 1 PROTOCOL_ERROR",
			"RST 1 PROTOCOL_ERROR"},
		    [RST] = {"close 1 CANCEL"},
		    [PROMISE] = DIES(0),
		    [CONTINUATION] = DIES(0),
		}},
	    /* With an interim answer it is as before. */
	    {">submit; HEADERS/h 1 [:status: 100]",
		{
		    [DATA] = RESET("PROTOCOL_ERROR"),
		    [HEADERS] = {"begin 1; bad 1; reset; close 1 PROTOCOL_ERROR",
			"RST 1 PROTOCOL_ERROR"},
		    [RST] = {"close 1 CANCEL"},
		    [PROMISE] = DIES(0),
		    [CONTINUATION] = DIES(0),
		}},
	};
	run(false, rows, sizeof rows / sizeof rows[0]);
}

/* An answer has begun, or is over. */
static void test_client_that_is_answered(void **state)
{
	(void)state;
	static const struct state_row rows[] = {
	    /* With a head. */
	    {">submit; HEADERS/h 1 OK",
		{
		    [DATA] = {"body 1 3; end 1"},
		    [HEADERS] = {"end 1"},
		    [RST] = {"close 1 CANCEL"},
		    [PROMISE] = DIES(0),
		    [CONTINUATION] = DIES(0),
		}},
	    {">submit/e; HEADERS/h 1 OK",
		{
		    [DATA] = {"body 1 3; end 1; close 1 NO_ERROR"},
		    [HEADERS] = {"end 1; close 1 NO_ERROR"},
		    [RST] = {"close 1 CANCEL"},
		    [PROMISE] = DIES(0),
		    [CONTINUATION] = DIES(0),
		}},
	    /* Half-closed (remote). */
	    {">submit; HEADERS/eh 1 OK",
		{
		    [DATA] = RESET("STREAM_CLOSED"),
		    [HEADERS] = RESET("STREAM_CLOSED"),
		    [RST] = {"close 1 CANCEL"},
		    [PROMISE] = DIES(0),
		    [CONTINUATION] = DIES(0),
		}},
	    /* Closed by both, by us, by the server. */
	    {">submit/e; HEADERS/eh 1 OK", {[PROMISE] = DIES(0), [CONTINUATION] = DIES(0)}},
	    {">submit; >reset 1 8", {[PROMISE] = DIES(0), [CONTINUATION] = DIES(0)}},
	    {">submit; RST 1 =8", {[PROMISE] = DIES(0), [CONTINUATION] = DIES(0)}},
	};
	run(false, rows, sizeof rows / sizeof rows[0]);
}

/* Beyond our GOAWAY nothing is served, and it is no error. */
static void test_behind_a_goaway(void **state)
{
	(void)state;
	static const char *const late[] = {"DATA/e 3 x3", "HEADERS/eh 3 TRAILERS", "PRIORITY 3 z5",
	    "RST 3 =8", "WINDOW 3 =1", "t32/eh 3 x3"};
	for (size_t i = 0; i < sizeof late / sizeof late[0]; i++) {
		struct stage stage;
		stage_open(&stage, true);
		stage_play(&stage, "HEADERS/eh 1 GET; >goaway; HEADERS/h 3 POST; DATA 3 x5");
		assert_string_equal(stage_told(&stage), "head/e 1; stray");
		assert_string_equal(stage_said(&stage), "GOAWAY 1 NO_ERROR");
		stage_play(&stage, late[i]);
		assert_string_equal(
		    stage_told(&stage), strstr(late[i], "HEADERS") != NULL ? "stray" : "");
		assert_string_equal(stage_said(&stage), "");
		stage_play(&stage, ">answer/e 1 200");
		assert_string_equal(stage_said(&stage), "HEADERS/e 1 [:status: 200]");
		assert_true(h2_is_done(&stage.h2));
		stage_close(&stage);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_server),
	    cmocka_unit_test(test_client),
	    cmocka_unit_test(test_client_that_is_answered),
	    cmocka_unit_test(test_behind_a_goaway),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
