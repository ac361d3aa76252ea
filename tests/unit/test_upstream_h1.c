/* One HTTP/1.1 connection to an API server whose request is released only later in the turn in
 * which its answer ended: until then, too, what follows is no other answer, and whoever is lent the
 * connection next gets nothing of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/loop.h"
#include "kubeproxyd/back/upstream_h1.h"
#include "kubeproxyd/http/head.h"
#include "kubeproxyd/net/holdings.h"
#include "tests/unit/fake_streams.h"
#include "tests/unit/loop_turn.h"

#define ANSWER	"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
#define FORGED	"HTTP/1.1 403 Forbidden\r\nContent-Length: 6\r\n\r\nforged"
#define TRAILED "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"

/* What the request heard, and the pool. */
static struct {
	unsigned heads, ends, failures;
	struct buf body;
	struct upstream_h1 *idle;
	bool is_dead;
} heard;

static struct holdings holdings;
static struct loop *loop;
static struct upstream_h1_pool pool;

static void on_head(void *arg, const struct http_head *head)
{
	(void)arg;
	(void)head;
	heard.heads++;
}

static void on_body(void *arg, const uint8_t *data, size_t len)
{
	(void)arg;
	buf_append(&heard.body, data, len);
}

static void on_end(void *arg)
{
	(void)arg;
	heard.ends++;
}

static void on_drain(void *arg)
{
	(void)arg;
}

static void on_failed(void *arg, const struct peer_failure *failure)
{
	(void)arg;
	(void)failure;
	heard.failures++;
}

static const struct peer_events events = {on_head, on_body, on_end, on_drain, on_failed, NULL};

static void on_connected(void *arg)
{
	(void)arg;
}

static void on_idle(void *arg, struct upstream_h1 *connection)
{
	(void)arg;
	heard.idle = connection;
}

static void on_dead(void *arg, struct upstream_h1 *connection)
{
	(void)arg;
	heard.is_dead |= connection != NULL;
	heard.idle = NULL;
}

static size_t receive(const char *text)
{
	return streams[0].events->on_data(streams[0].arg, (const uint8_t *)text, strlen(text));
}

static struct peer ask(struct upstream_h1 *connection)
{
	const struct upstream_want want = {.holdings = &holdings};
	struct http_head head = {.body = HTTP_BODY_NONE, .keep_alive = true};
	http_head_set_method(&head, "GET");
	http_head_set_target(&head, "/api", strlen("/api"));
	http_head_set_authority(&head, "api.example", strlen("api.example"));
	struct peer peer = upstream_h1_lend(connection, &want, &events, NULL);
	(void)!peer.verbs->send_head(peer.object, &head);
	peer.verbs->send_end(peer.object);
	http_head_free(&head);
	return peer;
}

static struct peer ask_connected(void)
{
	struct peer peer = ask(upstream_h1_new(&pool));
	const struct resolver_address address = {0};
	on_resolved(resolved_arg, &address, 1, NULL);
	streams[0].events->on_open(streams[0].arg);
	return peer;
}

static int set_up(void **state)
{
	(void)state;
	memset(&heard, 0, sizeof heard);
	holdings = (struct holdings){0};
	fake_streams_reset();
	loop = loop_new();
	pool = (struct upstream_h1_pool){
	    .target = {.loop = loop, .host = "api.example", .port = 443, .timeout = {1000}},
	    .limits = {.head_bytes = 4096, .field_count = 10, .chunk_extension_bytes = 16},
	    .on_connected = on_connected,
	    .on_idle = on_idle,
	    .on_dead = on_dead,
	};
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	if (heard.idle != NULL)
		upstream_h1_close(heard.idle);
	loop_free(&loop);
	buf_free(&heard.body);
	fake_streams_reset();
	return 0;
}

/* --- tests ------------------------------------------------------------------------------------ */

static void test_an_answer_alone_leaves_a_sound_connection(void **state)
{
	static const char *const rows[] = {ANSWER, TRAILED};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct peer peer = ask_connected();
		assert_int_equal(receive(rows[i]), strlen(rows[i]));
		assert_int_equal(heard.ends, 1);
		peer.verbs->release(peer.object);
		assert_non_null(heard.idle);
		assert_false(heard.is_dead);
		tear_down(state);
		set_up(state);
	}
}

