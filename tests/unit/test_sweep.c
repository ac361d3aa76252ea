/* One pass over a scope: pages, parallel describes, and answers that are not what they should be.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/metrics.h"
#include "common/xmem.h"
#include "discoveryd/discovery_metrics.h"
#include "discoveryd/sweep.h"
#include "tests/unit/discovery_fixture.h"
#include "tests/unit/fake_eks.h"

#define NAMES(...) ((const char *const[]){__VA_ARGS__, NULL})

/* What a pass told, copied: "a=found b=failed". */
struct heard {
	struct loop *loop;
	struct buf sightings;
	bool is_listed, is_settled;
	size_t failures;
	enum aws_outcome outcome;
	char message[200];
	unsigned listed;
	bool has_tags;
	enum aws_outcome tags_outcome;
	unsigned tag_pages, throttles;
};

/* Says of "known" clusters in the tagging API's view that they need no describe. */
static struct eks_cluster *recall(void *arg, const char *name, const struct tagged_cluster *tagged)
{
	(void)arg;
	if (tagged == NULL || labels_get(&tagged->tags, "known") == NULL)
		return NULL;
	return fixture_eks(name, "");
}

static bool uses_tags;

static void on_swept(void *arg, const struct sweep_result *result)
{
	static const char *const kinds[] = {"found", "gone", "failed", "known"};
	struct heard *heard = arg;
	for (size_t i = 0; i < result->count; i++)
		buf_printf(&heard->sightings, "%s%s=%s", i > 0 ? " " : "",
		    result->sightings[i].name, kinds[result->sightings[i].kind]);
	heard->is_listed = result->is_listed;
	heard->is_settled = result->is_settled;
	heard->failures = result->failures;
	heard->outcome = result->error.outcome;
	heard->has_tags = result->has_tags;
	heard->tags_outcome = result->tags_error.outcome;
	heard->tag_pages = result->tag_pages;
	heard->throttles = result->throttles;
	snprintf(heard->message, sizeof heard->message, "%s",
	    result->error.message != NULL ? result->error.message : "");
	loop_stop(heard->loop);
}

static void on_listed(void *arg)
{
	((struct heard *)arg)->listed++;
}

/* Runs one pass over fake_eks; `name` NULL lists. */
static struct heard run(const char *name, const char *account_id, size_t parallel)
{
	struct heard heard = {.loop = loop_new()};
	struct metrics *metrics = metrics_new();
	struct discovery_metrics *families = discovery_metrics_new(metrics);
	struct aws_provider *provider = fake_provider();
	struct sweep_options options = {.provider = provider,
	    .region = REGION,
	    .account_id = account_id,
	    .parallel = parallel,
	    .metrics = families,
	    .recall = uses_tags ? recall : NULL,
	    .on_listed = on_listed};
	fake_eks.loop = heard.loop;
	struct sweep *sweep = name != NULL
				  ? sweep_start_one(heard.loop, &options, name, on_swept, &heard)
				  : sweep_start(heard.loop, &options, on_swept, &heard);
	assert_non_null(sweep);
	loop_run(heard.loop);
	loop_free(&heard.loop);
	aws_provider_unref(&provider);
	discovery_metrics_free(&families);
	metrics_free(&metrics);
	return heard;
}

static int reset(void **state)
{
	(void)state;
	fake_eks = (struct fake_eks){0};
	uses_tags = false;
	return 0;
}

static void test_all_pages_all_describes(void **state)
{
	(void)state;
	struct fake_page pages[] = {{.names = NAMES("c", "a"), .next_token = "1"},
	    {.names = NAMES("b", "a"), .next_token = "2"}, {.names = (const char *const[]){NULL}}};
	fake_eks.pages = pages;
	struct heard heard = run(NULL, ACCOUNT, 2);
	assert_string_equal(buf_text(&heard.sightings), "a=found b=found c=found");
	assert_true(heard.is_listed && heard.is_settled);
	assert_int_equal(heard.outcome, AWS_OK);
	assert_int_equal(heard.listed, 1);
	assert_int_equal(fake_eks.lists, 3);
	assert_int_equal(fake_eks.describes, 3);
	assert_int_equal(fake_eks.most_under_way, 2);
	buf_free(&heard.sightings);
}

