/* HTTP requests against a scripted server: what is sent, what comes back, and every way in which an
 * answer can be missing, late, cut short or too long. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/buf.h"
#include "common/fetch.h"
#include "common/loop.h"
#include "common/xmem.h"
#include "tests/unit/fake_http.h"

struct fixture {
	struct loop *loop;
	struct fetcher *fetcher;
	struct fake_http *server;
	size_t calls;
	int status;
	char *error;
	char *body;
	char *header; /* X-Note */
	bool timed_out;
	struct fetch *to_cancel;
};

static void set_up(struct fixture *fixture)
{
	*fixture = (struct fixture){.loop = loop_new()};
	fixture->fetcher = fetcher_new(fixture->loop);
	fixture->server = fake_http_new(fixture->loop);
}

static void tear_down(struct fixture *fixture)
{
	fetcher_free(&fixture->fetcher);
	fake_http_free(&fixture->server);
	loop_free(&fixture->loop);
	xfree(&fixture->error);
	xfree(&fixture->body);
	xfree(&fixture->header);
}

static void on_reply(void *arg, const struct fetch_reply *reply)
{
	struct fixture *fixture = arg;
	fixture->calls++;
	fixture->status = reply->status;
	fixture->timed_out = reply->timed_out;
	xfree(&fixture->error);
	xfree(&fixture->body);
	xfree(&fixture->header);
	fixture->error = xstrdup_or_null(reply->error);
	fixture->body = xstrdup(reply->body);
	fixture->header = xstrdup_or_null(fetch_reply_header(reply, "x-nOTE"));
	assert_int_equal(strlen(reply->body), reply->body_len);
	loop_stop(fixture->loop);
}

static void run(struct fixture *fixture, struct fetch_request *request, const char *path)
{
	char *url = xasprintf("%s%s", fake_http_url(fixture->server), path);
	request->url = url;
	size_t calls = fixture->calls;
	struct fetch *fetch = fetch_start(fixture->fetcher, request, on_reply, fixture);
	assert_non_null(fetch);
	assert_int_equal(fixture->calls, calls);
	xfree(&url);
	loop_run(fixture->loop);
	assert_int_equal(fixture->calls, calls + 1);
}

static void test_sends_what_it_is_told(void **state)
{
	(void)state;
	struct fixture fixture;
	set_up(&fixture);
	fake_http_answer(fixture.server, 201, "X-Note:  hello \r\n", "made");
	const struct fetch_header headers[] = {{"X-Amz-Date", "20260102T030405Z"}, {"X-Empty", ""}};
	struct fetch_request request = {
	    .method = "POST", .headers = headers, .header_count = 2, .body = "a\0b", .body_len = 3};
	run(&fixture, &request, "/a/../b%2Fc/./d?x=%3A");
	assert_null(fixture.error);
	assert_int_equal(fixture.status, 201);
	assert_string_equal(fixture.body, "made");
	assert_string_equal(fixture.header, "hello");
	const char *sent = fake_http_request(fixture.server, 0);
	assert_memory_equal(sent, "POST /a/../b%2Fc/./d?x=%3A HTTP/1.1\r\n", 37);
	assert_non_null(strstr(sent, "\r\nX-Amz-Date: 20260102T030405Z\r\n"));
	assert_non_null(strstr(sent, "\r\nX-Empty:"));
	assert_non_null(strstr(sent, "\r\nContent-Length: 3\r\n"));
	assert_null(strstr(sent, "Content-Type"));
	assert_null(strstr(sent, "Expect"));
	tear_down(&fixture);
}

static void test_methods_without_body(void **state)
{
	(void)state;
	struct fixture fixture;
	set_up(&fixture);
	static const char *const methods[] = {"GET", "DELETE", "POST", "PUT"};
	for (size_t i = 0; i < 4; i++) {
		fake_http_answer(fixture.server, 200, "", "{}");
		struct fetch_request request = {.method = methods[i]};
		run(&fixture, &request, "/");
		const char *sent = fake_http_request(fixture.server, i);
		assert_memory_equal(sent, methods[i], strlen(methods[i]));
		assert_true((strstr(sent, "\r\nContent-Length: 0\r\n") != NULL) == (i >= 2));
	}
	tear_down(&fixture);
}

static void test_redirects_are_answers(void **state)
{
	(void)state;
	struct fixture fixture;
	set_up(&fixture);
	fake_http_answer(fixture.server, 302, "Location: http://127.0.0.1:1/\r\n", "");
	struct fetch_request request = {.method = "GET"};
	run(&fixture, &request, "/");
	assert_null(fixture.error);
	assert_int_equal(fixture.status, 302);
	tear_down(&fixture);
}

static void test_headers_are_those_of_the_last_answer(void **state)
{
	(void)state;
	struct fixture fixture;
	set_up(&fixture);
	fake_http_answer_raw(fixture.server,
	    "HTTP/1.1 103 Early Hints\r\nX-Note: early\r\n\r\nHTTP/1.1 200 "
	    "OK\r\nX-Note: late\r\nContent-Length: 2\r\n\r\nok");
	struct fetch_request request = {.method = "GET"};
	run(&fixture, &request, "/");
	assert_string_equal(fixture.header, "late");
	assert_string_equal(fixture.body, "ok");
	tear_down(&fixture);
}

struct bad_answer {
	const char *bytes;
	const char *error;
	int status;
};

