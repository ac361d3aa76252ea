/* The HTTP/1 reader against the table of reference kube.md 3.1. Every input is read whole, byte by
 * byte and cut in two at each place: the events must be the same. */
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
#include "kubeproxyd/http/h1_reader.h"

static const struct h1_limits limits = {
    .head_bytes = 2048, .field_count = 20, .chunk_extension_bytes = 64};

/* Describes events as text: "HEAD GET /x a;", "BODY abc;" (pieces joined), "END;", "ERROR 400;". */
struct script {
	struct h1_reader *reader;
	struct buf text;
	bool is_in_body, is_over;
};

static void describe_head(struct script *script)
{
	const struct http_head *head = h1_reader_head(script->reader);
	static const char *const kinds[] = {"none", "length", "chunked", "to-close"};
	if (head->status != 0)
		buf_printf(&script->text, "HEAD %u %s", head->status, kinds[head->body]);
	else
		buf_printf(&script->text, "HEAD %s %s @%s %s", head->method, head->target,
		    head->authority, kinds[head->body]);
	if (head->content_length > 0)
		buf_printf(&script->text, "=%llu", (unsigned long long)head->content_length);
	buf_printf(&script->text, "%s%s%s%s", head->keep_alive ? "" : " close",
	    head->is_upgrade ? " upgrade" : "", head->expects_continue ? " continue" : "",
	    head->is_http10 ? " 1.0" : "");
	for (size_t i = 0; i < head->fields.count; i++)
		buf_printf(&script->text, " [%s=%s]", fields_name(&head->fields, i),
		    fields_value(&head->fields, i));
	buf_append_text(&script->text, ";");
}

static void describe_body(struct script *script)
{
	const uint8_t *data;
	size_t len;
	h1_reader_body(script->reader, &data, &len);
	assert_true(len > 0);
	if (!script->is_in_body)
		buf_append_text(&script->text, "BODY ");
	script->is_in_body = true;
	buf_append(&script->text, data, len);
}

static void describe_end(struct script *script)
{
	const struct http_fields *trailers = h1_reader_trailers(script->reader);
	for (size_t i = 0; i < trailers->count; i++)
		buf_printf(
		    &script->text, "[%s=%s] ", fields_name(trailers, i), fields_value(trailers, i));
	buf_append_text(&script->text, "END;");
}

static void describe(struct script *script, enum h1_event event)
{
	if (event == H1_MORE)
		return;
	if (event == H1_BODY) {
		describe_body(script);
		return;
	}
	if (script->is_in_body)
		buf_append_text(&script->text, ";");
	script->is_in_body = false;
	if (event == H1_HEAD)
		describe_head(script);
	if (event == H1_END)
		describe_end(script);
	if (event == H1_UPGRADED)
		buf_append_text(&script->text, "UPGRADED;");
	if (event == H1_ERROR) {
		assert_non_null(h1_reader_error(script->reader).message);
		buf_printf(&script->text, "ERROR %u;", h1_reader_error(script->reader).status);
	}
	script->is_over = event == H1_ERROR || event == H1_UPGRADED;
}

/* Feeds one piece from memory of its own, so that the reader's sight of bytes behind it is caught.
 */
static void feed(struct script *script, const char *bytes, size_t len)
{
	uint8_t *data = xmalloc(len);
	memcpy(data, bytes, len);
	size_t at = 0;
	enum h1_event event = H1_END;
	for (unsigned rounds = 0; event != H1_MORE && !script->is_over; rounds++) {
		size_t used = 0;
		assert_true(rounds < 10000);
		event = h1_reader_next(script->reader, data + at, len - at, &used);
		assert_true(used <= len - at);
		at += used;
		describe(script, event);
	}
	assert_true(script->is_over || at == len);
	free(data);
}

struct input {
	enum h1_kind kind;
	const char *bytes;
	size_t len;
	bool is_head_answer, ends;
};

