/* The engine of HTTP/2: heads, trailers and the bodies that they announce, both ways (RFC 9113, 8.1
 * and 4.3). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/xmem.h"
#include "kubeproxyd/http/hpack.h"
#include "tests/unit/h2_end.h"
#include "tests/unit/h2_rows.h"
#include "tests/unit/h2_stage.h"

#define BAD "bad 1; reset; close 1 PROTOCOL_ERROR"
#define RST "RST 1 PROTOCOL_ERROR"
#define POST_OF(length)                                                                            \
	"[:method: POST, :scheme: https, :path: /, host: h, content-length: " #length "]"

/* --- what servers hear --------------------------------------------------------------------------
 */

static void test_requests(void **state)
{
	(void)state;
	static const struct h2_row rows[] = {
	    {"", "HEADERS/eh 1 [:method: GET, :path: /, :scheme: https]", BAD, RST},
	    {"", "HEADERS/h 1 [:method: GET, :path: /, :scheme: https, te: gzip, host: h]", BAD,
		RST},
	    {"", "HEADERS/eh 1", BAD, RST},
	    /* Streams after it are as before, and so is the table. */
	    {"", "HEADERS/h 1 GET #400161016240; HEADERS/eh 3 GET", "bad 0",
		"GOAWAY 1 COMPRESSION_ERROR"},
	    {"", "HEADERS/h 1 GET [A: b]; DATA 1 x5; HEADERS/eh 1 TRAILERS; HEADERS/eh 3 GET",
		"head 1; body 1 5; end 1; head/e 2", ""}, /* hpack_append lowers names */
	    {"",
		"HEADERS/h 1 GET #000141"
		"0162; DATA 1 x5; HEADERS/eh 3 GET",
		BAD "; head/e 2", RST},
	    /* Trailers end it, and are no request. */
	    {"HEADERS/h 1 POST", "HEADERS/h 1 TRAILERS", BAD, RST},
	    {"HEADERS/h 1 POST", "DATA 1 x3; HEADERS/eh 1 [t: v, u: w]", "body 1 3; end 1", ""},
	    {"HEADERS/h 1 POST", "HEADERS/e 1; CONTINUATION 1 TRAILERS; CONTINUATION/h 1", "end 1",
		""},
	    {"HEADERS/h 1 POST", "HEADERS/eh 1", "end 1", ""},
	    {"HEADERS/h 1 POST", "HEADERS/eh 1 [:path: /]", BAD, RST},
	    {"HEADERS/h 1 POST", "HEADERS/eh 1 [connection: close]", BAD, RST},
	    /* An error of the head, that ends with its last frame. */
	    {"", "HEADERS/e 1 [:path: /]; CONTINUATION 1 [:path: /]; CONTINUATION/h 1 [a: b]", BAD,
		RST},
	};
	H2_ROWS_RUN(true, rows);
}

static void test_lengths_of_requests(void **state)
{
	(void)state;
	static const struct h2_row rows[] = {
	    {"", "HEADERS/eh 1 " POST_OF(0), "head/e 1", ""},
	    {"", "HEADERS/eh 1 " POST_OF(1), BAD, RST},
	    {"", "HEADERS/h 1 " POST_OF(3) "; DATA/e 1 x3", "head 1; body 1 3; end 1", ""},
	    {"", "HEADERS/h 1 " POST_OF(3) "; DATA 1 x2; DATA/e 1 x1", "head 1; body 1 3; end 1",
		""},
	    {"", "HEADERS/h 1 " POST_OF(3) "; DATA/p 1 #02 x3 z2; DATA/e 1",
		"head 1; body 1 3; end 1", ""},
	    {"", "HEADERS/h 1 " POST_OF(3) "; DATA 1 x3; HEADERS/eh 1 TRAILERS",
		"head 1; body 1 3; end 1", ""},
	    {"", "HEADERS/h 1 " POST_OF(3) "; DATA/e 1 x2", "head 1; body 1 2; " BAD, RST},
	    {"", "HEADERS/h 1 " POST_OF(3) "; DATA 1 x2; HEADERS/eh 1 TRAILERS",
		"head 1; body 1 2; " BAD, RST},
	    {"", "HEADERS/h 1 " POST_OF(3) "; DATA 1 x3; DATA/e 1 x1", "head 1; body 1 3; " BAD,
		RST},
	    {"", "HEADERS/h 1 " POST_OF(0) "; DATA/e 1 x1", "head 1; " BAD, RST},
	    {"", "HEADERS/h 1 " POST_OF(0) "; DATA/e 1", "head 1; end 1", ""},
	    {"", "HEADERS/h 1 " POST_OF(1x), BAD, RST},
	};
	H2_ROWS_RUN(true, rows);
}

