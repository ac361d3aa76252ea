/* The engine of HTTP/2, frame by frame: what is wrong with one, with which code that ends its
 * stream or the connection, and what is ignored (RFC 9113, 3.4 to 7; RFC 7541). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/h2_rows.h"
#include "tests/unit/h2_stage.h"

#define BAD(code)     "bad 1; reset; close 1 " code
#define OPEN	      "HEADERS/h 1 POST"
#define DIES(n, code) "GOAWAY " #n " " code

/* --- the beginning (3.4) ------------------------------------------------------------------------
 */

static const struct h2_options server = {.is_server = true,
    .streams_max = 2,
    .stream_window = 70000,
    .connection_window = 100000,
    .header_list_max = 4096,
    .continuations_max = 3};
static const struct h2_options client = {.stream_window = 70000,
    .connection_window = 65535,
    .header_list_max = 4096,
    .continuations_max = 3};

static void hear_text(struct stage *stage, const char *text)
{
	stage_hear(stage, text, strlen(text));
}

#define PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

static void test_servers_begin(void **state)
{
	(void)state;
	struct stage stage;
	for (size_t piece = 0; piece < 30; piece++) {
		stage_open_with(&stage, &server);
		stage_play(&stage, "");
		static const uint8_t settings[] = {0, 0, 18, 4, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 2, 0,
		    4, 0, 1, 0x11, 0x70, 0, 6, 0, 0, 0x10, 0};
		assert_true(stage.wire.len > sizeof settings);
		assert_memory_equal(stage.wire.data, settings, sizeof settings);
		assert_string_equal(stage_said(&stage), "SETTINGS; WINDOW +34465");
		stage.piece = piece;
		hear_text(&stage, PREFACE);
		stage_play(&stage, "SETTINGS 0; HEADERS/eh 1 GET; SETTINGS/e 0");
		assert_string_equal(stage_said(&stage), "SETTINGS/e");
		assert_string_equal(stage_told(&stage), "head/e 1");
		stage_close(&stage);
	}
}

static void test_clients_begin(void **state)
{
	(void)state;
	struct stage stage;
	stage_open_with(&stage, &client);
	stage_play(&stage, "");
	assert_int_equal(stage.wire.len, 0); /* nobody is reached yet */
	stage_play(&stage, ">start");
	static const uint8_t settings[] = {0, 0, 18, 4, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 4, 0, 1,
	    0x11, 0x70, 0, 6, 0, 0, 0x10, 0};
	assert_int_equal(stage.wire.len, strlen(PREFACE) + sizeof settings);
	assert_memory_equal(stage.wire.data, PREFACE, strlen(PREFACE));
	assert_memory_equal(stage.wire.data + strlen(PREFACE), settings, sizeof settings);
	assert_string_equal(stage_said(&stage), "SETTINGS");
	stage_close(&stage);
}

