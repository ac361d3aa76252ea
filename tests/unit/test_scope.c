/* Scopes and the clockwork that drives them: which there are, what "*" means, when they are due
 * again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/aws_endpoint.h"
#include "common/metrics.h"
#include "common/xmem.h"
#include "discoveryd/discovery.h"
#include "discoveryd/discovery_metrics.h"
#include "tests/unit/discovery_fixture.h"
#include "tests/unit/fake_eks.h"

#define ROLE	"arn:aws:iam::222222222222:role/discover"
#define CN_ROLE "arn:aws-cn:iam::333333333333:role/discover"

/* A discovery over fake_eks that runs until every scope was looked at. */
struct world {
	struct loop *loop;
	struct metrics *metrics;
	struct discovery_metrics *families;
	struct aws_provider *provider;
	struct discovery *discovery;
	struct settings settings;
	bool is_refused; /* what a pass saw cannot be recorded */
};

static bool on_swept(
    void *arg, struct scope *scope, const struct sweep_result *result, char **error)
{
	struct world *world = arg;
	(void)scope;
	(void)result;
	if (world->is_refused)
		*error = xstrdup("disk full");
	return !world->is_refused;
}

static void on_quiet(void *arg)
{
	loop_stop(arg);
}

static const struct fake_page EMPTY_PAGES[] = {{.names = (const char *const[]){NULL}}};

static void make_discovery(struct world *world, const char *home_region)
{
	struct discovery_options options = {.loop = world->loop,
	    .provider = world->provider,
	    .home_region = home_region,
	    .metrics = world->families,
	    .on_swept = on_swept,
	    .arg = world};
	world->discovery = discovery_new(&options);
}

static int set_up(void **state)
{
	struct world *world = xcalloc(1, sizeof *world);
	world->loop = loop_new();
	world->metrics = metrics_new();
	world->families = discovery_metrics_new(world->metrics);
	world->provider = fake_provider();
	make_discovery(world, NULL);
	world->settings.discovery.poll_interval = duration_seconds(300);
	world->settings.discovery.describe_parallel = 5;
	fake_eks = (struct fake_eks){.loop = world->loop, .pages = EMPTY_PAGES};
	*state = world;
	return 0;
}

static int tear_down(void **state)
{
	struct world *world = *state;
	discovery_free(&world->discovery);
	loop_free(&world->loop);
	aws_provider_unref(&world->provider);
	discovery_metrics_free(&world->families);
	metrics_free(&world->metrics);
	for (size_t i = 0; i < world->settings.discovery.matcher_count; i++)
		fixture_matcher_free(&world->settings.discovery.matchers[i]);
	free(world->settings.discovery.matchers);
	xfree(&world);
	return 0;
}

static void add_matcher(
    struct world *world, const char *role, const char *external_id, const char *region)
{
	size_t count = world->settings.discovery.matcher_count++;
	world->settings.discovery.matchers = xreallocarray(
	    world->settings.discovery.matchers, count + 1, sizeof(struct aws_matcher));
	struct aws_matcher matcher = fixture_matcher("*", "*");
	free(matcher.regions[0]);
	matcher.regions[0] = xstrdup(region);
	matcher.assume_role_arn = xstrdup_or_null(role);
	matcher.external_id = xstrdup_or_null(external_id);
	world->settings.discovery.matchers[count] = matcher;
}

static void run(struct world *world)
{
	discovery_configure(world->discovery, &world->settings);
	/* The fake answers at once and nothing is due again within seconds: this is when all is
	 * quiet. */
	struct timer *quiet = timer_new(world->loop, on_quiet, world->loop);
	timer_set(quiet, duration_ms(50));
	loop_run(world->loop);
	timer_free(&quiet);
}

/* The ids of all scopes, joined. */
static void expect_scopes(const struct world *world, const char *ids)
{
	struct buf text = {0};
	const struct scope *scope = NULL;
	while ((scope = discovery_next_scope(world->discovery, scope)) != NULL)
		buf_printf(&text, "%s%s", text.len > 0 ? " " : "", scope->id);
	assert_string_equal(buf_text(&text), ids);
	buf_free(&text);
}