/* Refused, and nothing of it is told. */
static void test_streams_at_a_time(void **state)
{
	(void)state;
	struct stage stage;
	stage_open(&stage, true);
	stage.h2.options.streams_max = 2;
	stage_play(&stage, "HEADERS/h 1 POST; HEADERS/h 3 POST; HEADERS/h 5 POST; DATA/e 5 x5; "
			   "HEADERS/h 7 GET; HEADERS/eh 7 TRAILERS; RST 7 =8");
	assert_string_equal(stage_told(&stage), "head 1; head 2; reset; reset; stray");
	assert_string_equal(stage_said(&stage), "RST 5 REFUSED_STREAM; RST 7 REFUSED_STREAM");
	assert_int_equal(stage.count, 2);
	stage_play(&stage, "RST 1 =8; HEADERS/eh 9 GET; HEADERS/eh 11 GET");
	assert_string_equal(stage_told(&stage), "close 1 CANCEL; head/e 3; reset");
	assert_string_equal(stage_said(&stage), "RST 11 REFUSED_STREAM");
	/* One that is answered makes room when that is said. */
	stage_play(&stage, ">answer/e 3 200; HEADERS/eh 13 GET");
	assert_string_equal(stage_told(&stage), "reset; close 3 NO_ERROR");
	assert_string_equal(
	    stage_said(&stage), "HEADERS/e 9 [:status: 200]; RST 13 REFUSED_STREAM");
	stage_play(&stage, "HEADERS/eh 15 GET");
	assert_string_equal(stage_told(&stage), "head/e 4");
	stage_close(&stage);
}

/* What the owner does not accept. */
static void test_complaints(void **state)
{
	(void)state;
	for (unsigned is_server = 0; is_server < 2; is_server++) {
		struct stage stage;
		stage_open(&stage, is_server);
		if (!is_server)
			stage_play(&stage, ">submit/e");
		(void)stage_said(&stage);
		stage.complaint = "too large";
		stage_play(&stage, is_server ? "HEADERS/eh 1 GET" : "HEADERS/eh 1 OK");
		assert_string_equal(stage_told(&stage), is_server ? BAD : "begin 1; " BAD);
		assert_string_equal(stage_said(&stage), RST);
		assert_string_equal(stage.why, "too large");
		stage_close(&stage);
	}
}

/* From the header of its first frame to the end of its last one: what time runs for. */
static void test_a_head_is_begun(void **state)
{
	(void)state;
	static const uint8_t head[] = "\0\0\4\1\1\0\0\0\1\x82\x87\x84\x86"
				      "\0\0\3\x09\4\0\0\0\1\1\1h"
				      "\0\0\2\1\5\0\0\0\1\x82\x84"
				      "\0\0\1\0\0\0\0\0\1x"
				      "\0\0\4\3\0\0\0\0\1\0\0\0\0";
	struct stage stage;
	stage_open(&stage, true);
	for (size_t i = 0; i < sizeof head - 1; i++) {
		/* Both frames, and the one behind its end. */
		bool is_begun = (i >= 9 && i < 25) || (i >= 34 && i < 36);
		assert_int_equal(h2_is_head_begun(&stage.h2), is_begun);
		stage_hear(&stage, head + i, 1);
	}
	assert_false(h2_is_head_begun(&stage.h2));
	stage_close(&stage);
}

/* --- what clients hear --------------------------------------------------------------------------
 */

