/* The metrics of discovery at the size of a company: 200 accounts in 17 regions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/metrics.h"
#include "discoveryd/discovery_metrics.h"
#include "discoveryd/sweep.h"

#define ACCOUNTS    200
#define REGIONS	    17
#define SERIES_MAX  20001 /* and one for the others */
#define MAX_MESSAGE ((size_t)8 * 1024 * 1024)

static const char *const OPERATIONS[] = {
    "eks:ListClusters", "eks:DescribeCluster", "tag:GetResources"};
#define OPERATION_COUNT (sizeof OPERATIONS / sizeof OPERATIONS[0])
static const enum aws_outcome OUTCOMES[] = {AWS_OK, AWS_DENIED, AWS_THROTTLED};
#define OUTCOME_COUNT (sizeof OUTCOMES / sizeof OUTCOMES[0])

static void call(struct discovery_metrics *families, const char *operation, const char *identity,
    const char *region, enum aws_outcome outcome)
{
	const struct aws_reply reply = {.outcome = outcome,
	    .identity = identity,
	    .body = "",
	    .throttles = outcome == AWS_THROTTLED ? 3 : 0};
	discovery_metrics_call(families, operation, region, &reply);
}

/* Everything that can be told about one scope. */
static void tell_scope(struct discovery_metrics *families, unsigned account, unsigned at)
{
	char identity[96], region[24], scope[96];
	snprintf(identity, sizeof identity, "role arn:aws:iam::%012u:role/r (from environment)",
	    account);
	snprintf(region, sizeof region, "region-%u", at);
	snprintf(scope, sizeof scope, "arn:aws:iam::%012u:role/r/%s", account, region);
	for (size_t i = 0; i < OPERATION_COUNT; i++) {
		for (size_t k = 0; k < OUTCOME_COUNT; k++)
			call(families, OPERATIONS[i], identity, region, OUTCOMES[k]);
	}
	const struct sweep_result settled = {.is_settled = true, .is_listed = true}, failed = {0};
	discovery_metrics_sweep(families, scope, &settled);
	discovery_metrics_sweep(families, scope, &failed);
	metric_set(families->scope_clusters, 3, scope);
	metric_set(families->scope_age, 1, scope);
}

/* Series of a family, and the sum of their values. */
static size_t count_series(const char *text, const char *family, double *sum)
{
	size_t count = 0, len = strlen(family);
	*sum = 0;
	for (const char *line = text; line != NULL; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, family, len) != 0 || line[len] != '{')
			continue;
		double value = 0;
		const char *end = strchr(line, '}');
		assert_non_null(end);
		assert_int_equal(sscanf(end, "} %lf", &value), 1);
		*sum += value;
		count++;
	}
	return count;
}

static void test_a_company_fits(void **state)
{
	(void)state;
	static const struct {
		const char *family;
		size_t most;
		double sum;
	} rows[] = {
	    {"eksgate_discovery_aws_calls_total", SERIES_MAX, ACCOUNTS * REGIONS * 9},
	    {"eksgate_discovery_aws_throttles_total", 10200, ACCOUNTS * REGIONS * 9},
	    {"eksgate_discovery_sweeps_total", 6800, ACCOUNTS * REGIONS * 2},
	    {"eksgate_discovery_scope_clusters", 3400, ACCOUNTS * REGIONS * 3},
	    {"eksgate_discovery_scope_last_success_age_seconds", 3400, ACCOUNTS * REGIONS},
	};
	struct metrics *metrics = metrics_new();
	struct discovery_metrics *families = discovery_metrics_new(metrics);
	for (unsigned account = 0; account < ACCOUNTS; account++) {
		for (unsigned region = 0; region < REGIONS; region++)
			tell_scope(families, account, region);
	}
	struct buf out = {0};
	metrics_write(metrics, &out);
	assert_true(out.len < MAX_MESSAGE);
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		double sum = 0;
		size_t count = count_series(buf_text(&out), rows[i].family, &sum);
		if (count == 0 || count > rows[i].most || sum < rows[i].sum || sum > rows[i].sum)
			fail_msg("%s: %zu series, sum %f", rows[i].family, count, sum);
	}
	buf_free(&out);
	discovery_metrics_free(&families);
	metrics_free(&metrics);
}

static void test_the_account_is_that_of_the_identity(void **state)
{
	(void)state;
	static const struct {
		const char *identity, *account;
	} rows[] = {
	    {"role arn:aws:iam::123456789012:role/x (from environment)", "123456789012"},
	    {"role arn:aws-cn:iam::210987654321:role/a/b", "210987654321"},
	    {"environment", "own"},
	    {"role arn:aws:iam::12:role/x", "own"},
	    {"arn:", "own"},
	    {NULL, "own"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char expected[64];
		struct metrics *metrics = metrics_new();
		struct discovery_metrics *families = discovery_metrics_new(metrics);
		struct buf out = {0};
		call(families, "eks:ListClusters", rows[i].identity, "eu-west-1", AWS_OK);
		metrics_write(metrics, &out);
		snprintf(expected, sizeof expected, "account=\"%s\"", rows[i].account);
		if (strstr(buf_text(&out), expected) == NULL)
			fail_msg("%s: no %s", rows[i].identity, expected);
		buf_free(&out);
		discovery_metrics_free(&families);
		metrics_free(&metrics);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_a_company_fits),
	    cmocka_unit_test(test_the_account_is_that_of_the_identity),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