static void test_matchers_with_the_same_identity_share_a_scope(void **state)
{
	struct world *world = *state;
	add_matcher(world, NULL, NULL, "eu-west-1");
	add_matcher(world, NULL, NULL, "eu-west-1");
	add_matcher(world, ROLE, NULL, "eu-west-1");
	run(world);
	expect_scopes(world, "own/eu-west-1 " ROLE "/eu-west-1");
	const struct scope *scope = discovery_next_scope(world->discovery, NULL);
	assert_int_equal(scope->matcher_count, 2);
	assert_int_equal(fake_eks.lists, 2);
	assert_int_equal(scope->state, SCOPE_SETTLED);
}

static void test_external_ids_tell_identities_apart_and_stay_hidden(void **state)
{
	struct world *world = *state;
	add_matcher(world, ROLE, "secret-one", "eu-west-1");
	add_matcher(world, ROLE, "secret-two", "eu-west-1");
	run(world);
	size_t count = 0;
	const struct scope *scope = NULL;
	while ((scope = discovery_next_scope(world->discovery, scope)) != NULL) {
		count++;
		assert_null(strstr(scope->id, "secret"));
		assert_string_equal(scope->account->account_id, "222222222222");
	}
	assert_int_equal(count, 2);
}

static void test_all_regions(void **state)
{
	struct world *world = *state;
	static const char *const regions[] = {"eu-west-1", "us-east-1", NULL};
	fake_eks.regions = regions;
	add_matcher(world, NULL, NULL, "*");
	run(world);
	expect_scopes(world, "own/eu-west-1 own/us-east-1");
	/* A region goes: its scope goes. ListRegions fails: what was listed stays. */
	static const char *const fewer[] = {"eu-west-1", NULL};
	fake_eks.regions = fewer;
	run(world);
	expect_scopes(world, "own/eu-west-1");
	fake_eks.regions_outcome = AWS_DENIED;
	fake_eks.ec2_outcome = AWS_DENIED;
	run(world);
	expect_scopes(world, "own/eu-west-1");
}

static size_t count_scopes(const struct world *world)
{
	size_t count = 0;
	const struct scope *scope = NULL;
	while ((scope = discovery_next_scope(world->discovery, scope)) != NULL)
		count++;
	return count;
}

static size_t count_regions(const char *partition)
{
	size_t count = 0;
	while (aws_partition_by_id(partition)->eks_regions[count] != NULL)
		count++;
	return count;
}

static void test_denied_regions_mean_those_of_the_partition(void **state)
{
	struct world *world = *state;
	fake_eks.regions_outcome = AWS_DENIED;
	fake_eks.ec2_outcome = AWS_DENIED;
	add_matcher(world, CN_ROLE, NULL, "*");
	run(world);
	assert_int_equal(fake_eks.ec2_calls, 1);
	assert_true(discovery_is_complete(world->discovery));
	assert_int_equal(count_scopes(world), count_regions("aws-cn"));
	const struct account *account = discovery_next_account(world->discovery, NULL);
	assert_int_equal(account->error.outcome, AWS_DENIED);
	assert_non_null(account->error.remedy);
}

static void test_denied_regions_are_asked_of_ec2(void **state)
{
	struct world *world = *state;
	static const char *const regions[] = {"eu-west-1", "me-south-1", NULL};
	fake_eks.regions_outcome = AWS_DENIED;
	fake_eks.ec2_regions = regions;
	add_matcher(world, NULL, NULL, "*");
	run(world);
	expect_scopes(world, "own/eu-west-1 own/me-south-1");
	const struct account *account = discovery_next_account(world->discovery, NULL);
	assert_int_equal(account->source, ACCOUNT_REGIONS_DESCRIBED);
	assert_int_equal(account->error.outcome, AWS_OK);
	/* A region is enabled; then neither answers: what was known stays. */
	static const char *const more[] = {"eu-west-1", "il-central-1", "me-south-1", NULL};
	fake_eks.ec2_regions = more;
	run(world);
	expect_scopes(world, "own/eu-west-1 own/me-south-1 own/il-central-1");
	fake_eks.ec2_outcome = AWS_UNREACHABLE;
	run(world);
	assert_int_equal(count_scopes(world), 3);
	assert_int_equal(account->error.outcome, AWS_DENIED);
}

