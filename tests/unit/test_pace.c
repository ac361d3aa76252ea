/* The least pace of a body: who falls behind, who catches up, and what does not count. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "kubeproxyd/exchange/pace.h"

#define RATE 100

static bool look(struct pace *pace, uint64_t bytes, bool was_awaited)
{
	struct duration grace = {3000}, second = {1000};
	return pace_keeps(pace, RATE, grace, bytes, was_awaited, second);
}

static void test_silence_ends_after_the_grace(void **state)
{
	(void)state;
	struct pace pace = {0};
	assert_true(look(&pace, 1000000, true));
	assert_true(look(&pace, 1000000, true));
	assert_true(look(&pace, 1000000, true));
	assert_false(look(&pace, 1000000, true));
}

static void test_the_rate_is_enough(void **state)
{
	(void)state;
	struct pace pace = {0};
	for (uint64_t i = 1; i < 1000; i++)
		assert_true(look(&pace, i * RATE, true));
}

static void test_back_pressure_does_not_count(void **state)
{
	(void)state;
	struct pace pace = {0};
	for (size_t i = 0; i < 100; i++)
		assert_true(look(&pace, 0, false));
}

static void test_a_rate_of_0_asks_for_nothing(void **state)
{
	(void)state;
	struct pace pace = {0};
	struct duration hour = {3600000};
	assert_true(pace_keeps(&pace, 0, (struct duration){1000}, 0, true, hour));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_silence_ends_after_the_grace),
	    cmocka_unit_test(test_the_rate_is_enough),
	    cmocka_unit_test(test_back_pressure_does_not_count),
	    cmocka_unit_test(test_a_rate_of_0_asks_for_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
