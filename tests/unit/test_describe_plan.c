/* Which clusters are described: a table of what is known and what the tagging API says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/xmem.h"
#include "discoveryd/aws_tagging.h"
#include "discoveryd/describe_plan.h"
#include "tests/unit/discovery_fixture.h"

#define NOW	INT64_C(1800000000000)
#define MINUTE	INT64_C(60000)
#define AGE_MIN 10

/* A row: the look ("" tags: none; NULL: no look) and the tagging API's view (NULL: not there). */
struct row {
	const char *what;
	const char *then, *now; /* tags, "key=value" */
	bool is_served;
	const char *status;
	int64_t minutes; /* since it was described */
	const char *arn; /* in the index; NULL: the same */
	enum describe_reason wanted;
};

static const struct row rows[] = {
    {"a newcomer", NULL, "env=prod", false, NULL, 0, NULL, DESCRIBE_NEW},
    {"a newcomer without tags", NULL, NULL, false, NULL, 0, NULL, DESCRIBE_NEW},
    {"served, fresh", "env=prod", "env=prod", true, "ACTIVE", 1, NULL, DESCRIBE_NOT},
    {"served, nearly stale", "env=prod", "env=prod", true, "ACTIVE", 7, NULL, DESCRIBE_NOT},
    {"served, stale", "env=prod", "env=prod", true, "ACTIVE", 10, NULL, DESCRIBE_STALE},
    {"served, from the future", "env=prod", "env=prod", true, "ACTIVE", -5, NULL, DESCRIBE_STALE},
    {"served, updating", "env=prod", "env=prod", true, "UPDATING", 1, NULL, DESCRIBE_STATUS},
    {"served, retagged out", "env=prod", "env=dev", true, "ACTIVE", 1, NULL, DESCRIBE_TAGS},
    {"served, another label", "env=prod", "env=prod,x=y", true, "ACTIVE", 1, NULL, DESCRIBE_TAGS},
    {"served, tags gone", "env=prod", NULL, true, "ACTIVE", 1, NULL, DESCRIBE_TAGS},
    {"served, another ARN", "env=prod", "env=prod", true, "ACTIVE", 1, ARN("b"), DESCRIBE_NEW},
    {"served, the index lags", "env=dev", "env=dev", true, "ACTIVE", 1, NULL, DESCRIBE_VERDICT},
    {"unmatched, fresh", "env=dev", "env=dev", false, "ACTIVE", 1, NULL, DESCRIBE_NOT},
    {"unmatched, old", "env=dev", "env=dev", false, "ACTIVE", 9999, NULL, DESCRIBE_NOT},
    {"unmatched, failed", "env=dev", "env=dev", false, "FAILED", 1, NULL, DESCRIBE_NOT},
    {"unmatched, retagged in", "env=dev", "env=prod", false, "ACTIVE", 1, NULL, DESCRIBE_TAGS},
    {"unmatched, the matcher changed", "env=prod", "env=prod", false, "ACTIVE", 1, NULL,
	DESCRIBE_VERDICT},
    {"untagged and not indexed", "", NULL, false, "ACTIVE", 9999, NULL, DESCRIBE_NOT},
    {"untagged and indexed", "", "", false, "ACTIVE", 9999, NULL, DESCRIBE_NOT},
    {"untagged, tagged now", "", "env=prod", false, "ACTIVE", 1, NULL, DESCRIBE_TAGS},
};

static struct look *look_of(const struct row *row)
{
	struct eks_cluster *cluster = fixture_eks("a", row->then);
	struct look *look = look_new("own/" REGION, "a");
	look->arn = xstrdup(cluster->arn);
	look->status = xstrdup(row->status);
	look->is_served = row->is_served;
	look->described_at.ms = NOW - row->minutes * MINUTE;
	look_digest(&cluster->tags, NULL, look->tags);
	fixture_eks_free(&cluster);
	return look;
}

static enum describe_reason plan(const struct row *row, const struct aws_matcher *matcher)
{
	struct look *look = row->then != NULL ? look_of(row) : NULL;
	struct eks_cluster *cluster = fixture_eks("a", row->now != NULL ? row->now : "");
	struct tagged_cluster tagged = {
	    .arn = row->arn != NULL ? xstrdup(row->arn) : xstrdup(cluster->arn),
	    .tags = cluster->tags};
	struct describe_question question = {.look = look,
	    .tagged = row->now != NULL ? &tagged : NULL,
	    .matchers = &matcher,
	    .matcher_count = 1,
	    .now = {.ms = NOW},
	    .age = duration_seconds(AGE_MIN * 60)};
	enum describe_reason reason = describe_plan(&question);
	free(tagged.arn);
	fixture_eks_free(&cluster);
	look_free(&look);
	return reason;
}

static void test_the_table(void **state)
{
	(void)state;
	struct aws_matcher matcher = fixture_matcher("env", "prod");
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		enum describe_reason reason = plan(&rows[i], &matcher);
		if (reason != rows[i].wanted)
			fail_msg("%s: %d instead of %d", rows[i].what, reason, rows[i].wanted);
	}
	fixture_matcher_free(&matcher);
}

static void test_ages_are_spread(void **state)
{
	(void)state;
	size_t early = 0, late = 0;
	for (int i = 0; i < 200; i++) {
		struct look *look = look_new("s", "n");
		look->arn = xasprintf("arn:%d", i);
		look->described_at.ms = NOW;
		int64_t ms = describe_plan_age(look, duration_seconds(600)).ms;
		assert_in_range(ms, 450000, 600000);
		early += ms < 487500;
		late += ms > 562500;
		look_free(&look);
	}
	assert_in_range(early, 25, 75);
	assert_in_range(late, 25, 75);
}

static void test_digests(void **state)
{
	(void)state;
	static const char *const different[] = {"", "a=b", "a=bc", "ab=c", "a=b,c=", "a=,b=c"};
	char digests[6][LOOK_DIGEST];
	for (size_t i = 0; i < 6; i++) {
		struct eks_cluster *cluster = fixture_eks("a", different[i]);
		look_digest(&cluster->tags, NULL, digests[i]);
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(digests[i], digests[k]);
		fixture_eks_free(&cluster);
	}
}

/* What the configuration makes of a cluster is part of what was known of it. */
static void test_another_treatment_is_news(void **state)
{
	(void)state;
	struct aws_matcher matcher = fixture_matcher("env", "prod");
	struct eks_cluster *cluster = fixture_eks("a", "env=prod");
	struct tagged_cluster tagged = {.arn = cluster->arn, .tags = cluster->tags};
	const struct aws_matcher *matchers[] = {&matcher};
	struct look *look = look_of(&rows[3]);
	struct describe_question question = {.look = look,
	    .tagged = &tagged,
	    .matchers = matchers,
	    .matcher_count = 1,
	    .now = {NOW},
	    .age = duration_ms(AGE_MIN * MINUTE)};
	assert_int_equal(describe_plan(&question), DESCRIBE_NOT);
	question.treatment = "*=*|1|team=web\n";
	assert_int_equal(describe_plan(&question), DESCRIBE_TAGS);
	look_digest(&cluster->tags, question.treatment, look->tags);
	assert_int_equal(describe_plan(&question), DESCRIBE_NOT);
	look_free(&look);
	fixture_eks_free(&cluster);
	fixture_matcher_free(&matcher);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_the_table),
	    cmocka_unit_test(test_ages_are_spread),
	    cmocka_unit_test(test_digests),
	    cmocka_unit_test(test_another_treatment_is_news),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