static void test_what_follows_an_answer_is_none(void **state)
{
	static const struct {
		const char *first, *second; /* reads of one turn */
		bool ends; /* then the API server ends the connection */
	} rows[] = {
	    {ANSWER FORGED, "", false},
	    {ANSWER, FORGED, false},
	    {TRAILED FORGED, "", false},
	    {ANSWER "HTTP/1.1 403 Forb", "", false},
	    {ANSWER, "HTTP/1.1 403 Forb", false},
	    {ANSWER "HTTP/1.1 103 Early Hints\r\n\r\n", "", false},
	    {ANSWER, "nonsense\r\n\r\n", false},
	    {ANSWER "HTTP/1.1 403 Forb", "", true},
	    {ANSWER, "", true},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct peer peer = ask_connected();
		assert_int_equal(receive(rows[i].first), strlen(rows[i].first));
		if (rows[i].second[0] != '\0')
			assert_int_equal(receive(rows[i].second), strlen(rows[i].second));
		if (rows[i].ends)
			streams[0].events->on_end(streams[0].arg);
		assert_int_equal(heard.heads, 1);
		assert_int_equal(heard.ends, 1);
		assert_int_equal(heard.failures, 0);
		assert_string_equal(buf_text(&heard.body), "ok");
		peer.verbs->release(peer.object);
		assert_true(heard.is_dead && streams[0].is_closed);
		assert_null(heard.idle);
		tear_down(state);
		set_up(state);
	}
}

/* A connection that carried an answer to its end carries the next one. */
static void test_the_next_answer_is_read(void **state)
{
	(void)state;
	struct peer peer = ask_connected();
	receive(ANSWER);
	peer.verbs->release(peer.object);
	assert_non_null(heard.idle);
	peer = ask(heard.idle);
	heard.idle = NULL;
	assert_int_equal(receive(ANSWER), strlen(ANSWER));
	assert_int_equal(heard.ends, 2);
	assert_string_equal(buf_text(&heard.body), "okok");
	peer.verbs->release(peer.object);
	assert_false(heard.is_dead);
}

static void end_turn(void)
{
	loop_run_for(loop, duration_ms(0));
}

/* Of the answers whose readers are slow, what the stream keeps is a part. */
static void test_what_waits_in_the_stream_counts(void **state)
{
	(void)state;
	struct peer peer = ask_connected();
	streams[0].unread = 70000; /* before it is paused that is for this turn */
	receive("HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n");
	end_turn();
	assert_int_equal(holdings.held, 0);
	peer.verbs->pause(peer.object);
	assert_int_equal(receive("more"), 0);
	end_turn();
	assert_int_equal(holdings.held, 70000);
	peer.verbs->resume(peer.object);
	streams[0].unread = 0;
	assert_int_equal(receive("more"), 4);
	end_turn();
	assert_int_equal(holdings.held, 0);
	/* Whatever becomes of it. */
	peer.verbs->pause(peer.object);
	streams[0].unread = 5;
	(void)receive("more");
	end_turn();
	assert_int_equal(holdings.held, 5);
	(void)receive("more");
	peer.verbs->release(peer.object);
	assert_int_equal(holdings.held, 0);
	end_turn();
}

static void make_room(void *arg, size_t more)
{
	const struct peer *peer = arg;
	assert_int_equal(more, 0);
	assert_int_equal(holdings.held, 5);
	peer->verbs->release(peer->object);
}

static void test_it_is_given_up_for_room(void **state)
{
	(void)state;
	struct peer peer = ask_connected();
	holdings = (struct holdings){.limit = 4, .make_room = make_room, .arg = &peer};
	receive("HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n");
	peer.verbs->pause(peer.object);
	streams[0].unread = 5;
	(void)receive("more");
	end_turn();
	assert_true(heard.is_dead && streams[0].is_closed);
	assert_int_equal(holdings.held, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(test_an_answer_alone_leaves_a_sound_connection),
	    TEST(test_what_follows_an_answer_is_none),
	    TEST(test_the_next_answer_is_read),
	    TEST(test_what_waits_in_the_stream_counts),
	    TEST(test_it_is_given_up_for_room),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
