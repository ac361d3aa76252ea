/* The mover of bodies: what is kept for a replay, what is written through, and who is paused when.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "kubeproxyd/exchange/relay.h"

#define KEEP 8

struct side {
	struct buf got;
	bool is_full, is_paused, has_end;
};

static bool send_body(void *object, const uint8_t *data, size_t len)
{
	struct side *side = object;
	buf_append(&side->got, data, len);
	return !side->is_full;
}

static void send_end(void *object)
{
	struct side *side = object;
	assert_false(side->has_end);
	side->has_end = true;
}

static void pause_side(void *object)
{
	struct side *side = object;
	side->is_paused = true;
}

static void resume_side(void *object)
{
	struct side *side = object;
	side->is_paused = false;
}

static const struct peer_verbs verbs = {
    .send_body = send_body, .send_end = send_end, .pause = pause_side, .resume = resume_side};

struct setting {
	struct side client, upstream;
	struct relay relay;
};

static void begin(struct setting *at, bool has_body)
{
	*at = (struct setting){.client.is_paused = true};
	relay_start(&at->relay, (struct peer){&verbs, &at->client}, KEEP, has_body);
	relay_open(&at->relay);
}

static void attach(struct setting *at, bool may_send)
{
	relay_attach(&at->relay, (struct peer){&verbs, &at->upstream}, may_send);
}

static void body(struct setting *at, const char *text)
{
	relay_on_request_body(&at->relay, (const uint8_t *)text, strlen(text));
}

static void end(struct setting *at)
{
	relay_free(&at->relay);
	buf_free(&at->client.got);
	buf_free(&at->upstream.got);
}

static void test_without_a_body_the_end_goes_with_the_head(void **state)
{
	(void)state;
	struct setting at;
	begin(&at, false);
	attach(&at, true);
	assert_true(at.upstream.has_end);
	assert_true(at.client.is_paused);
	end(&at);
}

static void test_kept_until_connected(void **state)
{
	(void)state;
	struct setting at;
	begin(&at, true);
	assert_false(at.client.is_paused);
	body(&at, "abc");
	attach(&at, false);
	body(&at, "def");
	relay_on_request_end(&at.relay);
	assert_int_equal(at.upstream.got.len, 0);
	assert_false(at.upstream.has_end);
	relay_on_upstream_drain(&at.relay);
	assert_string_equal(buf_text(&at.upstream.got), "abcdef");
	assert_true(at.upstream.has_end);
	end(&at);
}

static void test_replays_from_the_first_byte(void **state)
{
	(void)state;
	struct setting at;
	begin(&at, true);
	attach(&at, true);
	body(&at, "abc");
	assert_string_equal(buf_text(&at.upstream.got), "abc");
	relay_detach(&at.relay);
	assert_true(relay_can_replay(&at.relay));
	buf_clear(&at.upstream.got);
	attach(&at, true);
	body(&at, "def");
	relay_on_request_end(&at.relay);
	assert_string_equal(buf_text(&at.upstream.got), "abcdef");
	assert_true(at.upstream.has_end);
	end(&at);
}

/* The next upstream is a while away: what the one before had is still to be sent, however much
 * comes meanwhile. */
static void test_nothing_is_lost_between_two_upstreams(void **state)
{
	(void)state;
	struct setting at;
	begin(&at, true);
	attach(&at, true);
	body(&at, "12345678");
	relay_detach(&at.relay);
	buf_clear(&at.upstream.got);
	body(&at, "9");
	assert_true(at.client.is_paused);
	assert_false(relay_can_replay(&at.relay));
	attach(&at, true);
	assert_string_equal(buf_text(&at.upstream.got), "123456789");
	assert_false(at.client.is_paused);
	body(&at, "abc");
	relay_on_request_end(&at.relay);
	assert_string_equal(buf_text(&at.upstream.got), "123456789abc");
	assert_true(at.upstream.has_end);
	end(&at);
}

static void test_a_large_body_is_not_kept(void **state)
{
	(void)state;
	struct setting at;
	begin(&at, true);
	attach(&at, true);
	body(&at, "12345678");
	assert_true(relay_can_replay(&at.relay));
	body(&at, "9");
	assert_false(relay_can_replay(&at.relay));
	body(&at, "abc");
	assert_string_equal(buf_text(&at.upstream.got), "123456789abc");
	assert_int_equal(at.relay.kept.len, 0);
	assert_int_equal(at.relay.request_bytes, 12);
	end(&at);
}