static void test_an_empty_scope_settles(void **state)
{
	(void)state;
	struct fake_page pages[] = {{.names = (const char *const[]){NULL}}};
	fake_eks.pages = pages;
	struct heard heard = run(NULL, NULL, 5);
	assert_true(heard.is_listed && heard.is_settled);
	assert_string_equal(buf_text(&heard.sightings), "");
}

static void test_a_failed_listing_says_nothing(void **state)
{
	(void)state;
	static const enum aws_outcome outcomes[] = {AWS_DENIED, AWS_THROTTLED, AWS_CREDENTIALS,
	    AWS_REGION_OFF, AWS_UNREACHABLE, AWS_BAD_REPLY, AWS_FAILED, AWS_NOT_FOUND};
	for (size_t i = 0; i < sizeof outcomes / sizeof outcomes[0]; i++) {
		fake_eks.list_outcome = outcomes[i];
		struct heard heard = run(NULL, NULL, 5);
		assert_false(heard.is_listed || heard.is_settled);
		assert_int_equal(heard.outcome, outcomes[i]);
		assert_int_equal(heard.listed, 0);
	}
}

static void test_a_listing_that_does_not_end(void **state)
{
	(void)state;
	struct fake_page itself[] = {
	    {.names = NAMES("a"), .next_token = "1"}, {.names = NAMES("b"), .next_token = "1"}};
	fake_eks.pages = itself;
	struct heard heard = run(NULL, NULL, 5);
	assert_false(heard.is_listed || heard.is_settled);
	assert_int_equal(heard.outcome, AWS_BAD_REPLY);
	assert_non_null(strstr(heard.message, "does not end"));
	assert_int_equal(fake_eks.describes, 0);
	reset(NULL);
	struct fake_page endless[] = {{.names = NAMES("a")}};
	fake_eks.pages = endless;
	fake_eks.is_endless = true;
	heard = run(NULL, NULL, 5);
	assert_false(heard.is_listed || heard.is_settled);
	assert_int_equal(heard.outcome, AWS_BAD_REPLY);
	assert_in_range(fake_eks.lists, 100, 1000);
}

static enum aws_outcome describe_mixed(const char *name, struct eks_cluster **cluster)
{
	if (strcmp(name, "denied") == 0)
		return AWS_DENIED;
	if (strcmp(name, "gone") == 0)
		return AWS_NOT_FOUND;
	*cluster = fixture_eks(name, "");
	return AWS_OK;
}

static void test_one_failed_describe_unsettles(void **state)
{
	(void)state;
	struct fake_page pages[] = {{.names = NAMES("denied", "fine", "gone")}};
	fake_eks.pages = pages;
	fake_eks.describe = describe_mixed;
	struct heard heard = run(NULL, NULL, 5);
	assert_string_equal(buf_text(&heard.sightings), "denied=failed fine=found gone=gone");
	assert_true(heard.is_listed);
	assert_false(heard.is_settled);
	assert_int_equal(heard.failures, 1);
	assert_int_equal(heard.outcome, AWS_DENIED);
	buf_free(&heard.sightings);
}

/* Answers about something else than what was asked. */
static const char *lie;

static void replace(char **text, const char *value)
{
	free(*text);
	*text = value != NULL ? xstrdup(value) : NULL;
}

static enum aws_outcome describe_lie(const char *name, struct eks_cluster **cluster)
{
	*cluster = fixture_eks(name, "");
	replace(&(*cluster)->arn, strcmp(lie, "none") == 0 ? NULL : lie);
	return AWS_OK;
}

static enum aws_outcome describe_other_name(const char *name, struct eks_cluster **cluster)
{
	*cluster = fixture_eks(name, "");
	replace(&(*cluster)->name, "other");
	return AWS_OK;
}

static void expect_lie_refused(void)
{
	struct heard heard = run(NULL, ACCOUNT, 5);
	assert_string_equal(buf_text(&heard.sightings), "a=failed");
	assert_int_equal(heard.outcome, AWS_BAD_REPLY);
	assert_non_null(strstr(heard.message, "\"a\""));
	buf_free(&heard.sightings);
}