static void test_without_credentials_nothing_is_concluded(void **state)
{
	struct world *world = *state;
	fake_eks.regions_outcome = AWS_CREDENTIALS;
	add_matcher(world, ROLE, NULL, "*");
	run(world);
	expect_scopes(world, "");
	assert_int_equal(fake_eks.ec2_calls, 0);
	assert_int_equal(discovery_coverage(world->discovery, ROLE "/eu-west-1"), COVERAGE_UNKNOWN);
	assert_int_equal(discovery_coverage(world->discovery, "own/eu-west-1"), COVERAGE_NO);
	assert_int_equal(discovery_coverage(world->discovery, ROLE "-x/eu-west-1"), COVERAGE_NO);
}

/* "*" is of the partition that the own identity lives in, which the configured region tells. */
static void test_the_home_region_tells_the_partition(void **state)
{
	struct world *world = *state;
	discovery_free(&world->discovery);
	make_discovery(world, "cn-north-1");
	add_matcher(world, NULL, NULL, "*");
	add_matcher(world, ROLE, NULL, "eu-west-1");
	run(world);
	const struct account *own = discovery_next_account(world->discovery, NULL);
	const struct account *other = discovery_next_account(world->discovery, own);
	assert_null(own->role_arn);
	assert_string_equal(own->partition->id, "aws-cn");
	assert_string_equal(own->region, "cn-north-1");
	assert_string_equal(other->partition->id, "aws");
	assert_string_equal(other->region, "us-east-1");
}

static void test_a_disabled_region_is_no_failure(void **state)
{
	struct world *world = *state;
	fake_eks.list_outcome = AWS_REGION_OFF;
	add_matcher(world, NULL, NULL, "eu-west-1");
	run(world);
	const struct scope *scope = discovery_next_scope(world->discovery, NULL);
	assert_int_equal(scope->state, SCOPE_DISABLED);
	assert_in_range(scope_next_delay(scope, duration_seconds(300)).ms, 270000, 330000);
	/* It is asked less and less, down to once an hour. */
	static const int64_t seconds[] = {300, 600, 1200, 2400, 3600, 3600};
	struct scope again = {.state = SCOPE_DISABLED};
	for (unsigned i = 0; i < sizeof seconds / sizeof seconds[0]; i++) {
		again.failures = i + 1;
		int64_t ms = scope_next_delay(&again, duration_seconds(300)).ms;
		assert_in_range(ms, seconds[i] * 900, seconds[i] * 1100);
	}
	assert_in_range(scope_next_delay(&again, duration_seconds(7200)).ms, 6480000, 7920000);
}

static void test_a_failure_backs_off_up_to_the_poll_interval(void **state)
{
	struct world *world = *state;
	fake_eks.list_outcome = AWS_THROTTLED;
	add_matcher(world, NULL, NULL, "eu-west-1");
	run(world);
	const struct scope *scope = discovery_next_scope(world->discovery, NULL);
	assert_int_equal(scope->state, SCOPE_BACKOFF);
	assert_int_equal(scope->last_success.ms, 0);
	assert_in_range(scope_next_delay(scope, duration_seconds(300)).ms, 1800, 2200);
	static const int64_t seconds[] = {2, 4, 8, 16, 32, 64, 128, 256, 300, 300};
	for (unsigned i = 0; i < sizeof seconds / sizeof seconds[0]; i++)
		assert_int_equal(scope_backoff(i + 1, duration_seconds(300)).ms, seconds[i] * 1000);
	assert_int_equal(scope_backoff(4000000000u, duration_seconds(300)).ms, 300000);
	assert_int_equal(scope_backoff(1, duration_ms(500)).ms, 500);
	struct json_object *document = scope_to_json(scope), *error = NULL;
	assert_true(json_object_object_get_ex(document, "error", &error));
	assert_true(json_object_object_get_ex(error, "operation", NULL));
	json_object_put(document);
}

