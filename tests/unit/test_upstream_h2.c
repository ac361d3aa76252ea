/* An HTTP/2 connection to an API server, against nghttp2 on a made-up stream: answers, uploads,
 * pauses, and where the token goes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/xmem.h"
#include "kubeproxyd/net/holdings.h"
#include "tests/unit/upstream_h2_world.h"

/* --- answers ---------------------------------------------------------------------------------- */

static void test_request_and_answer(void **state)
{
	(void)state;
	get(0);
	open_stream();
	talk();
	assert_int_equal(connects, 1);
	struct h2_end_stream *stream = h2_end_find(&server, 1);
	assert_string_equal(buf_text(&stream->head),
	    ":method: GET\n:scheme: https\n:authority: api.example\n:path: /api\n"
	    "authorization: " TOKEN "\nimpersonate-user: alice\n");
	assert_true(stream->has_end);
	answer(1, "200", "hello");
	talk();
	assert_int_equal(requests[0].status, 200);
	assert_int_equal(requests[0].body_kind, HTTP_BODY_CHUNKED);
	assert_string_equal(buf_text(&requests[0].body), "hello");
	assert_int_equal(requests[0].ends, 1);
	assert_int_equal(stream->code, NGHTTP2_NO_ERROR);
}

static void test_many_at_a_time(void **state)
{
	(void)state;
	open_stream();
	for (unsigned i = 0; i < REQUESTS; i++)
		get(i);
	talk();
	assert_int_equal(server.count, REQUESTS);
	for (unsigned i = REQUESTS; i > 0; i--)
		answer((int32_t)(2 * i - 1), "200", "x");
	talk();
	for (unsigned i = 0; i < REQUESTS; i++)
		assert_int_equal(requests[i].ends, 1);
	assert_int_equal(upstream_h2_requests(connection), 0);
}

static void test_interim_heads_and_trailers_stay_here(void **state)
{
	(void)state;
	get(0);
	open_stream();
	talk();
	nghttp2_nv field = {(uint8_t[]){":status"}, (uint8_t[]){"103"}, 7, 3, 0};
	nghttp2_submit_headers(server.session, 0, 1, NULL, &field, 1, NULL);
	talk();
	assert_int_equal(requests[0].heads, 0);
	answer(1, "200", "x");
	talk();
	assert_int_equal(requests[0].heads, 1);
	assert_int_equal(requests[0].status, 200);
}

static void test_lengths_and_bodiless_answers(void **state)
{
	(void)state;
	static const struct {
		const char *method;
		const char *status;
		const char *length;
		const char *body;
		enum http_body_kind kind;
		uint64_t declared;
	} rows[] = {
	    {"GET", "200", "2", "ok", HTTP_BODY_LENGTH, 2},
	    {"HEAD", "200", "42", NULL, HTTP_BODY_NONE, 42},
	    {"GET", "304", "42", NULL, HTTP_BODY_NONE, 42},
	    {"GET", "204", NULL, NULL, HTTP_BODY_NONE, 0},
	    {"GET", "200", "0", NULL, HTTP_BODY_NONE, 0},
	    {"GET", "200", NULL, "", HTTP_BODY_CHUNKED, 0},
	};
	open_stream();
	for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		lend(i, NULL);
		ask(i, rows[i].method, HTTP_BODY_NONE, TOKEN);
		talk();
		int32_t id = h2_end_last(&server)->id;
		const char *pairs[] = {":status", rows[i].status,
		    rows[i].length != NULL ? "content-length" : NULL, rows[i].length, NULL};
		h2_end_answer(&server, id, pairs, rows[i].body != NULL);
		if (rows[i].body != NULL)
			h2_end_send(&server, id, rows[i].body, strlen(rows[i].body), true);
		talk();
		assert_int_equal(requests[i].body_kind, rows[i].kind);
		assert_int_equal(requests[i].content_length, rows[i].declared);
		assert_int_equal(requests[i].ends, 1);
	}
}

