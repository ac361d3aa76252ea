/* The base of everything: buffers, time, the loop's order of work. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/buf.h"
#include "common/loop.h"
#include "common/mono.h"
#include "common/xmem.h"

static void test_buf_keeps_a_terminator(void **state)
{
	(void)state;
	struct buf b = {0};
	assert_string_equal(buf_text(&b), "");
	for (int i = 0; i < 1000; i++)
		buf_printf(&b, "%d,", i);
	assert_int_equal(strlen(b.data), b.len);
	buf_consume(&b, 2);
	assert_memory_equal(b.data, "1,2,3,", 6);
	buf_consume(&b, b.len + 5);
	assert_int_equal(b.len, 0);
	buf_append(&b, "abc", 3);
	char *text = buf_take(&b);
	assert_string_equal(text, "abc");
	assert_null(b.data);
	xfree(&text);
}

static void test_buf_makes_text_sound(void **state)
{
	(void)state;
	static const struct {
		const char *text, *wanted;
	} rows[] = {
	    {"", ""},
	    {"plain", "plain"},
	    {"\xc3\xa9\xf0\x9f\x98\x80", "\xc3\xa9\xf0\x9f\x98\x80"},
	    {"\xff", "\xef\xbf\xbd"},
	    {"a\xc3", "a\xef\xbf\xbd"},
	    {"\xc0\x80z", "\xef\xbf\xbd\xef\xbf\xbdz"},
	    {"\xed\xa0\x80", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct buf b = {0};
		buf_append_utf8(&b, rows[i].text, strlen(rows[i].text));
		assert_string_equal(buf_text(&b), rows[i].wanted);
		buf_free(&b);
	}
}

/* Between two readings of the others, or a tick before. */
static void test_coarse_clocks_are_a_tick_behind(void **state)
{
	const int64_t tick_ms = 10;
	(void)state;
	for (int i = 0; i < 1000; i++) {
		struct mono before = mono_now(), at = mono_now_coarse(), after = mono_now();
		assert_true(
		    at.ns <= after.ns && at.ns > mono_add(before, duration_ms(-tick_ms)).ns);
		struct unix_time then = unix_now(), there = unix_now_coarse(), now = unix_now();
		assert_true(there.ms <= now.ms && there.ms >= then.ms - tick_ms);
	}
}

static void test_unix_time_reads_what_it_writes(void **state)
{
	(void)state;
	char text[UNIX_TIME_TEXT];
	struct unix_time at;
	assert_true(unix_time_parse("2026-01-02T03:04:05.678Z", &at));
	assert_string_equal(unix_time_text(at, text), "2026-01-02T03:04:05.678Z");
	assert_true(unix_time_parse("2026-01-02T05:04:05+02:00", &at));
	assert_string_equal(unix_time_text(at, text), "2026-01-02T03:04:05.000Z");
	assert_true(unix_time_parse_http("Fri, 02 Jan 2026 03:04:05 GMT", &at));
	assert_string_equal(unix_time_text(at, text), "2026-01-02T03:04:05.000Z");
	static const char *const bad[] = {"", "2026-01-02", "2026-01-02T03:04:05",
	    "2026-01-02T03:04:05Zx", "2026-13-02T03:04:05Z", "2026-01-02T03:04:05+2:00", "x"};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_false(unix_time_parse(bad[i], &at));
}

/* Texts of seconds are kept: they must not be taken for each other. */
static void test_unix_time_in_any_order(void **state)
{
	(void)state;
	char text[UNIX_TIME_TEXT];
	int64_t ms = 1;
	for (int i = 0; i < 20000; i++) {
		struct unix_time at = {ms}, again;
		assert_int_equal(strlen(unix_time_text(at, text)), 24);
		assert_true(unix_time_parse(text, &again));
		assert_int_equal(again.ms, ms);
		ms = i % 3 == 0 ? ms + 1000 : i % 3 == 1 ? ms - 999 : ms + 2000 + i * 7919;
	}
	assert_string_equal(unix_time_text((struct unix_time){0}, text), "-");
	assert_string_equal(
	    unix_time_text((struct unix_time){999}, text), "1970-01-01T00:00:00.999Z");
}

struct order {
	struct loop *loop;
	char seen[16];
	size_t count;
	struct deferred first, second, ahead;
};

static void see(struct order *order, char what)
{
	order->seen[order->count++] = what;
}

static void on_dead(void *arg)
{
	see(arg, 'f');
	loop_stop(((struct order *)arg)->loop);
}

static void on_second(void *arg)
{
	see(arg, '2');
}

static void on_ahead(void *arg)
{
	see(arg, '0');
}

static void on_first(void *arg)
{
	struct order *order = arg;
	see(order, '1');
	loop_defer(order->loop, &order->second);
}

static void on_timer(void *arg)
{
	struct order *order = arg;
	loop_free_later(order->loop, on_dead, order);
	loop_defer(order->loop, &order->first);
	loop_defer(order->loop, &order->first);
	loop_defer_first(order->loop, &order->ahead);
	loop_defer_first(order->loop, &order->ahead);
	see(order, 't');
}

static void test_loop_frees_after_deferred_work(void **state)
{
	(void)state;
	struct order order = {.loop = loop_new()};
	order.first = (struct deferred){.fn = on_first, .arg = &order};
	order.second = (struct deferred){.fn = on_second, .arg = &order};
	order.ahead = (struct deferred){.fn = on_ahead, .arg = &order};
	struct timer *timer = timer_new(order.loop, on_timer, &order);
	timer_set(timer, duration_ms(1));
	loop_run(order.loop);
	assert_string_equal(order.seen, "t012f");
	timer_free(&timer);
	loop_free(&order.loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_buf_keeps_a_terminator),
	    cmocka_unit_test(test_buf_makes_text_sound),
	    cmocka_unit_test(test_coarse_clocks_are_a_tick_behind),
	    cmocka_unit_test(test_unix_time_reads_what_it_writes),
	    cmocka_unit_test(test_unix_time_in_any_order),
	    cmocka_unit_test(test_loop_frees_after_deferred_work),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