static void test_what_cannot_be_recorded_is_tried_again_soon(void **state)
{
	struct world *world = *state;
	add_matcher(world, NULL, NULL, "eu-west-1");
	world->is_refused = true;
	run(world);
	const struct scope *scope = discovery_next_scope(world->discovery, NULL);
	assert_string_equal(scope->record_error, "disk full");
	assert_in_range(scope_next_delay(scope, duration_seconds(300)).ms, 1800, 2200);
}

static void test_reconfiguring_keeps_what_stays(void **state)
{
	struct world *world = *state;
	add_matcher(world, NULL, NULL, "eu-west-1");
	add_matcher(world, ROLE, NULL, "us-east-1");
	run(world);
	const struct scope *first = discovery_next_scope(world->discovery, NULL);
	struct settings fewer = world->settings;
	fewer.discovery.matcher_count = 1;
	discovery_configure(world->discovery, &fewer);
	expect_scopes(world, "own/eu-west-1");
	assert_ptr_equal(discovery_next_scope(world->discovery, NULL), first);
	assert_true(first->has_outcome);
	assert_int_equal(discovery_coverage(world->discovery, ROLE "/us-east-1"), COVERAGE_NO);
	assert_null(discovery_next_account(
	    world->discovery, discovery_next_account(world->discovery, NULL)));
	/* It looks again at once, also where a pass is under way. */
	unsigned lists = fake_eks.lists;
	run(world);
	assert_int_equal(fake_eks.lists, lists + 2);
}

static void test_memory_of_the_unserved_is_bounded(void **state)
{
	(void)state;
	struct account account = {.id = xstrdup("own")};
	struct scope *scope = scope_new(&account, REGION);
	struct sweep_result listed = {.is_listed = true, .is_settled = true},
			    one = {.is_settled = true};
	struct judgement *many = xcalloc(SCOPE_MAX_SEEN + 7, sizeof *many);
	for (size_t i = 0; i < SCOPE_MAX_SEEN + 7; i++)
		many[i] =
		    (struct judgement){.verdict = VERDICT_UNMATCHED, .name = xasprintf("c%zu", i)};
	scope_remember(scope, &listed, many, SCOPE_MAX_SEEN + 7);
	assert_int_equal(scope->seen_count, SCOPE_MAX_SEEN);
	assert_int_equal(scope->seen_forgotten, 7);
	struct judgement served = {.verdict = VERDICT_SERVED, .name = xstrdup("c3")};
	scope_remember(scope, &one, &served, 1);
	assert_int_equal(scope->seen_count, SCOPE_MAX_SEEN - 1);
	for (size_t i = 0; i < SCOPE_MAX_SEEN + 7; i++)
		judgement_free(&many[i]);
	judgement_free(&served);
	free(many);
	scope_free(&scope);
	free(account.id);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_matchers_with_the_same_identity_share_a_scope),
	    TEST(test_external_ids_tell_identities_apart_and_stay_hidden),
	    TEST(test_all_regions),
	    TEST(test_denied_regions_mean_those_of_the_partition),
	    TEST(test_denied_regions_are_asked_of_ec2),
	    TEST(test_without_credentials_nothing_is_concluded),
	    TEST(test_the_home_region_tells_the_partition),
	    TEST(test_a_disabled_region_is_no_failure),
	    TEST(test_a_failure_backs_off_up_to_the_poll_interval),
	    TEST(test_what_cannot_be_recorded_is_tried_again_soon),
	    TEST(test_reconfiguring_keeps_what_stays),
	    TEST(test_memory_of_the_unserved_is_bounded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