static void test_answers_about_other_clusters_are_refused(void **state)
{
	(void)state;
	static const char *const lies[] = {"none", "", "arn:aws:iam::" ACCOUNT ":role/a", ARN("b"),
	    "arn:aws:eks:us-east-1:" ACCOUNT ":cluster/a",
	    "arn:aws:eks:" REGION ":222222222222:cluster/a"};
	struct fake_page pages[] = {{.names = NAMES("a")}};
	fake_eks.pages = pages;
	fake_eks.describe = describe_lie;
	for (size_t i = 0; i < sizeof lies / sizeof lies[0]; i++) {
		lie = lies[i];
		expect_lie_refused();
	}
	fake_eks.describe = describe_other_name;
	expect_lie_refused();
}

static enum aws_outcome describe_never(const char *name, struct eks_cluster **cluster)
{
	(void)name;
	(void)cluster;
	return AWS_UNREACHABLE;
}

static void test_a_hopeless_pass_ends_early(void **state)
{
	(void)state;
	static char names[100][8];
	static const char *list[101];
	for (size_t i = 0; i < 100; i++) {
		snprintf(names[i], sizeof names[i], "c%03zu", i);
		list[i] = names[i];
	}
	struct fake_page pages[] = {{.names = list}};
	fake_eks.pages = pages;
	fake_eks.describe = describe_never;
	struct heard heard = run(NULL, NULL, 5);
	assert_int_equal(heard.failures, 100);
	assert_in_range(fake_eks.describes, 10, 20);
	assert_false(heard.is_settled);
	buf_free(&heard.sightings);
}

static void test_throttling_narrows_the_window(void **state)
{
	(void)state;
	struct fake_page pages[] = {{.names = NAMES("a", "b", "c", "d", "e", "f", "g", "h")}};
	fake_eks.pages = pages;
	fake_eks.throttles = 1;
	struct heard heard = run(NULL, NULL, 4);
	assert_int_equal(fake_eks.most_under_way, 4);
	assert_true(heard.is_settled);
	buf_free(&heard.sightings);
}

static void test_one_name_without_a_listing(void **state)
{
	(void)state;
	struct heard heard = run("a", ACCOUNT, 5);
	assert_string_equal(buf_text(&heard.sightings), "a=found");
	assert_false(heard.is_listed);
	assert_true(heard.is_settled);
	assert_int_equal(fake_eks.lists, 0);
	buf_free(&heard.sightings);
}

static void test_cancelling_leaves_nothing(void **state)
{
	(void)state;
	struct loop *loop = loop_new();
	struct metrics *metrics = metrics_new();
	struct discovery_metrics *families = discovery_metrics_new(metrics);
	struct aws_provider *provider = fake_provider();
	struct sweep_options options = {
	    .provider = provider, .region = REGION, .parallel = 3, .metrics = families};
	struct heard heard = {.loop = loop};
	fake_eks.loop = loop;
	struct sweep *listing = sweep_start(loop, &options, on_swept, &heard);
	struct sweep *describing = sweep_start_one(loop, &options, "a", on_swept, &heard);
	sweep_cancel(&listing);
	sweep_cancel(&describing);
	sweep_cancel(&describing);
	assert_int_equal(fake_eks.cancelled, 2);
	loop_free(&loop);
	assert_int_equal(heard.sightings.len, 0);
	aws_provider_unref(&provider);
	discovery_metrics_free(&families);
	metrics_free(&metrics);
}

/* Three pages of tags, one of them empty; "c" has none. */
static const struct fake_tag_page TAG_PAGES[] = {
    {(const struct fake_tags[]){{"b", "known=yes"}, {0}}, "1"},
    {(const struct fake_tags[]){{0}}, "2"},
    {(const struct fake_tags[]){{"a", "env=prod"}, {"d", "known=yes"}, {0}}, NULL}};

static void test_what_is_known_is_not_described(void **state)
{
	(void)state;
	struct fake_page pages[] = {{.names = NAMES("a", "b", "c", "d")}};
	fake_eks.pages = pages;
	fake_eks.tag_pages = TAG_PAGES;
	fake_eks.throttles = 1;
	uses_tags = true;
	struct heard heard = run(NULL, ACCOUNT, 1);
	assert_string_equal(buf_text(&heard.sightings), "a=found b=known c=found d=known");
	assert_true(heard.is_listed && heard.is_settled && heard.has_tags);
	assert_int_equal(fake_eks.describes, 2);
	assert_int_equal(heard.tag_pages, 3);
	assert_int_equal(heard.throttles, 6);
	buf_free(&heard.sightings);
}