static void test_not_http2(void **state)
{
	(void)state;
	static const char *const beginnings[] = {"GET / HTTP/1.1\r\n\r\n",
	    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\r", "PRI * HTTP/2.0\r\n\r\nSM\r\n\n\n......", "pri"};
	for (size_t i = 0; i < sizeof beginnings / sizeof beginnings[0]; i++) {
		for (size_t piece = 0; piece < 25; piece++) {
			struct stage stage;
			stage_open_with(&stage, &server);
			stage.piece = piece;
			hear_text(&stage, beginnings[i]);
			assert_true(stage.is_refused);
			assert_string_equal(stage.h2.reason, "it does not speak HTTP/2");
			stage_close(&stage);
		}
	}
}

/* SETTINGS are the first frame, and no acknowledgement. */
static void test_settings_come_first(void **state)
{
	(void)state;
	static const char *const firsts[] = {"PING 0 z8", "HEADERS/eh 1 GET", "SETTINGS/e 0",
	    "WINDOW 0 =1", "t20 0 x3", "GOAWAY 0 =0 =0", "CONTINUATION 1 x1", "DATA 1 x1"};
	for (size_t i = 0; i < sizeof firsts / sizeof firsts[0]; i++) {
		for (unsigned is_server = 0; is_server < 2; is_server++) {
			struct stage stage;
			stage_open_with(&stage, is_server ? &server : &client);
			stage_play(&stage, ">start");
			(void)stage_said(&stage);
			if (is_server)
				hear_text(&stage, PREFACE);
			stage_play(&stage, firsts[i]);
			assert_string_equal(stage_told(&stage), "bad 0");
			assert_string_equal(stage_said(&stage), "GOAWAY 0 PROTOCOL_ERROR");
			assert_true(h2_is_done(&stage.h2));
			stage_close(&stage);
		}
	}
}

/* --- frames that a server hears -----------------------------------------------------------------
 */

static void test_frames(void **state)
{
	(void)state;
	static const struct h2_row rows[] = {
	    /* 4.1: what is not known means nothing. */
	    {"", "t250/ehpy 7 x8; t10 0; t255 1 x16384", "", ""},
	    {"", "PING/hpy 0 z8", "", "PING/e 0000000000000000"},
	    {"", "PING 0x80000000 #0102030405060708", "", "PING/e 0102030405060708"},
	    {"", "HEADERS/eh 0x80000001 GET", "head/e 1", ""},
	    {"", "t20 0 x16385", "bad 0", DIES(0, "FRAME_SIZE_ERROR")},
	    /* 4.2 */
	    {OPEN, "DATA/e 1 x16384", "body 1 16384; end 1", ""},
	    {OPEN, "DATA/e 1 x16385", "bad 0", DIES(1, "FRAME_SIZE_ERROR")},
	    {"", "HEADERS/eh 1 x16385", "bad 0", DIES(0, "FRAME_SIZE_ERROR")},
	    {"", "SETTINGS 0 z16386", "bad 0", DIES(0, "FRAME_SIZE_ERROR")},
	    /* 5.1.1 */
	    {"", "HEADERS/eh 2 GET", "bad 0", DIES(0, "PROTOCOL_ERROR")},
	    {"HEADERS/eh 5 GET", "HEADERS/eh 3 GET", "bad 0", DIES(5, "PROTOCOL_ERROR")},
	    {"HEADERS/eh 5 GET", "HEADERS/eh 9 GET; HEADERS/eh 11 GET", "head/e 2; head/e 3", ""},
	    /* 5.3.2: says nothing, on any stream. */
	    {"", "PRIORITY 1 z5; PRIORITY 3 =3 #10; PRIORITY 2 z5; HEADERS/eh 1 GET", "head/e 1",
		""},
	    {"", "HEADERS/ehy 1 =1 #ff GET", "head/e 1", ""},
	    /* 6.1 */
	    {"", "DATA 0 x1", "bad 0", DIES(0, "PROTOCOL_ERROR")},
	    {OPEN, "DATA 0 x1", "bad 0", DIES(1, "PROTOCOL_ERROR")},
	    {OPEN, "DATA 2 x1", "bad 0", DIES(1, "PROTOCOL_ERROR")},
	    {"HEADERS/eh 3 GET", "DATA 2 x1", "bad 0", DIES(3, "PROTOCOL_ERROR")},
	    {OPEN, "DATA/p 1 #03 x4 z3", "body 1 4", ""},
	    {OPEN, "DATA/p 1 #00 x4; DATA/p 1 #04 z4; DATA/p 1 #00", "body 1 4", ""},
	    {OPEN, "DATA/ep 1 #04 z4", "end 1", ""},
	    {OPEN, "DATA/ep 1 #ff z255; RST 1 =8", "end 1; close 1 CANCEL", ""},
	    {OPEN, "DATA/p 1 #05 z4", "bad 0", DIES(1, "PROTOCOL_ERROR")},
	    {OPEN, "DATA/p 1 #01", "bad 0", DIES(1, "PROTOCOL_ERROR")},
	    {OPEN, "DATA/p 1", "bad 0", DIES(1, "FRAME_SIZE_ERROR")},
	    {OPEN, "DATA 1; DATA 1; DATA/e 1", "end 1", ""},
	};
	H2_ROWS_RUN(true, rows);
}

static void test_frames_of_heads(void **state)
{
	(void)state;
	static const struct h2_row rows[] = {
	    /* 6.2 */
	    {"", "HEADERS/eh 0 GET", "bad 0", DIES(0, "PROTOCOL_ERROR")},
	    {"", "HEADERS/ehp 1 #05 GET z5", "head/e 1", ""},
	    {"", "HEADERS/ehpy 1 #05 =0 #10 GET z5", "head/e 1", ""},
	    {"", "HEADERS/ehp 1 #ff GET", "bad 0", DIES(0, "PROTOCOL_ERROR")},
	    {"", "HEADERS/ehpy 1 #02 =0 #10 z1", "bad 0", DIES(0, "PROTOCOL_ERROR")},
	    {"", "HEADERS/ehp 1", "bad 0", DIES(0, "FRAME_SIZE_ERROR")},
	    {"", "HEADERS/ehy 1 =0", "bad 0", DIES(0, "FRAME_SIZE_ERROR")},
	    {"", "HEADERS/ehpy 1 #00 =0", "bad 0", DIES(0, "FRAME_SIZE_ERROR")},
	    /* 6.10 */
	    {"",
		"HEADERS/e 1; CONTINUATION 1 [:method: GET, :path: /]; "
		"CONTINUATION/h 1 [:scheme: https, host: h]",
		"head/e 1", ""},
	    {"", "HEADERS/e 1 GET; CONTINUATION 1; CONTINUATION/h 1", "head/e 1", ""},
	    {"",
		"HEADERS/e 1 GET; CONTINUATION 1; CONTINUATION 1; CONTINUATION 1; CONTINUATION 1; "
		"CONTINUATION/h 1",
		"head/e 1", ""},
	    {"",
		"HEADERS/e 1 GET; CONTINUATION 1; CONTINUATION 1; CONTINUATION 1; CONTINUATION 1; "
		"CONTINUATION 1; CONTINUATION/h 1",
		"bad 0", DIES(0, "ENHANCE_YOUR_CALM")},
	    {"HEADERS/e 1 GET; CONTINUATION 1; CONTINUATION 1; CONTINUATION 1; CONTINUATION/h 1",
		"HEADERS/e 3 GET; CONTINUATION 3; CONTINUATION 3; CONTINUATION/h 3", "head/e 2",
		""},
	    {"", "CONTINUATION/h 1 GET", "bad 0", DIES(0, "PROTOCOL_ERROR")},
	    {"", "CONTINUATION/h 0 GET", "bad 0", DIES(0, "PROTOCOL_ERROR")},
	    {OPEN, "CONTINUATION/h 1 GET", "bad 0", DIES(1, "PROTOCOL_ERROR")},
	    {OPEN, "DATA 1 x1; CONTINUATION/h 1 GET", "body 1 1; bad 0", DIES(1, "PROTOCOL_ERROR")},
	    {"", "HEADERS/e 1 GET; CONTINUATION/h 3", "bad 0", DIES(0, "PROTOCOL_ERROR")},
	    {"", "HEADERS/e 1 GET; CONTINUATION/h 0", "bad 0", DIES(0, "PROTOCOL_ERROR")},
	};
	H2_ROWS_RUN(true, rows);
}

static void test_other_frames(void **state)
{
	(void)state;
	static const struct h2_row rows[] = {
	    /* 6.3 */
	    {"", "PRIORITY 0 z5", "bad 0", DIES(0, "PROTOCOL_ERROR")},
	    {OPEN, "PRIORITY 1 z4", "bad 0", DIES(1, "FRAME_SIZE_ERROR")},
	    /* 6.4 */
	    {"", "RST 0 =8", "bad 0", DIES(0, "PROTOCOL_ERROR")},
	    {OPEN, "RST 3 =8", "bad 0", DIES(1, "PROTOCOL_ERROR")},
	    {OPEN, "RST 2 =8", "bad 0", DIES(1, "PROTOCOL_ERROR")},
	    {"HEADERS/eh 3 GET", "RST 2 =8", "bad 0", DIES(3, "PROTOCOL_ERROR")},
	    {OPEN, "RST 1 z3", "bad 0", DIES(1, "FRAME_SIZE_ERROR")},
	    {OPEN, "RST 1 z5", "bad 0", DIES(1, "FRAME_SIZE_ERROR")},
	    /* 6.6, 8.4: clients do not push. */
	    {OPEN, "PROMISE/h 1 =2 GET", "bad 0", DIES(1, "PROTOCOL_ERROR")},
	    /* 6.7 */
	    {"", "PING 0 #0102030405060708; PING 0 z8", "",
		"PING/e 0102030405060708; PING/e 0000000000000000"},
	    {"", "PING/e 0 z8", "", ""},
	    {OPEN, "PING 1 z8", "bad 0", DIES(1, "PROTOCOL_ERROR")},
	    {"", "PING 0 z7", "bad 0", DIES(0, "FRAME_SIZE_ERROR")},
	    {"", "PING 0 z9", "bad 0", DIES(0, "FRAME_SIZE_ERROR")},
	    {"", "PING 0", "bad 0", DIES(0, "FRAME_SIZE_ERROR")},
	    /* 6.8: and codes that nobody knows. */
	    {OPEN, "GOAWAY 1 =0 =0", "bad 0", DIES(1, "PROTOCOL_ERROR")},
	    {OPEN, "GOAWAY 0 z7", "bad 0", DIES(1, "FRAME_SIZE_ERROR")},
	    {OPEN, "GOAWAY 0 =0 =255 x100; DATA/e 1 x1", "body 1 1; end 1", ""},
	    {OPEN, "RST 1 =255", "close 1 unknown error", ""},
	};
	H2_ROWS_RUN(true, rows);
}

/* 4.3: nothing comes between the frames of a head. */
static void test_torn_heads(void **state)
{
	(void)state;
	static const char *const others[] = {"HEADERS/eh 3 GET", "HEADERS/eh 1 GET", "DATA 1 x1",
	    "PRIORITY 1 z5", "RST 1 =8", "SETTINGS 0", "SETTINGS/e 0", "PROMISE/h 1 =2",
	    "PING 0 z8", "GOAWAY 0 =0 =0", "WINDOW 1 =1", "WINDOW 0 =1", "t99 1 x1", "t99 0"};
	char heard[128];
	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
		snprintf(heard, sizeof heard, "HEADERS/e 1 GET; %s; CONTINUATION/h 1", others[i]);
		const struct h2_row row = {"", heard, "bad 0", DIES(0, "PROTOCOL_ERROR")};
		h2_rows_run(true, &row, 1);
		snprintf(heard, sizeof heard, "HEADERS/e 1 OK; %s; CONTINUATION/h 1", others[i]);
		const struct h2_row answer = {
		    ">submit/e", heard, "bad 0", DIES(0, "PROTOCOL_ERROR")};
		h2_rows_run(false, &answer, 1);
	}
}