static void play(const struct input *input, size_t first, size_t step, const char *wanted)
{
	struct script script = {.reader = h1_reader_new(input->kind, &limits)};
	if (input->is_head_answer)
		h1_reader_expect_no_body(script.reader);
	size_t at = first;
	feed(&script, input->bytes, first);
	while (at < input->len) {
		size_t len = step < input->len - at ? step : input->len - at;
		feed(&script, input->bytes + at, len);
		at += len;
	}
	if (input->ends && !script.is_over)
		describe(&script, h1_reader_finish(script.reader));
	if (script.is_in_body)
		buf_append_text(&script.text, ";");
	if (strcmp(buf_text(&script.text), wanted) != 0)
		fail_msg("%.*s\n(cut at %zu, then every %zu) gave\n%s\nnot\n%s", (int)input->len,
		    input->bytes, first, step, buf_text(&script.text), wanted);
	h1_reader_free(&script.reader);
	buf_free(&script.text);
}

static void expect_input(const struct input *input, const char *wanted)
{
	play(input, input->len, 1, wanted);
	play(input, 0, 1, wanted);
	play(input, 0, 3, wanted);
	if (input->len > 4096)
		return;
	for (size_t cut = 1; cut < input->len; cut++)
		play(input, cut, input->len, wanted);
}

static void expect_request(const char *bytes, const char *wanted)
{
	expect_input(
	    &(struct input){.kind = H1_REQUESTS, .bytes = bytes, .len = strlen(bytes)}, wanted);
}

static void expect_response(const char *bytes, const char *wanted)
{
	expect_input(
	    &(struct input){
		.kind = H1_RESPONSES, .bytes = bytes, .len = strlen(bytes), .ends = true},
	    wanted);
}

#define GET	     "GET / HTTP/1.1\r\nHost: a\r\n"
#define POST	     "POST / HTTP/1.1\r\nHost: a\r\n"
#define CHUNKED	     POST "Transfer-Encoding: chunked\r\n\r\n"
#define CHUNKED_HEAD "HEAD POST / @a chunked;"

struct row {
	const char *bytes, *wanted;
};