/* The bodies held while paused are bounded by the stream's window, and nothing is lost. */
static void test_pause_and_resume(void **state)
{
	(void)state;
	static char text[2 * WINDOW + 1];
	memset(text, 'x', sizeof text - 1);
	requests[0].pauses = true;
	get(0);
	get(1);
	open_stream();
	talk();
	answer(1, "200", text);
	talk();
	size_t first = requests[0].body.len;
	assert_true(first > 0 && first <= WINDOW);
	size_t unsent = h2_end_find(&server, 1)->to_send.len;
	assert_true(unsent > 0 && unsent >= sizeof text - 1 - WINDOW - first);
	answer(3, "200", text);
	talk();
	assert_int_equal(requests[1].body.len, sizeof text - 1);
	requests[0].pauses = false;
	requests[0].peer.verbs->resume(requests[0].peer.object);
	talk();
	assert_int_equal(requests[0].body.len, sizeof text - 1);
	assert_int_equal(requests[0].ends, 1);
}

/* Whoever takes a little at a time gets no more at once, and it is all the same whole. */
static void test_paused_again(void **state)
{
	(void)state;
	static char text[WINDOW + 1];
	for (size_t i = 0; i < sizeof text - 1; i++)
		text[i] = (char)('a' + i % 26);
	requests[0].pauses = true;
	get(0);
	open_stream();
	talk();
	answer(1, "200", text);
	talk();
	unsigned resumed = 0;
	for (size_t before; requests[0].ends == 0; resumed++) {
		before = requests[0].body.len;
		assert_true(resumed < 100);
		requests[0].peer.verbs->resume(requests[0].peer.object);
		talk();
		assert_in_range(requests[0].body.len - before, 0, 16 * 1024);
	}
	assert_true(resumed >= 10);
	assert_string_equal(buf_text(&requests[0].body), text);
}

static void leave(void)
{
	release(&requests[0]);
}

/* Nor is there more for one that left with what it got. */
static void test_released_by_what_was_held(void **state)
{
	(void)state;
	static char text[WINDOW / 2];
	memset(text, 'x', sizeof text - 1);
	requests[0].pauses = true;
	get(0);
	open_stream();
	talk();
	answer(1, "200", text);
	talk();
	size_t before = requests[0].body.len;
	requests[0].meanwhile = leave;
	requests[0].peer.verbs->resume(requests[0].peer.object);
	talk();
	assert_in_range(requests[0].body.len - before, 1, 16 * 1024);
	assert_int_equal(requests[0].ends, 0);
}

static struct holdings holdings;
static unsigned rooms;

static void release_first(void *arg, size_t more)
{
	(void)arg;
	assert_true(more > 0);
	if (rooms++ == 0)
		release(&requests[0]);
}

/* What is held is counted. When there is no room for more, the one that would hold it may be the
 * one that goes: nothing of it stays. */
static void test_holdings(void **state)
{
	(void)state;
	static char text[WINDOW / 2];
	struct upstream_want want = {.holdings = &holdings};
	holdings = (struct holdings){.limit = 64u * 1024, .make_room = release_first};
	rooms = 0;
	memset(text, 'x', sizeof text - 1);
	for (unsigned i = 0; i < 2; i++) {
		requests[i].pauses = true;
		(void)lend(i, &want);
		ask(i, "GET", HTTP_BODY_NONE, TOKEN);
	}
	open_stream();
	talk();
	answer(1, "200", text);
	talk();
	assert_true(rooms >= 1);
	assert_int_equal(holdings.held, 0);
	answer(3, "200", text);
	talk();
	assert_true(rooms >= 2);
	assert_true(holdings.held > 64u * 1024);
	requests[1].pauses = false;
	requests[1].peer.verbs->resume(requests[1].peer.object);
	talk();
	assert_int_equal(requests[1].body.len, sizeof text - 1);
	assert_int_equal(requests[1].ends, 1);
	assert_int_equal(holdings.held, 0);
}

/* Whole, but held: it is told although the connection died meanwhile. */
static void test_whole_answer_outlives_its_connection(void **state)
{
	(void)state;
	requests[0].pauses = true;
	get(0);
	open_stream();
	talk();
	const char *const pairs[] = {":status", "200", NULL};
	h2_end_answer(&server, 1, pairs, true);
	h2_end_send(&server, 1, "first", 5, false);
	talk();
	h2_end_send(&server, 1, "second", 6, true);
	talk();
	assert_string_equal(buf_text(&requests[0].body), "first");
	streams[0].events->on_error(streams[0].arg, "connection reset");
	end_turn();
	assert_int_equal(deaths, 1);
	assert_int_equal(requests[0].failures, 0);
	requests[0].pauses = false;
	requests[0].peer.verbs->resume(requests[0].peer.object);
	end_turn();
	assert_string_equal(buf_text(&requests[0].body), "firstsecond");
	assert_int_equal(requests[0].ends, 1);
	assert_int_equal(requests[0].failures, 0);
}