/* --- SETTINGS (6.5) -----------------------------------------------------------------------------
 */

#define SIX_SETTINGS " 99:1 99:2 99:3 99:4 99:5 99:6"

static void test_settings(void **state)
{
	(void)state;
	static const struct h2_row rows[] = {
	    {"", "SETTINGS 0; SETTINGS 0 1:100 2:0 3:7 4:65536 5:16384 6:1 8:1", "",
		"SETTINGS/e; SETTINGS/e"},
	    {"", "SETTINGS 0 2:1", "", "SETTINGS/e"}, /* a client may say so */
	    {"", "SETTINGS 0 7:1 9:5 0xffff:0xffffffff 0:0", "", "SETTINGS/e"},
	    {"", "SETTINGS 0 4:0 4:0x7fffffff 5:16777215", "", "SETTINGS/e"},
	    {"", "SETTINGS/hpy 0 z6", "", "SETTINGS/e"},
	    {"", "SETTINGS 1", "bad 0", DIES(0, "PROTOCOL_ERROR")},
	    {"", "SETTINGS 0 z5", "bad 0", DIES(0, "FRAME_SIZE_ERROR")},
	    {"", "SETTINGS 0 z7", "bad 0", DIES(0, "FRAME_SIZE_ERROR")},
	    {"", "SETTINGS/e 0 z6", "bad 0", DIES(0, "FRAME_SIZE_ERROR")},
	    {"", "SETTINGS/e 0", "bad 0", DIES(0, "PROTOCOL_ERROR")},
	    {"", "SETTINGS 0 2:2", "bad 0", DIES(0, "PROTOCOL_ERROR")},
	    {"", "SETTINGS 0 4:0x80000000", "bad 0", DIES(0, "FLOW_CONTROL_ERROR")},
	    {"", "SETTINGS 0 5:16383", "bad 0", DIES(0, "PROTOCOL_ERROR")},
	    {"", "SETTINGS 0 5:16777216", "bad 0", DIES(0, "PROTOCOL_ERROR")},
	    {"", "SETTINGS 0 8:2", "bad 0", DIES(0, "PROTOCOL_ERROR")},
	    /* The first one is what counts. */
	    {"", "SETTINGS 0 5:1 4:0xffffffff 2:9", "bad 0", DIES(0, "PROTOCOL_ERROR")},
	    {"",
		"SETTINGS 0" SIX_SETTINGS SIX_SETTINGS SIX_SETTINGS SIX_SETTINGS SIX_SETTINGS
		" 99:7 99:8",
		"", "SETTINGS/e"},
	    {"",
		"SETTINGS 0" SIX_SETTINGS SIX_SETTINGS SIX_SETTINGS SIX_SETTINGS SIX_SETTINGS
		" 99:7 99:8 99:9",
		"bad 0", DIES(0, "ENHANCE_YOUR_CALM")},
	};
	H2_ROWS_RUN(true, rows);
	static const struct h2_row of_servers[] = {
	    {"", "SETTINGS 0 2:0 3:100 4:1 5:16777215", "", "SETTINGS/e"},
	    {"", "SETTINGS 0 2:1", "bad 0", DIES(0, "PROTOCOL_ERROR")},
	    {"", "SETTINGS/e 0", "bad 0", DIES(0, "PROTOCOL_ERROR")},
	    {"", "SETTINGS 0 4:0x80000000", "bad 0", DIES(0, "FLOW_CONTROL_ERROR")},
	};
	H2_ROWS_RUN(false, of_servers);
}