static void reads_requests(void **state)
{
	(void)state;
	static const struct row rows[] = {
	    {GET "\r\n", "HEAD GET / @a none;END;"},
	    {"\r\n\r\n" GET "\r\n", "HEAD GET / @a none;END;"},
	    {"GET /api/v1/pods?watch=1&x=%2f HTTP/1.1\r\nhost: h:443\r\nAccept:  a b "
	     "\t\r\nX:\r\n\r\n",
		"HEAD GET /api/v1/pods?watch=1&x=%2f @h:443 none [Accept=a b] [X=];END;"},
	    {GET "X: caf\xc3\xa9 \xff\r\n\r\n", "HEAD GET / @a none [X=caf\xc3\xa9 \xff];END;"},
	    {POST "Content-Length: 3\r\n\r\nabc", "HEAD POST / @a length=3;BODY abc;END;"},
	    {POST "Content-Length: 0\r\n\r\n", "HEAD POST / @a length;END;"},
	    {POST "Content-Length: 3\r\nExpect: 100-continue\r\n\r\nabc",
		"HEAD POST / @a length=3 continue [Expect=100-continue];BODY abc;END;"},
	    {CHUNKED "3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n",
		CHUNKED_HEAD "BODY abc0123456789;END;"},
	    {POST "Transfer-Encoding: CHUNKED\r\n\r\n0\r\n\r\n", CHUNKED_HEAD "END;"},
	    {CHUNKED "3;a=b;c=\"d\"\r\nabc\r\n0;x\r\n\r\n", CHUNKED_HEAD "BODY abc;END;"},
	    {CHUNKED
		"1\r\na\r\n0\r\nImpersonate-Group: system:masters\r\nContent-Length: 3\r\n\r\n" GET
		"\r\n",
		CHUNKED_HEAD "BODY a;END;HEAD GET / @a none;END;"},
	    {GET "Connection: close\r\n\r\nGET /2",
		"HEAD GET / @a none close [Connection=close];END;"},
	    {"GET / HTTP/1.0\r\n\r\n", "HEAD GET / @ none close 1.0;END;"},
	    {"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
		"HEAD GET / @ none 1.0 [Connection=keep-alive];END;"},
	    {GET "\r\n" POST "Content-Length: 1\r\n\r\nx" GET "\r\n",
		"HEAD GET / @a none;END;HEAD POST / @a length=1;BODY x;END;HEAD GET / @a "
		"none;END;"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		expect_request(rows[i].bytes, rows[i].wanted);
}

static void reads_upgrade_requests(void **state)
{
	(void)state;
	static const struct row rows[] = {
	    {GET "Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n\r\n",
		"HEAD GET / @a none upgrade [Connection=keep-alive, Upgrade] "
		"[Upgrade=websocket];END;"},
	    {POST "Connection: Upgrade\r\nUpgrade: SPDY/3.1\r\nContent-Length: 0\r\n\r\n",
		"HEAD POST / @a length upgrade [Connection=Upgrade] [Upgrade=SPDY/3.1];END;"},
	    /* The upgrade is not taken up; the request stays an ordinary one. */
	    {GET "Connection: Upgrade\r\nUpgrade: h2c\r\n\r\n",
		"HEAD GET / @a none [Connection=Upgrade] [Upgrade=h2c];END;"},
	    {GET "Connection: Upgrade\r\nUpgrade: websocket, h2c\r\n\r\n",
		"HEAD GET / @a none [Connection=Upgrade] [Upgrade=websocket, h2c];END;"},
	    {GET "Upgrade: websocket\r\n\r\n", "HEAD GET / @a none [Upgrade=websocket];END;"},
	    {GET "Connection: Upgrade\r\nUpgrade: a\r\nUpgrade: b\r\n\r\n",
		"HEAD GET / @a none [Connection=Upgrade] [Upgrade=a] [Upgrade=b];END;"},
	    {POST "Connection: Upgrade\r\nUpgrade: a\r\nContent-Length: 2\r\n\r\nhi" GET "\r\n",
		"HEAD POST / @a length=2 [Connection=Upgrade] [Upgrade=a];BODY hi;END;HEAD GET / "
		"@a none;END;"},
	    {POST "Connection: Upgrade\r\nUpgrade: a\r\nTransfer-Encoding: "
		  "chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n",
		"HEAD POST / @a chunked [Connection=Upgrade] [Upgrade=a];BODY x;END;"},
	    {"GET / HTTP/1.0\r\nConnection: Upgrade\r\nUpgrade: a\r\n\r\n",
		"HEAD GET / @ none close 1.0 [Connection=Upgrade] [Upgrade=a];END;"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		expect_request(rows[i].bytes, rows[i].wanted);
}

static void refuses_bad_lines(void **state)
{
	(void)state;
	static const char *const rows[] = {
	    GET "A: b\r\n folded\r\n\r\n",
	    GET "A: b\r\n\tfolded\r\n\r\n",
	    "GET / HTTP/1.1\r\n Host: a\r\n\r\n",
	    "GET / HTTP/1.1\nHost: a\n\n",
	    GET "A: b\n\r\n",
	    GET "\n",
	    GET "A : b\r\n\r\n",
	    GET "A\t: b\r\n\r\n",
	    GET "A: b\rc\r\n\r\n",
	    GET "A: b\r\r\n\r\n",
	    GET ": b\r\n\r\n",
	    GET "A b: c\r\n\r\n",
	    GET "A\x01: c\r\n\r\n",
	    GET "A\xc3\xa9: c\r\n\r\n",
	    GET "A(b): c\r\n\r\n",
	    GET "nocolon\r\n\r\n",
	    GET "A: \x01\r\n\r\n",
	    GET "A: \x7f\r\n\r\n",
	    GET "A: \x0b\r\n\r\n",
	    "GET / HTTP/1.1\r\n\r\n",
	    GET "Host: a\r\n\r\n",
	    "GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n",
	    "GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
	    "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n",
	    "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n",
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		expect_request(rows[i], "ERROR 400;");
	static const char nul[] = GET "A: b\0c\r\n\r\n", nul_in_name[] = GET "A\0: b\r\n\r\n";
	expect_input(&(struct input){.kind = H1_REQUESTS, .bytes = nul, .len = sizeof nul - 1},
	    "ERROR 400;");
	expect_input(
	    &(struct input){
		.kind = H1_REQUESTS, .bytes = nul_in_name, .len = sizeof nul_in_name - 1},
	    "ERROR 400;");
}

static void refuses_bad_request_lines(void **state)
{
	(void)state;
	static const struct row rows[] = {
	    {"GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n", "ERROR 400;"},
	    {"GET a HTTP/1.1\r\nHost: a\r\n\r\n", "ERROR 400;"},
	    {"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "ERROR 400;"},
	    {"CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", "ERROR 501;"},
	    {"GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", "ERROR 400;"},
	    {"GET /a?b#c HTTP/1.1\r\nHost: a\r\n\r\n", "ERROR 400;"},
	    {"GET /caf\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n", "ERROR 400;"},
	    {"GET /a?\xff HTTP/1.1\r\nHost: a\r\n\r\n", "ERROR 400;"},
	    {"GET /a\x7f HTTP/1.1\r\nHost: a\r\n\r\n", "ERROR 400;"},
	    {"GET /a\x01 HTTP/1.1\r\nHost: a\r\n\r\n", "ERROR 400;"},
	    {"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", "ERROR 400;"},
	    {"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", "ERROR 400;"},
	    {"GET /  HTTP/1.1\r\nHost: a\r\n\r\n", "ERROR 400;"},
	    {"GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", "ERROR 400;"},
	    {" GET / HTTP/1.1\r\nHost: a\r\n\r\n", "ERROR 400;"},
	    {"GET / HTTP/1.1 \r\nHost: a\r\n\r\n", "ERROR 400;"},
	    {"GET / http/1.1\r\nHost: a\r\n\r\n", "ERROR 400;"},
	    {"GET / HTTP/11\r\nHost: a\r\n\r\n", "ERROR 400;"},
	    {"GET / HTTP/1.10\r\nHost: a\r\n\r\n", "ERROR 400;"},
	    {"GET / RTSP/1.0\r\nHost: a\r\n\r\n", "ERROR 400;"},
	    {"GET / HTTP/0.9\r\nHost: a\r\n\r\n", "ERROR 400;"},
	    {"GET /\r\n", "ERROR 400;"},
	    {"GET / HTTP/1.2\r\nHost: a\r\n\r\n", "ERROR 505;"},
	    {"GET / HTTP/2.0\r\nHost: a\r\n\r\n", "ERROR 505;"},
	    {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "ERROR 505;"},
	    {"FETCH / HTTP/1.1\r\nHost: a\r\n\r\n", "ERROR 501;"},
	    {"get / HTTP/1.1\r\nHost: a\r\n\r\n", "ERROR 501;"},
	    {"\x16\x03\x01\x02\x01\xfc\x03\r\n", "ERROR 400;"},
	    {"SSH-2.0-OpenSSH_9.2\r\n", "ERROR 400;"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		expect_request(rows[i].bytes, rows[i].wanted);
}

static void refuses_two_framings(void **state)
{
	(void)state;
	static const struct row rows[] = {
	    {POST "Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", "ERROR 400;"},
	    {POST "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabc", "ERROR 400;"},
	    {POST "Content-Length: 3, 3\r\n\r\nabc", "ERROR 400;"},
	    {POST "Content-Length: +3\r\n\r\nabc", "ERROR 400;"},
	    {POST "Content-Length: -1\r\n\r\nabc", "ERROR 400;"},
	    {POST "Content-Length: 0x3\r\n\r\nabc", "ERROR 400;"},
	    {POST "Content-Length: 3 3\r\n\r\nabc", "ERROR 400;"},
	    {POST "Content-Length:\r\n\r\n", "ERROR 400;"},
	    {POST "Content-Length: 18446744073709551619\r\n\r\nabc", "ERROR 400;"},
	    {POST "Content-Length: 9223372036854775808\r\n\r\nabc", "ERROR 400;"},
	    {POST "Content-Length: 00000000000000000003\r\n\r\nabc", "ERROR 400;"},
	    {POST "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "ERROR 400;"},
	    {POST "Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n", "ERROR 400;"},
	    {POST "Transfer-Encoding: xchunked\r\n\r\n", "ERROR 400;"},
	    {POST "Transfer-Encoding: chunked, identity\r\n\r\n", "ERROR 400;"},
	    {POST "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "ERROR 501;"},
	    {POST "Transfer-Encoding: gzip\r\n\r\n", "ERROR 400;"},
	    {POST "Transfer-Encoding: identity\r\n\r\n", "ERROR 400;"},
	    {POST "Transfer-Encoding: \"chunked\"\r\n\r\n", "ERROR 400;"},
	    {POST "Transfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n", "ERROR 400;"},
	    {POST "Transfer-Encoding:\r\n\r\n", "ERROR 400;"},
	    {POST "Transfer-Encoding: \tchunked\r\n\r\n0\r\n\r\n", "ERROR 400;"},
	    {POST "Transfer-Encoding:\tchunked\r\n\r\n0\r\n\r\n", "ERROR 400;"},
	    {POST "Transfer-Encoding: chunked\t\r\n\r\n0\r\n\r\n", "ERROR 400;"},
	    {POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"ERROR 400;"},
	    {POST "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"ERROR 400;"},
	    {"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "ERROR 400;"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		expect_request(rows[i].bytes, rows[i].wanted);
}

static void refuses_bad_chunks(void **state)
{
	(void)state;
	static const struct row rows[] = {
	    {CHUNKED "3\nabc\r\n0\r\n\r\n", CHUNKED_HEAD "ERROR 400;"},
	    {CHUNKED "3\r\nabc\n0\r\n\r\n", CHUNKED_HEAD "BODY abc;ERROR 400;"},
	    {CHUNKED "3\r\nabcd\r\n0\r\n\r\n", CHUNKED_HEAD "BODY abc;ERROR 400;"},
	    {CHUNKED "0\n\r\n", CHUNKED_HEAD "ERROR 400;"},
	    {CHUNKED "0\r\n\n", CHUNKED_HEAD "ERROR 400;"},
	    {CHUNKED "0\r\nA: b\n\r\n", CHUNKED_HEAD "ERROR 400;"},
	    {CHUNKED "0\r\nA: b\r\n c\r\n\r\n", CHUNKED_HEAD "ERROR 400;"},
	    {CHUNKED "0x3\r\nabc\r\n0\r\n\r\n", CHUNKED_HEAD "ERROR 400;"},
	    {CHUNKED "-3\r\nabc\r\n0\r\n\r\n", CHUNKED_HEAD "ERROR 400;"},
	    {CHUNKED " 3\r\nabc\r\n0\r\n\r\n", CHUNKED_HEAD "ERROR 400;"},
	    {CHUNKED "3 \r\nabc\r\n0\r\n\r\n", CHUNKED_HEAD "ERROR 400;"},
	    {CHUNKED "\r\nabc", CHUNKED_HEAD "ERROR 400;"},
	    {CHUNKED ";a\r\nabc", CHUNKED_HEAD "ERROR 400;"},
	    {CHUNKED "10000000000000003\r\nabc", CHUNKED_HEAD "ERROR 400;"},
	    {CHUNKED "3;a\nb\r\nabc\r\n0\r\n\r\n", CHUNKED_HEAD "ERROR 400;"},
	    {CHUNKED "3;a=\"b\nc\"\r\nabc\r\n0\r\n\r\n", CHUNKED_HEAD "ERROR 400;"},
	    {CHUNKED "3;a\rb\r\nabc\r\n0\r\n\r\n", CHUNKED_HEAD "ERROR 400;"},
	    {CHUNKED
		"3;0123456789012345678901234567890123456789012345678901234567890123456789\r\nabc",
		CHUNKED_HEAD "ERROR 400;"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		expect_request(rows[i].bytes, rows[i].wanted);
}

static void refuses_too_much(void **state)
{
	(void)state;
	struct buf many = {0}, big = {0}, endless = {0}, trailers = {0};
	buf_append_text(&many, "GET / HTTP/1.1\r\nHost: a\r\n");
	for (unsigned i = 0; i < limits.field_count - 1; i++)
		buf_printf(&many, "A%u: b\r\n", i);
	struct buf enough = {0};
	buf_printf(&enough, "%s\r\n", buf_text(&many));
	buf_append_text(&many, "One: more\r\n\r\n");
	expect_request(buf_text(&many), "ERROR 431;");
	struct script script = {.reader = h1_reader_new(H1_REQUESTS, &limits)};
	feed(&script, enough.data, enough.len);
	assert_non_null(strstr(buf_text(&script.text), "[A18=b];END;"));
	h1_reader_free(&script.reader);

	buf_printf(&big, GET "A: %02040d\r\n\r\n", 0);
	expect_request(buf_text(&big), "ERROR 431;");
	buf_printf(&endless, "GET /%04096d", 0);
	expect_request(buf_text(&endless), "ERROR 431;");
	buf_append_text(&trailers, CHUNKED "0\r\n");
	for (unsigned i = 0; i < 300; i++)
		buf_append_text(&trailers, "Trailer: x\r\n");
	expect_request(buf_text(&trailers), CHUNKED_HEAD "ERROR 431;");
	buf_clear(&trailers);
	buf_append_text(&trailers, CHUNKED "0\r\n");
	for (unsigned i = 0; i < limits.head_bytes + 1; i++)
		buf_append_text(&trailers, "T\r\n");
	expect_request(buf_text(&trailers), CHUNKED_HEAD "ERROR 431;");
	buf_free(&many);
	buf_free(&enough);
	buf_free(&big);
	buf_free(&endless);
	buf_free(&trailers);
	buf_free(&script.text);
}

#define OK "HTTP/1.1 200 OK\r\n"

static void reads_responses(void **state)
{
	(void)state;
	static const struct row rows[] = {
	    {OK "Content-Length: 2\r\nX: y\r\n\r\nhi", "HEAD 200 length=2 [X=y];BODY hi;END;"},
	    {OK "Content-Length: 0\r\n\r\n", "HEAD 200 length;END;"},
	    {OK "Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nT: x\r\n\r\n",
		"HEAD 200 chunked;BODY hi;[T=x] END;"},
	    {OK "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nA: b\r\nC:\t d e \r\n"
		"E:\r\n\r\n" OK "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"HEAD 200 chunked;BODY x;[A=b] [C=d e] [E=] END;HEAD 200 chunked;END;"},
	    {OK "Transfer-Encoding: chunked\r\n\r\n0\r\nA b: c\r\n\r\n",
		"HEAD 200 chunked;ERROR 400;"},
	    {OK "Transfer-Encoding: chunked\r\n\r\n0\r\nABC\r\n\r\n",
		"HEAD 200 chunked;ERROR 400;"},
	    {OK "\r\nto the end", "HEAD 200 to-close close;BODY to the end;END;"},
	    {OK "\r\n", "HEAD 200 to-close close;END;"},
	    {"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\nx",
		"HEAD 200 length=1 close 1.0;BODY x;END;"},
	    {"HTTP/1.1 204 No Content\r\n\r\n" OK "Content-Length: 1\r\n\r\nx",
		"HEAD 204 none;END;HEAD 200 length=1;BODY x;END;"},
	    {"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", "HEAD 304 none=9;END;"},
	    {"HTTP/1.1 100 Continue\r\n\r\n" OK "Content-Length: 1\r\n\r\nx",
		"HEAD 100 none;HEAD 200 length=1;BODY x;END;"},
	    {"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 404 \r\nContent-Length: "
	     "0\r\n\r\n",
		"HEAD 103 none [Link=x];HEAD 404 length;END;"},
	    {"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: "
	     "websocket\r\n\r\n\x81\x01x",
		"HEAD 101 none upgrade [Connection=Upgrade] [Upgrade=websocket];UPGRADED;"},
	    {OK "Connection: Upgrade\r\nUpgrade: x\r\nContent-Length: 1\r\n\r\nx",
		"HEAD 200 length=1 [Connection=Upgrade] [Upgrade=x];BODY x;END;"},
	    {OK "Content-Length: 1\r\nConnection: close\r\n\r\nxEXTRA",
		"HEAD 200 length=1 close [Connection=close];BODY x;END;"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		expect_response(rows[i].bytes, rows[i].wanted);
}

static void reads_answers_to_head(void **state)
{
	(void)state;
	static const struct row rows[] = {
	    {OK "Content-Length: 5\r\n\r\n" OK "Content-Length: 1\r\n\r\nx",
		"HEAD 200 none=5;END;HEAD 200 length=1;BODY x;END;"},
	    {OK "Transfer-Encoding: chunked\r\n\r\n", "HEAD 200 none;END;"},
	    {OK "\r\n", "HEAD 200 none;END;"},
	    {"HTTP/1.1 100 Continue\r\n\r\n" OK "Content-Length: 5\r\n\r\n",
		"HEAD 100 none;HEAD 200 none=5;END;"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		expect_input(&(struct input){.kind = H1_RESPONSES,
				 .bytes = rows[i].bytes,
				 .len = strlen(rows[i].bytes),
				 .is_head_answer = true,
				 .ends = true},
		    rows[i].wanted);
}

static void refuses_bad_responses(void **state)
{
	(void)state;
	static const struct row rows[] = {
	    {"HTTP/1.1 200 OK\r\nA: b\n\r\n", "ERROR 400;"},
	    {"HTTP/1.1 200 OK\nContent-Length: 0\n\n", "ERROR 400;"},
	    {"\r\nHTTP/1.1 200 OK\r\n\r\n", "ERROR 400;"},
	    {"<html>\r\n", "ERROR 400;"},
	    {"HTTP/2.0 200 OK\r\n\r\n", "ERROR 505;"},
	    {"HTTP/1.1 99 OK\r\n\r\n", "ERROR 400;"},
	    {"HTTP/1.1 600 OK\r\n\r\n", "ERROR 400;"},
	    {"HTTP/1.1 20 OK\r\n\r\n", "ERROR 400;"},
	    {"HTTP/1.1 2000 OK\r\n\r\n", "ERROR 400;"},
	    {"HTTP/1.1 x00 OK\r\n\r\n", "ERROR 400;"},
	    {"HTTP/1.1 101 Switching Protocols\r\n\r\n", "ERROR 400;"},
	    {OK "Content-Length: 1\r\nContent-Length: 1\r\n\r\nx", "ERROR 400;"},
	    {OK "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "ERROR 400;"},
	    {OK "Transfer-Encoding: gzip\r\n\r\n", "ERROR 400;"},
	    {OK "Transfer-Encoding: gzip, chunked\r\n\r\n", "ERROR 501;"},
	    {"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"ERROR 400;"},
	    {OK "Content-Length: 5\r\n\r\nabc", "HEAD 200 length=5;BODY abc;ERROR 400;"},
	    {OK "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
		"HEAD 200 chunked;BODY abc;ERROR 400;"},
	    {OK "Content-Len", "ERROR 400;"},
	    {OK "Content-Length: 1\r\n\r\nxJUNK", "HEAD 200 length=1;BODY x;END;ERROR 400;"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		expect_response(rows[i].bytes, rows[i].wanted);
}

static void tells_whether_it_is_idle(void **state)
{
	(void)state;
	struct h1_reader *reader = h1_reader_new(H1_REQUESTS, &limits);
	size_t used;
	assert_true(h1_reader_is_idle(reader));
	assert_int_equal(h1_reader_next(reader, (const uint8_t *)"\r\n", 2, &used), H1_MORE);
	assert_true(h1_reader_is_idle(reader));
	assert_int_equal(h1_reader_finish(reader), H1_MORE);
	assert_int_equal(h1_reader_next(reader, (const uint8_t *)"G", 1, &used), H1_MORE);
	assert_false(h1_reader_is_idle(reader));
	const char *rest = "ET / HTTP/1.1\r\nHost: a\r\n\r\n";
	assert_int_equal(
	    h1_reader_next(reader, (const uint8_t *)rest, strlen(rest), &used), H1_HEAD);
	assert_int_equal(used, strlen(rest));
	assert_false(h1_reader_is_idle(reader));
	assert_int_equal(h1_reader_next(reader, NULL, 0, &used), H1_END);
	assert_true(h1_reader_is_idle(reader));
	h1_reader_free(&reader);
	assert_null(reader);
}

/* Heads after the first reuse the memory of the reader. */
static void keeps_its_memory(void **state)
{
	(void)state;
	struct h1_reader *reader = h1_reader_new(H1_REQUESTS, &limits);
	const char *bytes = GET "Accept: x\r\n\r\n";
	const char *block = NULL;
	for (unsigned i = 0; i < 5; i++) {
		size_t used;
		assert_int_equal(
		    h1_reader_next(reader, (const uint8_t *)bytes, strlen(bytes), &used), H1_HEAD);
		if (block != NULL)
			assert_ptr_equal(h1_reader_head(reader)->fields.block, block);
		block = h1_reader_head(reader)->fields.block;
		assert_int_equal(h1_reader_next(reader, NULL, 0, &used), H1_END);
	}
	h1_reader_free(&reader);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(reads_requests),
	    cmocka_unit_test(reads_upgrade_requests),
	    cmocka_unit_test(refuses_bad_lines),
	    cmocka_unit_test(refuses_bad_request_lines),
	    cmocka_unit_test(refuses_two_framings),
	    cmocka_unit_test(refuses_bad_chunks),
	    cmocka_unit_test(refuses_too_much),
	    cmocka_unit_test(reads_responses),
	    cmocka_unit_test(reads_answers_to_head),
	    cmocka_unit_test(refuses_bad_responses),
	    cmocka_unit_test(tells_whether_it_is_idle),
	    cmocka_unit_test(keeps_its_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