static void test_answers(void **state)
{
	(void)state;
	static const struct h2_row rows[] = {
	    {">submit/e", "HEADERS/eh 1 OK", "begin 1; head/e 1; close 1 NO_ERROR", ""},
	    {">submit", "HEADERS/eh 1 OK; RST 1 =0", "begin 1; head/e 1; close 1 NO_ERROR", ""},
	    {">submit/e", "HEADERS/h 1 OK; DATA 1 x3; HEADERS/eh 1 TRAILERS",
		"begin 1; head 1; body 1 3; end 1; close 1 NO_ERROR", ""},
	    {">submit/e", "HEADERS/h 1 OK; HEADERS/h 1 TRAILERS", "begin 1; head 1; " BAD, RST},
	    {">submit/e", "HEADERS/h 1 OK; HEADERS/eh 1 OK", "begin 1; head 1; " BAD, RST},
	    {">submit/e", "HEADERS/eh 1 [a: b]", "begin 1; " BAD, RST},
	    {">submit/e", "HEADERS/eh 1 [:status: 101]", "begin 1; " BAD, RST},
	    {">submit/e", "HEADERS/eh 1 GET", "begin 1; " BAD, RST},
	    /* Interim ones: as many as there are. */
	    {">submit/e",
		"HEADERS/h 1 [:status: 100]; HEADERS/h 1 [:status: 103, a: b]; HEADERS/eh 1 OK",
		"begin 1; begin 1; begin 1; head/e 1; close 1 NO_ERROR", ""},
	    {">submit/e", "HEADERS/eh 1 [:status: 100]", "begin 1; " BAD, RST},
	    {">submit/e", "HEADERS/h 1 [:status: 100, content-length: 0]", "begin 1; " BAD, RST},
	    {">submit/e", "HEADERS/h 1 [:status: 100]; DATA/e 1 x1", "begin 1; " BAD, RST},
	    {">submit/e", "HEADERS/h 1 OK; HEADERS/h 1 [:status: 100]", "begin 1; head 1; " BAD,
		RST},
	};
	H2_ROWS_RUN(false, rows);
}

#define ANSWER(status, length) "HEADERS/h 1 [:status: " #status ", content-length: " #length "]"
#define ANSWER_END(status, length)                                                                 \
	"HEADERS/eh 1 [:status: " #status ", content-length: " #length "]"
#define DONE "; close 1 NO_ERROR"

static void test_lengths_of_answers(void **state)
{
	(void)state;
	static const struct h2_row rows[] = {
	    {">submit/e", ANSWER(200, 3) "; DATA/e 1 x3", "begin 1; head 1; body 1 3; end 1" DONE,
		""},
	    {">submit/e", ANSWER(200, 3) "; DATA/e 1 x2", "begin 1; head 1; body 1 2; " BAD, RST},
	    {">submit/e", ANSWER(200, 3) "; DATA/e 1 x4", "begin 1; head 1; " BAD, RST},
	    {">submit/e", ANSWER_END(200, 0), "begin 1; head/e 1" DONE, ""},
	    {">submit/e", ANSWER_END(200, 1), "begin 1; " BAD, RST},
	    {">submit/e", ANSWER(500, 0) "; DATA/e 1", "begin 1; head 1; end 1" DONE, ""},
	    /* No body, whatever is announced. */
	    {">submit/eh", ANSWER_END(200, 5), "begin 1; head/e 1" DONE, ""},
	    {">submit/eh", ANSWER(200, 5) "; DATA/e 1", "begin 1; head 1; end 1" DONE, ""},
	    {">submit/eh", ANSWER(200, 5) "; DATA/e 1 x5", "begin 1; head 1; " BAD, RST},
	    {">submit/eh", "HEADERS/h 1 OK; DATA/e 1 x5", "begin 1; head 1; " BAD, RST},
	    {">submit/e", ANSWER_END(304, 5), "begin 1; head/e 1" DONE, ""},
	    {">submit/e", ANSWER(304, 5) "; DATA/e 1 x5", "begin 1; head 1; " BAD, RST},
	    {">submit/e", ANSWER_END(204, 5), "begin 1; head/e 1" DONE, ""},
	    {">submit/e", "HEADERS/h 1 [:status: 204]; DATA/e 1 x1", "begin 1; head 1; " BAD, RST},
	    {">submit/e", "HEADERS/h 1 [:status: 204]; DATA/e 1", "begin 1; head 1; end 1" DONE,
		""},
	    {">submit/e", "HEADERS/h 1 [:status: 204]; HEADERS/eh 1 TRAILERS",
		"begin 1; head 1; end 1" DONE, ""},
	};
	H2_ROWS_RUN(false, rows);
}

/* --- what is said -------------------------------------------------------------------------------
 */