/* --- uploads ---------------------------------------------------------------------------------- */

static void test_upload_waits_for_its_window(void **state)
{
	(void)state;
	connect_to(
	    &(struct h2_end_options){.is_server = true, .gives_no_credit = true, .window = 100000});
	lend(0, NULL);
	ask(0, "POST", HTTP_BODY_CHUNKED, TOKEN);
	talk();
	assert_false(post(0, 1024 * 1024, false));
	talk();
	struct h2_end_stream *stream = h2_end_find(&server, 1);
	assert_true(stream->body.len <= 100000);
	assert_int_equal(requests[0].drains, 0);
	size_t seen = 0;
	while (requests[0].drains == 0 && seen < stream->body.len) {
		size_t more = stream->body.len - seen;
		seen = stream->body.len;
		h2_end_credit(&server, 1, more);
		talk();
	}
	assert_int_equal(requests[0].drains, 1);
	post(0, 1000, true);
	for (unsigned turn = 0; turn < 100 && !stream->has_end; turn++) {
		size_t more = stream->body.len - seen;
		seen = stream->body.len;
		h2_end_credit(&server, 1, more);
		talk();
	}
	assert_true(stream->has_end);
	assert_int_equal(stream->body.len, 1024 * 1024 + 1000);
}

static void test_early_answer_to_an_upload(void **state)
{
	(void)state;
	open_stream();
	lend(0, NULL);
	ask(0, "POST", HTTP_BODY_CHUNKED, TOKEN);
	post(0, 10, false);
	talk();
	answer(1, "413", "too large");
	talk();
	assert_int_equal(requests[0].ends, 1);
	assert_true(h2_end_find(&server, 1)->is_closed);
	assert_int_equal(h2_end_find(&server, 1)->code, NGHTTP2_CANCEL);
	get(1);
	talk();
	answer(3, "200", "x");
	talk();
	assert_int_equal(requests[1].ends, 1);
}

/* --- the token -------------------------------------------------------------------------------- */

static void assert_token(int32_t id, const char *token)
{
	char *line = xasprintf("authorization: %s\n", token);
	const char *head = buf_text(&h2_end_find(&server, id)->head);
	const char *at = strstr(head, line);
	assert_non_null(at);
	assert_null(strstr(at + 1, "authorization"));
	free(line);
}

/* Before anything is written: the second cannot be spliced, the third can again. */
static void test_two_tokens_in_one_turn(void **state)
{
	(void)state;
	static const char *const tokens[] = {"Bearer one", "Bearer two", "Bearer one"};
	for (unsigned i = 0; i < 3; i++) {
		lend(i, NULL);
		ask(i, "GET", HTTP_BODY_NONE, tokens[i]);
	}
	open_stream();
	talk();
	for (unsigned i = 0; i < 3; i++)
		assert_token((int32_t)(2 * i + 1), tokens[i]);
	lend(3, NULL);
	ask(3, "GET", HTTP_BODY_NONE, "Bearer two");
	talk();
	assert_token(7, "Bearer two");
	lend(4, NULL);
	ask(4, "GET", HTTP_BODY_NONE, NULL);
	talk();
	assert_null(strstr(buf_text(&h2_end_find(&server, 9)->head), "authorization"));
}

/* Its bytes, and what they are when they came. */
static size_t length_of_request(unsigned i, const char *token)
{
	lend(i, NULL);
	ask(i, "GET", HTTP_BODY_NONE, token);
	end_turn();
	size_t len = streams[0].written.len;
	talk();
	assert_token((int32_t)(2 * i + 1), token);
	return len;
}