/* --- WINDOW_UPDATE (6.9) ------------------------------------------------------------------------
 */

static void test_window_updates(void **state)
{
	(void)state;
	static const struct h2_row rows[] = {
	    {OPEN, "WINDOW 0 =1; WINDOW 1 =1; WINDOW 0 =0x80000001", "", ""},
	    {"", "WINDOW 0 =0", "bad 0", DIES(0, "PROTOCOL_ERROR")},
	    {"", "WINDOW 0 =0x80000000", "bad 0", DIES(0, "PROTOCOL_ERROR")},
	    {OPEN, "WINDOW 1 =0", BAD("PROTOCOL_ERROR"), "RST 1 PROTOCOL_ERROR"},
	    {OPEN, "WINDOW 1 z3", "bad 0", DIES(1, "FRAME_SIZE_ERROR")},
	    {OPEN, "WINDOW 0 z5", "bad 0", DIES(1, "FRAME_SIZE_ERROR")},
	    {OPEN, "WINDOW 3 =1", "bad 0", DIES(1, "PROTOCOL_ERROR")},
	    {"HEADERS/eh 3 GET", "WINDOW 2 =1", "bad 0", DIES(3, "PROTOCOL_ERROR")},
	    /* To the bound, and beyond. */
	    {OPEN, "WINDOW 0 =0x7fff0000", "", ""},
	    {OPEN, "WINDOW 0 =0x7fff0001", "bad 0", DIES(1, "FLOW_CONTROL_ERROR")},
	    {OPEN, "WINDOW 0 =0x7fffffff", "bad 0", DIES(1, "FLOW_CONTROL_ERROR")},
	    {OPEN, "WINDOW 1 =0x7fff0000", "", ""},
	    {OPEN, "WINDOW 1 =0x7fff0000; WINDOW 1 =1", BAD("FLOW_CONTROL_ERROR"),
		"RST 1 FLOW_CONTROL_ERROR"},
	    /* The setting takes a stream beyond it; it adds to what WINDOW_UPDATE gave. */
	    {OPEN, "WINDOW 1 =1; SETTINGS 0 4:0x7ffffffe", "", "SETTINGS/e"},
	    {OPEN, "WINDOW 1 =1; SETTINGS 0 4:0x7fffffff", "bad 0", DIES(1, "FLOW_CONTROL_ERROR")},
	    {OPEN, "SETTINGS 0 4:0; WINDOW 1 =0x7fffffff", "", "SETTINGS/e"},
	    {OPEN, "SETTINGS 0 4:0; WINDOW 1 =0x7fffffff; SETTINGS 0 4:1", "bad 0",
		"SETTINGS/e; " DIES(1, "FLOW_CONTROL_ERROR")},
	};
	H2_ROWS_RUN(true, rows);
}

