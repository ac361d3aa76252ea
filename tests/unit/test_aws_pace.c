/* The rate budget on a clock of our own: bursts, turns, halving, recovery, and who shares one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "common/aws_pace.h"

static struct mono at_ms(int64_t ms)
{
	return (struct mono){.ns = (1000000 + ms) * 1000000};
}

/* How many calls may go at once. */
static unsigned burst(struct aws_pace *pace, struct mono now)
{
	unsigned count = 0;
	while (aws_pace_take(pace, now).ms == 0 && count < 1000)
		count++;
	return count;
}

static void test_a_burst_and_then_turns(void **state)
{
	(void)state;
	struct aws_pace pace;
	aws_pace_init(&pace, at_ms(0));
	assert_int_equal(burst(&pace, at_ms(0)), 50);
	assert_in_range(aws_pace_take(&pace, at_ms(0)).ms, 39, 41);
	assert_in_range(aws_pace_take(&pace, at_ms(0)).ms, 59, 61);
	assert_int_equal(burst(&pace, at_ms(60000)), 50);
}

static void test_throttling_halves_and_calm_recovers(void **state)
{
	(void)state;
	struct aws_pace pace;
	aws_pace_init(&pace, at_ms(0));
	aws_pace_throttled(&pace, at_ms(0));
	aws_pace_throttled(&pace, at_ms(1));
	assert_in_range((int)pace.rate, 25, 25);
	assert_in_range(aws_pace_take(&pace, at_ms(1)).ms, 30, 41);
	aws_pace_throttled(&pace, at_ms(2000));
	assert_in_range((int)pace.rate, 13, 13);
	for (int64_t i = 2; i < 30; i++)
		aws_pace_throttled(&pace, at_ms(i * 1000));
	assert_true(pace.rate >= AWS_PACE_SLOWEST && pace.rate < 2);
	assert_in_range(aws_pace_take(&pace, at_ms(29000)).ms, 400, 3000);
	assert_int_equal(burst(&pace, at_ms(29000 + 60000)), 50);
}

static void test_a_clock_that_stands_still_or_jumps_back(void **state)
{
	(void)state;
	struct aws_pace pace;
	aws_pace_init(&pace, at_ms(5000));
	assert_int_equal(aws_pace_take(&pace, at_ms(0)).ms, 0);
	assert_true(pace.tokens <= AWS_PACE_FASTEST);
}

static void test_budgets_are_apart(void **state)
{
	(void)state;
	static const char *const others[][3] = {{"role b", "eu-west-1", "eks:ListClusters"},
	    {"role a", "us-east-1", "eks:ListClusters"},
	    {"role a", "eu-west-1", "tag:GetResources"}};
	struct aws_paces *paces = aws_paces_new();
	aws_pace_throttled(
	    aws_paces_find(paces, "role a", "eu-west-1", "eks:ListClusters", at_ms(0)), at_ms(0));
	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
		assert_int_equal(
		    (int)aws_paces_find(paces, others[i][0], others[i][1], others[i][2], at_ms(0))
			->rate,
		    50);
	assert_int_equal(
	    (int)aws_paces_find(paces, "role a", "eu-west-1", "eks:ListClusters", at_ms(0))->rate,
	    25);
	aws_paces_free(&paces);
	aws_paces_free(&paces);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_burst_and_then_turns),
	    cmocka_unit_test(test_throttling_halves_and_calm_recovers),
	    cmocka_unit_test(test_a_clock_that_stands_still_or_jumps_back),
	    cmocka_unit_test(test_budgets_are_apart),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