static void test_a_token_is_sent_once(void **state)
{
	(void)state;
	char first[1500], second[1500];
	memset(first, 'a', sizeof first);
	memset(second, 'b', sizeof second);
	first[sizeof first - 1] = second[sizeof second - 1] = '\0';
	open_stream();
	talk();
	assert_true(length_of_request(0, first) > sizeof first);
	assert_true(length_of_request(1, first) < 100);
	assert_true(length_of_request(2, second) > sizeof second);
	assert_true(length_of_request(3, second) < 100);
	/* The table had it, but is not asked for what came before. */
	assert_true(length_of_request(4, first) > sizeof first);
	nghttp2_settings_entry small = {NGHTTP2_SETTINGS_HEADER_TABLE_SIZE, 1000};
	assert_int_equal(nghttp2_submit_settings(server.session, 0, &small, 1), 0);
	talk();
	for (unsigned i = 5; i < REQUESTS; i++)
		assert_true(length_of_request(i, first) > sizeof first);
}

/* One that was given up before its frame was written does not keep the old literal. */
static void test_token_of_a_request_given_up(void **state)
{
	(void)state;
	lend(0, NULL);
	ask(0, "GET", HTTP_BODY_NONE, "Bearer one");
	release(&requests[0]);
	lend(1, NULL);
	ask(1, "GET", HTTP_BODY_NONE, "Bearer two");
	open_stream();
	talk();
	assert_int_equal(server.count, 1);
	assert_token(h2_end_last(&server)->id, "Bearer two");
}

/* What it would have said of the token is not there for those behind it. */
static void test_same_token_as_of_a_request_given_up(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		lend(i, NULL);
		ask(i, "GET", HTTP_BODY_NONE, TOKEN);
	}
	release(&requests[0]);
	open_stream();
	talk();
	assert_int_equal(server.count, 1);
	assert_token(h2_end_last(&server)->id, TOKEN);
}

static void test_large_heads_are_not_spliced(void **state)
{
	(void)state;
	static const size_t sizes[] = {13000, 14000, 15000, 15300, 16000, 16384, 40000, 200000};
	open_stream();
	for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		struct http_head head = {0};
		char name[16], value[5001];
		memset(value, '{', sizeof value); /* 15 bits in Huffman's code */
		fill_head(&head, "GET", TOKEN);
		for (size_t left = sizes[i], n = 0; left > 0; n++) {
			size_t len = left < 5000 ? left : 5000;
			snprintf(name, sizeof name, "N-%zu", n);
			fields_add(&head.fields, name, strlen(name), value, len);
			left -= len;
		}
		struct peer peer = lend(i, NULL);
		assert_true(peer.verbs->send_head(peer.object, &head));
		peer.verbs->send_end(peer.object);
		http_head_free(&head);
		talk();
		assert_token((int32_t)(2 * i + 1), TOKEN);
		assert_true(h2_end_find(&server, (int32_t)(2 * i + 1))->has_end);
	}
}

static void test_hundreds_of_groups(void **state)
{
	(void)state;
	struct http_head head = {0};
	fill_head(&head, "GET", TOKEN);
	for (unsigned i = 0; i < 1500; i++)
		fields_add_text(&head.fields, "Impersonate-Group", "engineering");
	open_stream();
	struct peer peer = lend(0, NULL);
	assert_true(peer.verbs->send_head(peer.object, &head));
	http_head_free(&head);
	talk();
	unsigned count = 0;
	const char *at = buf_text(&h2_end_find(&server, 1)->head);
	while ((at = strstr(at, "impersonate-group: engineering\n")) != NULL) {
		at++;
		count++;
	}
	assert_int_equal(count, 1500);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    CASE(test_request_and_answer),
	    CASE(test_many_at_a_time),
	    CASE(test_interim_heads_and_trailers_stay_here),
	    CASE(test_lengths_and_bodiless_answers),
	    CASE(test_pause_and_resume),
	    CASE(test_paused_again),
	    CASE(test_released_by_what_was_held),
	    CASE(test_holdings),
	    CASE(test_whole_answer_outlives_its_connection),
	    CASE(test_upload_waits_for_its_window),
	    CASE(test_early_answer_to_an_upload),
	    CASE(test_two_tokens_in_one_turn),
	    CASE(test_a_token_is_sent_once),
	    CASE(test_token_of_a_request_given_up),
	    CASE(test_same_token_as_of_a_request_given_up),
	    CASE(test_large_heads_are_not_spliced),
	    CASE(test_hundreds_of_groups),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