static void test_pauses_the_client_at_the_limit(void **state)
{
	(void)state;
	struct setting at;
	begin(&at, true);
	body(&at, "1234567");
	assert_false(at.client.is_paused);
	body(&at, "8");
	assert_true(at.client.is_paused);
	at.upstream.is_full = true;
	attach(&at, true);
	assert_false(at.client.is_paused);
	body(&at, "abcdefgh");
	assert_true(at.client.is_paused);
	assert_string_equal(buf_text(&at.upstream.got), "12345678");
	at.upstream.is_full = false;
	relay_on_upstream_drain(&at.relay);
	assert_string_equal(buf_text(&at.upstream.got), "12345678abcdefgh");
	assert_false(at.client.is_paused);
	end(&at);
}

static void test_forgets_when_the_answer_begins(void **state)
{
	(void)state;
	struct setting at;
	begin(&at, true);
	attach(&at, true);
	body(&at, "abc");
	relay_forget(&at.relay);
	assert_false(relay_can_replay(&at.relay));
	assert_int_equal(at.relay.kept.len, 0);
	body(&at, "def");
	relay_on_request_end(&at.relay);
	assert_string_equal(buf_text(&at.upstream.got), "abcdef");
	assert_true(at.upstream.has_end);
	end(&at);
}

static void test_answers_wait_for_a_slow_client(void **state)
{
	(void)state;
	struct setting at;
	begin(&at, false);
	attach(&at, true);
	relay_on_answer_body(&at.relay, (const uint8_t *)"one", 3);
	assert_false(at.upstream.is_paused);
	at.client.is_full = true;
	relay_on_answer_body(&at.relay, (const uint8_t *)"two", 3);
	assert_true(at.upstream.is_paused);
	relay_on_client_drain(&at.relay);
	assert_false(at.upstream.is_paused);
	assert_string_equal(buf_text(&at.client.got), "onetwo");
	assert_int_equal(at.relay.answer_bytes, 6);
	end(&at);
}

static void test_tunnels_pass_bytes_and_half_close(void **state)
{
	(void)state;
	struct setting at;
	begin(&at, false);
	attach(&at, true);
	at.upstream.has_end = false;
	relay_tunnel(&at.relay);
	assert_false(at.client.is_paused);
	body(&at, "frame");
	assert_string_equal(buf_text(&at.upstream.got), "frame");
	assert_false(at.upstream.has_end);
	relay_on_request_end(&at.relay);
	assert_true(at.upstream.has_end);
	end(&at);
}

/* Neither side goes on before that and its own reason are over. */
static void test_a_tunnel_that_is_held(void **state)
{
	(void)state;
	struct setting at;
	begin(&at, false);
	attach(&at, true);
	relay_tunnel(&at.relay);
	relay_hold(&at.relay, true);
	assert_true(at.client.is_paused && at.upstream.is_paused);
	body(&at, "what came before");
	assert_true(at.client.is_paused);
	at.client.is_full = true;
	relay_on_answer_body(&at.relay, (const uint8_t *)"too", 3);
	relay_on_client_drain(&at.relay);
	assert_true(at.upstream.is_paused);
	relay_hold(&at.relay, false);
	assert_false(at.client.is_paused || at.upstream.is_paused);

	relay_on_answer_body(&at.relay, (const uint8_t *)"more", 4);
	relay_hold(&at.relay, true);
	relay_hold(&at.relay, false);
	assert_true(at.upstream.is_paused);
	relay_on_client_drain(&at.relay);
	assert_false(at.upstream.is_paused);
	assert_string_equal(buf_text(&at.upstream.got), "what came before");
	assert_string_equal(buf_text(&at.client.got), "toomore");
	end(&at);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_without_a_body_the_end_goes_with_the_head),
	    cmocka_unit_test(test_kept_until_connected),
	    cmocka_unit_test(test_replays_from_the_first_byte),
	    cmocka_unit_test(test_nothing_is_lost_between_two_upstreams),
	    cmocka_unit_test(test_a_large_body_is_not_kept),
	    cmocka_unit_test(test_pauses_the_client_at_the_limit),
	    cmocka_unit_test(test_forgets_when_the_answer_begins),
	    cmocka_unit_test(test_answers_wait_for_a_slow_client),
	    cmocka_unit_test(test_tunnels_pass_bytes_and_half_close),
	    cmocka_unit_test(test_a_tunnel_that_is_held),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