/* --- HPACK (RFC 7541) ---------------------------------------------------------------------------
 */

static void test_bad_blocks(void **state)
{
	(void)state;
	static const char *const blocks[] = {
	    "#80", /* 6.1: index 0 */
	    "#c6", /* 2.3.3: beyond the table */
	    "#20", /* 4.2: a new size behind fields */
	    "#000174821fff", /* 5.2: padding of more than seven bits */
	    "#0001748118", /* padding that is not ones */
	    "#00017484ffffffff", /* EOS */
	    "#000174", /* no value */
	    "#00017405", /* a shorter one than it says */
	    "#ffffffffffffffffff7f", /* an index beyond all bounds */
	};
	char heard[128];
	for (size_t i = 0; i < sizeof blocks / sizeof blocks[0]; i++) {
		snprintf(heard, sizeof heard, "HEADERS/eh 1 GET %s", blocks[i]);
		const struct h2_row row = {"", heard, "bad 0", DIES(1, "COMPRESSION_ERROR")};
		h2_rows_run(true, &row, 1);
		/* Nobody wants these fields, but the table is the connection's. */
		snprintf(heard, sizeof heard, "HEADERS/eh 1 TRAILERS %s", blocks[i]);
		const struct h2_row late = {
		    OPEN "; RST 1 =8", heard, "stray; bad 0", DIES(1, "COMPRESSION_ERROR")};
		h2_rows_run(true, &late, 1);
		snprintf(heard, sizeof heard, "HEADERS/h 1 OK %s", blocks[i]);
		const struct h2_row answer = {
		    ">submit", heard, "begin 1; bad 0", DIES(0, "COMPRESSION_ERROR")};
		h2_rows_run(false, &answer, 1);
	}
	static const struct h2_row sizes[] = {
	    {"", "HEADERS/eh 1 #3fe11f GET", "head/e 1", ""}, /* 6.3: 4,096 */
	    {"", "HEADERS/eh 1 #3fe21f GET", "bad 0", DIES(1, "COMPRESSION_ERROR")},
	    {"", "HEADERS/eh 1 #20 #3fe11f GET", "head/e 1", ""},
	};
	H2_ROWS_RUN(true, sizes);
}

