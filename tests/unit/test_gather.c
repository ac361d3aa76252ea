/* When a busy loop lets events gather, told turn by turn: what passes, how much of it is work. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/gather.h"

#define US INT64_C(1000)
#define MS INT64_C(1000000)

static struct gather gather;
static int64_t now, worked;
static unsigned asked;

static int64_t cpu_time(void)
{
	asked++;
	return worked;
}

/* A wait for events of `idle` and a turn of `work`; returns the delay behind it, which passes. */
static int64_t turn(int64_t idle, int64_t work)
{
	now += idle + work;
	worked += work;
	int64_t delay = gather_delay(&gather, now, cpu_time);
	now += delay;
	return delay;
}

static void turns(int64_t idle, int64_t work, int64_t length)
{
	for (int64_t end = now + length; now < end;)
		(void)turn(idle, work);
}

static int set_up(void **state)
{
	(void)state;
	gather = (struct gather){0};
	now = 5000 * MS;
	worked = 0;
	turns(100 * US, 0, 100 * MS);
	asked = 0;
	return 0;
}

static void rests_without_delay(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 1000; i++)
		assert_int_equal(turn(60 * US, 40 * US), 0);
}

/* So that it keeps a distance, and no longer one than it begins with. */
static void become_busy(void)
{
	turns(30 * US, 55 * US, 110 * MS);
}

static void keeps_a_distance_under_load(void **state)
{
	(void)state;
	become_busy();
	assert_int_equal(turn(0, 40 * US), GATHER_NS - 40 * US);
	assert_int_equal(turn(0, 60 * US), GATHER_NS - 60 * US);
	/* What waited for events counts, too. */
	assert_int_equal(turn(30 * US, 30 * US), GATHER_NS - 60 * US);
	assert_int_equal(turn(0, GATHER_NS), 0);
	assert_int_equal(turn(0, 3 * GATHER_NS), 0);
	/* A wait that is hardly one. */
	assert_int_equal(turn(0, GATHER_NS - 2 * US), 0);
}

static void does_not_wait_for_what_is_there(void **state)
{
	(void)state;
	become_busy();
	gather.expects_more = true;
	assert_int_equal(turn(0, 40 * US), 0);
	assert_int_equal(turn(0, 40 * US), GATHER_NS - 40 * US);
}

/* Turns at a distance do the same with less: that does not end it, but rest does. */
static void goes_on_until_it_rests(void **state)
{
	(void)state;
	become_busy();
	turns(0, 45 * US, 500 * MS);
	assert_int_equal(turn(0, 45 * US), GATHER_NS - 45 * US);
	turns(90 * US, 20 * US, 110 * MS);
	assert_int_equal(turn(0, 40 * US), 0);
	turns(60 * US, 40 * US, 110 * MS);
	assert_int_equal(turn(0, 40 * US), 0);
}

/* A load that takes `percent` of whatever passes, as one does that comes at its own pace. Returns
 * the share of the time that was spent at a distance, in percent. */
static unsigned takes(unsigned percent, int64_t length)
{
	int64_t passes = 50 * US, delay = 0, begin = now, apart = 0;
	while (now < begin + length) {
		int64_t work = passes * percent / 100;
		delay = turn(delay > 0 ? 0 : passes - work, work);
		passes = delay > 0 ? work + delay : 50 * US;
		apart += delay > 0 ? passes : 0;
	}
	return (unsigned)(100 * apart / (now - begin));
}

/* Half a load would not have begun it; a whole one begins it anew. */
static void looks_without_distance_now_and_then(void **state)
{
	(void)state;
	become_busy();
	(void)takes(53, 650 * MS);
	assert_int_equal(takes(53, 1000 * MS), 0);
	become_busy();
	assert_in_range(takes(62, 10000 * MS), 96, 98);
	assert_in_range(takes(90, 10000 * MS), 96, 98);
}

/* A turn as short as can be. */
static int64_t distance(void)
{
	return turn(0, 1 * US) + 1 * US;
}

static void a_loop_that_hardly_rests_keeps_a_longer_one(void **state)
{
	(void)state;
	(void)takes(65, 110 * MS);
	assert_int_equal(distance(), GATHER_NS);
	(void)takes(65, 150 * MS);
	assert_int_equal(distance(), GATHER_NS);
	(void)takes(70, 60 * MS);
	assert_int_equal(distance(), GATHER_NS + GATHER_NS / 2);
	(void)takes(70, 50 * MS);
	assert_int_equal(distance(), 2 * GATHER_NS);
	(void)takes(95, 500 * MS);
	assert_int_equal(distance(), GATHER_MAX_NS);
	/* There is some room: it stays. */
	(void)takes(63, 100 * MS);
	assert_int_equal(distance(), GATHER_MAX_NS);
	(void)takes(55, 110 * MS);
	assert_int_equal(distance(), GATHER_MAX_NS);
	/* There is much. */
	(void)takes(45, 110 * MS);
	assert_int_equal(distance(), GATHER_NS);
}

/* A trial that says go on does not begin at the shortest again, one that ends it does. */
static void a_look_without_distance_keeps_a_longer_one(void **state)
{
	(void)state;
	become_busy();
	turns(0, 400 * US, 600 * MS);
	while (turn(0, 250 * US) > 0)
		continue;
	turns(0, 250 * US, 110 * MS);
	assert_int_equal(distance(), GATHER_MAX_NS);
	while (turn(0, 250 * US) > 0)
		continue;
	turns(50 * US, 50 * US, 110 * MS);
	assert_int_equal(turn(0, 1 * US), 0);
	become_busy();
	assert_int_equal(distance(), GATHER_NS);
}

static void a_long_rest_ends_it(void **state)
{
	(void)state;
	become_busy();
	assert_int_equal(turn(3000 * MS, 40 * US), 0);
	assert_int_equal(turn(0, 40 * US), 0);
}

/* By a signal, again and again. */
static void a_wait_that_is_cut_short_makes_none_longer(void **state)
{
	(void)state;
	become_busy();
	for (unsigned i = 0; i < 100; i++) {
		now += US;
		worked += US;
		assert_in_range(gather_delay(&gather, now, cpu_time), 1, GATHER_NS);
	}
}

static void asks_for_the_load_rarely(void **state)
{
	(void)state;
	turns(5 * US, 5 * US, 1000 * MS);
	assert_in_range(asked, 18, 21);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(rests_without_delay, set_up),
	    cmocka_unit_test_setup(keeps_a_distance_under_load, set_up),
	    cmocka_unit_test_setup(does_not_wait_for_what_is_there, set_up),
	    cmocka_unit_test_setup(goes_on_until_it_rests, set_up),
	    cmocka_unit_test_setup(looks_without_distance_now_and_then, set_up),
	    cmocka_unit_test_setup(a_loop_that_hardly_rests_keeps_a_longer_one, set_up),
	    cmocka_unit_test_setup(a_look_without_distance_keeps_a_longer_one, set_up),
	    cmocka_unit_test_setup(a_long_rest_ends_it, set_up),
	    cmocka_unit_test_setup(a_wait_that_is_cut_short_makes_none_longer, set_up),
	    cmocka_unit_test_setup(asks_for_the_load_rarely, set_up),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