static void test_bad_answers(void **state)
{
	(void)state;
	static const struct bad_answer table[] = {
	    {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort", "broke the connection off", 200},
	    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
		"broke the connection off", 200},
	    {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "127.0.0.1: ", 200},
	    {"", "broke the connection off", 0},
	    {"SSH-2.0-OpenSSH\r\n", "127.0.0.1: ", 0},
	    {"HTTP/1.1 200 OK\r\nContent-Length: 70\r\n\r\n"
	     "1234567890123456789012345678901234567890123456789012345678901234567890",
		"longer than 64 bytes", 200},
	    {"HTTP/1.1 200 "
	     "OK\r\n\r\n1234567890123456789012345678901234567890123456789012345678901234567890",
		"longer than 64 bytes", 200},
	};
	struct fixture fixture;
	set_up(&fixture);
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		fake_http_answer_raw(fixture.server, table[i].bytes);
		struct fetch_request request = {.method = "GET", .max_bytes = 64};
		run(&fixture, &request, "/");
		assert_non_null(fixture.error);
		if (strstr(fixture.error, table[i].error) == NULL)
			fail_msg("case %zu: %s", i, fixture.error);
		assert_false(fixture.timed_out);
	}
	tear_down(&fixture);
}

static void test_too_many_headers(void **state)
{
	(void)state;
	struct fixture fixture;
	set_up(&fixture);
	struct buf answer = {0};
	buf_append_text(&answer, "HTTP/1.1 200 OK\r\n");
	for (int i = 0; i < 1000; i++)
		buf_printf(&answer,
		    "X-Filler-%d: "
		    "12345678901234567890123456789012345678901234567890123456789012\r\n",
		    i);
	buf_append_text(&answer, "\r\n");
	fake_http_answer_raw(fixture.server, buf_text(&answer));
	buf_free(&answer);
	struct fetch_request request = {.method = "GET"};
	run(&fixture, &request, "/");
	assert_non_null(strstr(fixture.error, "longer than"));
	tear_down(&fixture);
}

static void test_silence_times_out(void **state)
{
	(void)state;
	struct fixture fixture;
	set_up(&fixture);
	fake_http_hang(fixture.server);
	struct fetch_request request = {.method = "GET", .timeout = duration_ms(150)};
	run(&fixture, &request, "/");
	assert_true(fixture.timed_out);
	assert_non_null(strstr(fixture.error, "no answer from 127.0.0.1 in time"));
	assert_int_equal(fixture.status, 0);
	tear_down(&fixture);
}

static void run_url(struct fixture *fixture, const char *url)
{
	struct fetch_request request = {.method = "GET", .url = url};
	struct fetch *fetch = fetch_start(fixture->fetcher, &request, on_reply, fixture);
	assert_non_null(fetch);
	loop_run(fixture->loop);
}

static void test_nobody_there(void **state)
{
	(void)state;
	struct fixture fixture;
	set_up(&fixture);
	static const char *const urls[] = {"http://127.0.0.1:1/", "ftp://127.0.0.1/",
	    "file:///etc/hostname", "http://", "::::", "http://127.0.0.1:99999/"};
	for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
		run_url(&fixture, urls[i]);
		assert_non_null(fixture.error);
		assert_int_equal(fixture.status, 0);
		assert_string_equal(fixture.body, "");
	}
	run_url(&fixture, "http://host.invalid/");
	assert_string_equal(fixture.error, "could not resolve host: host.invalid");
	tear_down(&fixture);
}

static void on_first_of_two(void *arg, const struct fetch_reply *reply)
{
	(void)reply;
	struct fixture *fixture = arg;
	fixture->calls++;
	fetch_cancel(&fixture->to_cancel);
	assert_null(fixture->to_cancel);
	loop_stop(fixture->loop);
}

static void test_cancel(void **state)
{
	(void)state;
	struct fixture fixture;
	set_up(&fixture);
	fake_http_answer(fixture.server, 200, "", "{}");
	fake_http_hang(fixture.server);
	struct fetch_request request = {.method = "GET", .url = fake_http_url(fixture.server)};
	struct fetch *first = fetch_start(fixture.fetcher, &request, on_first_of_two, &fixture);
	assert_non_null(first);
	fixture.to_cancel = fetch_start(fixture.fetcher, &request, on_reply, &fixture);
	struct fetch *third = fetch_start(fixture.fetcher, &request, on_reply, &fixture);
	fetch_cancel(&third);
	fetch_cancel(&third);
	loop_run(fixture.loop);
	assert_int_equal(fixture.calls, 1);
	/* What is under way when the fetcher goes ends silently. */
	fixture.to_cancel = fetch_start(fixture.fetcher, &request, on_reply, &fixture);
	tear_down(&fixture);
	assert_int_equal(fixture.calls, 1);
}

static void on_own_cancel(void *arg, const struct fetch_reply *reply)
{
	struct fixture *fixture = arg;
	fixture->calls++;
	fetch_cancel(&fixture->to_cancel);
	assert_string_equal(reply->body, "{}");
	loop_stop(fixture->loop);
}

static void test_cancel_inside_the_own_callback(void **state)
{
	(void)state;
	struct fixture fixture;
	set_up(&fixture);
	fake_http_answer(fixture.server, 200, "", "{}");
	struct fetch_request request = {.method = "GET", .url = fake_http_url(fixture.server)};
	fixture.to_cancel = fetch_start(fixture.fetcher, &request, on_own_cancel, &fixture);
	loop_run(fixture.loop);
	assert_int_equal(fixture.calls, 1);
	tear_down(&fixture);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_sends_what_it_is_told),
	    cmocka_unit_test(test_methods_without_body),
	    cmocka_unit_test(test_redirects_are_answers),
	    cmocka_unit_test(test_headers_are_those_of_the_last_answer),
	    cmocka_unit_test(test_bad_answers),
	    cmocka_unit_test(test_too_many_headers),
	    cmocka_unit_test(test_silence_times_out),
	    cmocka_unit_test(test_nobody_there),
	    cmocka_unit_test(test_cancel),
	    cmocka_unit_test(test_cancel_inside_the_own_callback),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