/* A head that is refused, late or malformed goes through the table all the same. */
static void test_the_table_follows(void **state)
{
	(void)state;
	struct stage stage;
	/* "new: 1" and others enter the table: the last one is 62. */
	stage_open(&stage, true);
	stage_play(&stage,
	    "HEADERS/h 1 POST; RST 1 =8; HEADERS/eh 1 #40036e65770131; "
	    "HEADERS/eh 3 #40036e65770132; "
	    "HEADERS/h 5 POST; HEADERS/eh 5 #40036e65770133; HEADERS/eh 5 #40036e65770134; "
	    "HEADERS/eh 7 GET #be #bf #c0 #c1");
	assert_string_equal(buf_text(&stage.requests[3]->fields),
	    ":method: GET, :scheme: https, :path: /, :authority: h, "
	    "new: 4, new: 3, new: 2, new: 1, ");
	stage_play(&stage, ">goaway; HEADERS/eh 9 #40036e65770135; PING 0 z8");
	assert_int_equal(stage.count, 4);
	stage_close(&stage);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_servers_begin),
	    cmocka_unit_test(test_clients_begin),
	    cmocka_unit_test(test_not_http2),
	    cmocka_unit_test(test_settings_come_first),
	    cmocka_unit_test(test_frames),
	    cmocka_unit_test(test_frames_of_heads),
	    cmocka_unit_test(test_other_frames),
	    cmocka_unit_test(test_torn_heads),
	    cmocka_unit_test(test_settings),
	    cmocka_unit_test(test_window_updates),
	    cmocka_unit_test(test_bad_blocks),
	    cmocka_unit_test(test_the_table_follows),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