static void test_a_quiet_pass_costs_two_calls(void **state)
{
	(void)state;
	struct fake_page pages[] = {{.names = NAMES("b", "d")}};
	const struct fake_tag_page tags[] = {
	    {(const struct fake_tags[]){{"b", "known=yes"}, {"d", "known=yes"}, {0}}, NULL}};
	fake_eks.pages = pages;
	fake_eks.tag_pages = tags;
	uses_tags = true;
	struct heard heard = run(NULL, ACCOUNT, 5);
	assert_true(heard.is_settled);
	assert_int_equal(fake_eks.lists + fake_eks.tag_calls + fake_eks.describes, 2);
	buf_free(&heard.sightings);
}

static void test_without_tags_everything_is_described(void **state)
{
	(void)state;
	static const enum aws_outcome outcomes[] = {
	    AWS_DENIED, AWS_THROTTLED, AWS_UNREACHABLE, AWS_BAD_REPLY, AWS_FAILED};
	struct fake_page pages[] = {{.names = NAMES("a", "b")}};
	for (size_t i = 0; i < sizeof outcomes / sizeof outcomes[0]; i++) {
		reset(NULL);
		fake_eks.pages = pages;
		fake_eks.tag_pages = TAG_PAGES;
		fake_eks.tags_outcome = outcomes[i];
		uses_tags = true;
		struct heard heard = run(NULL, ACCOUNT, 5);
		assert_string_equal(buf_text(&heard.sightings), "a=found b=found");
		assert_true(heard.is_settled && !heard.has_tags);
		assert_int_equal(heard.outcome, AWS_OK);
		assert_int_equal(heard.tags_outcome, outcomes[i]);
		buf_free(&heard.sightings);
	}
}

static void test_tags_that_do_not_end_are_not_used(void **state)
{
	(void)state;
	struct fake_page pages[] = {{.names = NAMES("b")}};
	const struct fake_tag_page itself[] = {
	    {(const struct fake_tags[]){{"b", "known=yes"}, {0}}, "1"},
	    {(const struct fake_tags[]){{0}}, "1"}};
	const struct fake_tag_page circle[] = {
	    {(const struct fake_tags[]){{"b", "known=yes"}, {0}}, "1"},
	    {(const struct fake_tags[]){{0}}, "0"}};
	const struct fake_tag_page *const endless[] = {itself, circle};
	for (size_t i = 0; i < 2; i++) {
		reset(NULL);
		fake_eks.pages = pages;
		fake_eks.tag_pages = endless[i];
		uses_tags = true;
		struct heard heard = run(NULL, ACCOUNT, 5);
		assert_string_equal(buf_text(&heard.sightings), "b=found");
		assert_int_equal(heard.tags_outcome, AWS_BAD_REPLY);
		assert_true(fake_eks.tag_calls <= 400);
		buf_free(&heard.sightings);
	}
}

static void test_a_failed_listing_ends_the_tags_too(void **state)
{
	(void)state;
	fake_eks.list_outcome = AWS_DENIED;
	fake_eks.tag_pages = TAG_PAGES;
	uses_tags = true;
	struct heard heard = run(NULL, NULL, 5);
	assert_false(heard.is_listed || heard.is_settled || heard.has_tags);
	assert_int_equal(fake_eks.describes, 0);
}

#define TEST(name) cmocka_unit_test_setup(name, reset)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_all_pages_all_describes),
	    TEST(test_an_empty_scope_settles),
	    TEST(test_a_failed_listing_says_nothing),
	    TEST(test_a_listing_that_does_not_end),
	    TEST(test_one_failed_describe_unsettles),
	    TEST(test_answers_about_other_clusters_are_refused),
	    TEST(test_a_hopeless_pass_ends_early),
	    TEST(test_throttling_narrows_the_window),
	    TEST(test_one_name_without_a_listing),
	    TEST(test_cancelling_leaves_nothing),
	    TEST(test_what_is_known_is_not_described),
	    TEST(test_a_quiet_pass_costs_two_calls),
	    TEST(test_without_tags_everything_is_described),
	    TEST(test_tags_that_do_not_end_are_not_used),
	    TEST(test_a_failed_listing_ends_the_tags_too),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
