/* Metrics as Prometheus reads them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/metrics.h"

static void test_exposition(void **state)
{
	(void)state;
	static const double buckets[] = {0.1, 1, 0};
	struct metrics *metrics = metrics_new();
	struct metric *calls =
	    metrics_counter(metrics, "eksgate_calls_total", "Calls.", "operation outcome");
	struct metric *up = metrics_gauge(metrics, "eksgate_up", "Up.", "");
	struct metric *took =
	    metrics_histogram(metrics, "eksgate_took_seconds", "Took.", "", buckets);
	metric_add(calls, 1, "eks:List", "ok");
	metric_add(calls, 2, "eks:List", "ok");
	metric_add(calls, 1, "a\"b\\c\nd", NULL);
	metric_set(up, 1.5);
	metric_observe(took, 0.05);
	metric_observe(took, 0.5);
	metric_observe(took, 5);
	struct buf out = {0};
	metrics_write(metrics, &out);
	assert_string_equal(buf_text(&out),
	    "# HELP eksgate_calls_total Calls.\n# TYPE eksgate_calls_total counter\n"
	    "eksgate_calls_total{operation=\"eks:List\",outcome=\"ok\"} 3\n"
	    "eksgate_calls_total{operation=\"a\\\"b\\\\c\\nd\",outcome=\"\"} 1\n"
	    "# HELP eksgate_up Up.\n# TYPE eksgate_up gauge\neksgate_up 1.5\n"
	    "# HELP eksgate_took_seconds Took.\n# TYPE eksgate_took_seconds histogram\n"
	    "eksgate_took_seconds_bucket{le=\"0.1\"} 1\n"
	    "eksgate_took_seconds_bucket{le=\"1\"} 2\n"
	    "eksgate_took_seconds_bucket{le=\"+Inf\"} 3\n"
	    "eksgate_took_seconds_sum 5.55\neksgate_took_seconds_count 3\n");
	buf_free(&out);
	metrics_free(&metrics);
}

/* The series found last is looked at first: only the same values are the same. */
static void test_series_that_look_alike(void **state)
{
	(void)state;
	static const char *const rows[][2] = {{"a", "bc"}, {"ab", "c"}, {"a", "b"}, {"a", ""},
	    {"", "a"}, {"abc", ""}, {"", ""}, {"a", "bcd"}, {NULL, "bc"}, {"a", "bc"}};
	enum { ROWS = sizeof rows / sizeof rows[0] };
	struct metrics *metrics = metrics_new();
	struct metric *calls = metrics_counter(metrics, "eksgate_calls_total", "Calls.", "a b");
	struct buf out = {0};
	for (size_t i = 0; i < ROWS; i++) {
		for (size_t next = 0; next < ROWS; next++) {
			metric_add(calls, 1, rows[i][0], rows[i][1]);
			metric_add(calls, 1, rows[next][0], rows[next][1]);
		}
	}
	metrics_write(metrics, &out);
	for (size_t i = 0; i < ROWS; i++) {
		const char *a = rows[i][0] != NULL ? rows[i][0] : "";
		bool is_twice = strcmp(a, "a") == 0 && strcmp(rows[i][1], "bc") == 0;
		char line[80];
		(void)snprintf(line, sizeof line, "_total{a=\"%s\",b=\"%s\"} %d\n", a, rows[i][1],
		    is_twice ? 4 * ROWS : 2 * ROWS);
		assert_non_null(strstr(buf_text(&out), line));
	}
	buf_free(&out);
	metrics_free(&metrics);
}

static void test_series_are_bounded(void **state)
{
	(void)state;
	struct metrics *metrics = metrics_new();
	struct metric *gauge = metrics_gauge(metrics, "eksgate_many", "Many.", "name");
	char name[16];
	for (int i = 0; i < 30000; i++) {
		snprintf(name, sizeof name, "n%d", i);
		metric_add(gauge, 1, name);
	}
	struct buf out = {0};
	metrics_write(metrics, &out);
	assert_non_null(strstr(buf_text(&out), "eksgate_many{name=\"n19999\"} 1\n"));
	assert_null(strstr(buf_text(&out), "n20001"));
	assert_non_null(strstr(buf_text(&out), "eksgate_many{name=\"other\"} 10000\n"));
	metric_clear(gauge);
	metric_set(gauge, 7, "again");
	buf_clear(&out);
	metrics_write(metrics, &out);
	assert_string_equal(buf_text(&out), "# HELP eksgate_many Many.\n# TYPE eksgate_many "
					    "gauge\neksgate_many{name=\"again\"} 7\n");
	buf_free(&out);
	metrics_free(&metrics);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_exposition),
	    cmocka_unit_test(test_series_that_look_alike),
	    cmocka_unit_test(test_series_are_bounded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