/* Returns how many letters stand in it. */
static size_t append_large(struct h2_stream *stream, size_t len, bool is_end)
{
	struct buf *out = h2_head_open(stream);
	size_t before = out->len, letters = 0;
	hpack_append_status(out, 200);
	/* Values of 5,000 but for the last one: `len` bytes of block in all. */
	char *value = xmalloc(len + 1);
	memset(value, 'v', len);
	while (out->len - before < len) {
		size_t left = len - (out->len - before);
		size_t room = left > 11000 ? 5000 : left > 6000 ? left / 2 : left;
		/* "0 1 n L value": 4 bytes and the length's own; found by trying. */
		size_t value_len = room > 8 ? room - 3 : 1;
		struct buf probe = {0};
		for (;; value_len--) {
			buf_clear(&probe);
			hpack_append(&probe, "n", 1, value, value_len, false);
			if (probe.len <= room || value_len == 1)
				break;
		}
		buf_append(out, probe.data, probe.len);
		letters += value_len;
		buf_free(&probe);
	}
	free(value);
	assert_int_equal(out->len - before, len);
	h2_head_close(stream, is_end);
	return letters;
}

/* Blocks of each length around whole frames, in front of and behind other frames; nghttp2 joins
 * them. */
static void test_large_heads_are_split(void **state)
{
	(void)state;
	for (size_t frames = 1; frames < 5; frames++) {
		for (size_t more = 0; more < 24; more++) {
			struct stage stage;
			struct h2_end end;
			struct buf said = {0};
			stage_open(&stage, true);
			h2_end_init(&end, &(struct h2_end_options){0});
			const char *const pairs[] = {":method", "GET", ":scheme", "https",
			    ":authority", "h", ":path", "/", NULL};
			h2_end_request(&end, pairs, false);
			h2_end_request(&end, pairs, false);
			h2_end_say(&end, &said);
			stage_hear(&stage, said.data + 24, said.len - 24);
			/* The stage has read our own SETTINGS. */
			assert_true(h2_end_hear(&end, "\0\0\0\4\0\0\0\0\0", 9));
			h2_ping(&stage.h2);
			size_t letters = append_large(
			    &stage.requests[0]->h2, frames * 16384 + more - 12, more % 2 == 0);
			append_large(&stage.requests[1]->h2, 100, true);
			h2_flush(&stage.h2);
			assert_true(h2_end_hear(&end, stage.wire.data, stage.wire.len));
			struct h2_end_stream *first = h2_end_find(&end, 1);
			assert_int_equal(first->has_end, more % 2 == 0);
			size_t n = 0;
			for (const char *at = buf_text(&first->head);
			     (at = strchr(at, 'v')) != NULL; at++)
				n++;
			assert_int_equal(n, letters);
			assert_true(h2_end_find(&end, 3)->has_end);
			assert_int_equal(end.goaways, 0);
			assert_int_equal(end.pings, 1);
			(void)stage_said(&stage); /* each frame of a length that is allowed */
			buf_free(&said);
			h2_end_free(&end);
			stage_close(&stage);
		}
	}
}

/* One that waited is cut when it leaves, behind a size of the table. */
static void test_a_large_head_that_waited(void **state)
{
	(void)state;
	for (size_t len = 16380; len < 16390; len++) {
		struct stage stage;
		struct stage_request request = {.number = 1};
		stage_open(&stage, false);
		stage_play(&stage, "SETTINGS 0 3:0 1:0");
		(void)stage_said(&stage);
		assert_int_equal(nghttp2_hd_inflate_change_table_size(stage.reader, 0), 0);
		h2_submit(&stage.h2, &request.h2, false);
		size_t letters = append_large(&request.h2, len, true);
		stage_play(&stage, "SETTINGS 0 3:1");
		assert_int_equal(stage.wire.len, 9 + 9 + len + 1 + (len >= 16384 ? 9 : 0));
		const char *said = stage_said(&stage);
		assert_ptr_equal(strstr(said, "SETTINGS/e; HEADERS/e 1 ["), said);
		size_t n = 0;
		for (const char *at = said; (at = strchr(at, 'v')) != NULL; at++)
			n++;
		assert_int_equal(n, letters);
		h2_reset(&request.h2, H2_CANCEL);
		stage_close(&stage);
	}
}

/* The memory of what was written goes around among connections. */
static void test_what_was_written_is_wiped(void **state)
{
	(void)state;
	struct stage stage;
	stage_open(&stage, true);
	stage_play(&stage, "HEADERS/eh 1 GET");
	struct buf *out = h2_head_open(&stage.requests[0]->h2);
	hpack_append_status(out, 200);
	for (unsigned i = 0; i < 50; i++)
		hpack_append(out, "x", 1, "a secret of somebody", 20, true);
	h2_head_close(&stage.requests[0]->h2, true);
	assert_non_null(memmem(stage.h2.out.data, stage.h2.out.len, "secret", 6));
	stage_play(&stage, "");
	assert_null(stage.h2.out.data);
	h2_ping(&stage.h2);
	assert_null(memmem(stage.h2.out.data, stage.h2.out.cap, "secret", 6));
	stage_close(&stage);
}

/* An answer in parts; trailers; an answer that does not wait for its request (8.1). */
static void test_answers_are_said(void **state)
{
	(void)state;
	struct stage stage;
	stage_open(&stage, true);
	stage_play(&stage, "HEADERS/h 1 POST; >answer 1 100; >answer 1 200; >send 1 5; >flush; "
			   ">trailers 1 3");
	assert_string_equal(stage_said(&stage),
	    "HEADERS 1 [:status: 100]; HEADERS 1 [:status: 200]; DATA 1 5; DATA 1 3; "
	    "HEADERS/e 1 [t: v]; RST 1 NO_ERROR");
	assert_string_equal(stage_told(&stage), "head 1; close 1 NO_ERROR");
	stage_play(&stage, "HEADERS/h 3 POST; >answer 2 200; >send/e 2 5; >flush; DATA/e 3 x1");
	assert_string_equal(
	    stage_said(&stage), "HEADERS 3 [:status: 200]; DATA/e 3 5; RST 3 NO_ERROR");
	assert_string_equal(stage_told(&stage), "head 2; close 2 NO_ERROR");
	/* The request's end comes before ours is said. */
	stage_play(&stage, "HEADERS/h 5 POST; >answer/e 3 200; DATA/e 5 x1");
	assert_string_equal(stage_said(&stage), "HEADERS/e 5 [:status: 200]");
	assert_string_equal(stage_told(&stage), "head 3; body 3 1; end 3; close 3 NO_ERROR");
	assert_int_equal(stage.h2.count, 0);
	stage_close(&stage);
}

/* --- the table (RFC 7541, 4.2) ------------------------------------------------------------------
 */

/* Whoever makes the table smaller hears of it in the next head: nghttp2 insists. */
static void test_a_smaller_table(void **state)
{
	(void)state;
	static const uint32_t sizes[] = {0, 100, 4096, 65536};
	for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		struct stage stage;
		char script[64];
		stage_open(&stage, true);
		stage_play(&stage, "HEADERS/eh 1 GET; HEADERS/eh 3 GET");
		assert_int_equal(nghttp2_hd_inflate_change_table_size(stage.reader, sizes[i]), 0);
		snprintf(script, sizeof script, "SETTINGS 0 1:%u; >answer 1 200; >trailers 1 0",
		    (unsigned)sizes[i]);
		stage_play(&stage, script);
		assert_string_equal(
		    stage_said(&stage), "SETTINGS/e; HEADERS 1 [:status: 200]; HEADERS/e 1 [t: v]");
		/* Once. */
		stage_play_on(&stage, ">answer/e 2 204");
		assert_int_equal(stage.h2.out.len, 10);
		assert_int_equal((uint8_t)stage.h2.out.data[9], 0x89);
		stage_close(&stage);
	}
}

static void test_a_smaller_table_and_requests(void **state)
{
	(void)state;
	struct stage stage;
	stage_open(&stage, false);
	stage_play(&stage, "SETTINGS 0 3:0");
	stage_play(&stage, ">submit/e; >submit/e");
	assert_string_equal(stage_said(&stage), "SETTINGS/e");
	assert_int_equal(nghttp2_hd_inflate_change_table_size(stage.reader, 0), 0);
	stage_play(&stage, "SETTINGS 0 3:10 1:0; >submit/e");
	assert_string_equal(stage_said(&stage), "SETTINGS/e; HEADERS/e 1 [:method: GET, :path: /]; "
						"HEADERS/e 3 [:method: GET, :path: /]; "
						"HEADERS/e 5 [:method: GET, :path: /]");
	stage_close(&stage);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_requests),
	    cmocka_unit_test(test_lengths_of_requests),
	    cmocka_unit_test(test_streams_at_a_time),
	    cmocka_unit_test(test_complaints),
	    cmocka_unit_test(test_a_head_is_begun),
	    cmocka_unit_test(test_answers),
	    cmocka_unit_test(test_lengths_of_answers),
	    cmocka_unit_test(test_large_heads_are_split),
	    cmocka_unit_test(test_a_large_head_that_waited),
	    cmocka_unit_test(test_what_was_written_is_wiped),
	    cmocka_unit_test(test_answers_are_said),
	    cmocka_unit_test(test_a_smaller_table),
	    cmocka_unit_test(test_a_smaller_table_and_requests),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
