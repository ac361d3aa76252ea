/* Accounts by template and by organization: the answers of Organizations, the walk over its tree,
 * and what discovery makes of the accounts that it finds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/buf.h"
#include "common/metrics.h"
#include "common/xmem.h"
#include "discoveryd/discovery.h"
#include "discoveryd/discovery_metrics.h"
#include "discoveryd/organization_walk.h"
#include "discoveryd/roster.h"
#include "tests/unit/discovery_fixture.h"
#include "tests/unit/fake_eks.h"
#include "tests/unit/fake_organizations.h"

#define ORGANIZATION "o-abcdefghij"
#define ROLE(id)     "arn:aws:iam::" id ":role/discover"

struct world {
	struct loop *loop;
	struct metrics *metrics;
	struct discovery_metrics *families;
	struct aws_provider *provider;
	struct discovery *discovery;
	struct settings settings;
	struct aws_matcher matcher;
	char *include[4], *exclude[4], *accounts[4];
};

static bool on_swept(
    void *arg, struct scope *scope, const struct sweep_result *result, char **error)
{
	(void)arg;
	(void)scope;
	(void)result;
	(void)error;
	return true;
}

static const struct fake_page EMPTY_PAGES[] = {{.names = (const char *const[]){NULL}}};

static int set_up(void **state)
{
	struct world *world = xcalloc(1, sizeof *world);
	world->loop = loop_new();
	world->metrics = metrics_new();
	world->families = discovery_metrics_new(world->metrics);
	world->provider = fake_provider();
	struct discovery_options options = {.loop = world->loop,
	    .provider = world->provider,
	    .metrics = world->families,
	    .on_swept = on_swept,
	    .arg = world};
	world->discovery = discovery_new(&options);
	world->matcher = fixture_matcher("*", "*");
	world->settings.discovery.matchers = &world->matcher;
	world->settings.discovery.matcher_count = 1;
	world->settings.discovery.poll_interval = duration_seconds(300);
	world->settings.discovery.describe_parallel = 5;
	fake_eks = (struct fake_eks){.loop = world->loop, .pages = EMPTY_PAGES};
	fake_organizations = (struct fake_organizations){.loop = world->loop};
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
	fixture_matcher_free(&world->matcher);
	xfree(&world);
	return 0;
}

/* "a b" into a list that lives in the world; the words are literals' copies that leak nowhere. */
static size_t split(char *text, char *list[4])
{
	size_t count = 0;
	for (char *word = strtok(text, " "); word != NULL; word = strtok(NULL, " "))
		list[count++] = word;
	return count;
}

static void use_organization(struct world *world, char *include, char *exclude)
{
	world->matcher.organization.id = xstrdup(ORGANIZATION);
	world->matcher.assume_role_name = xstrdup("discover");
	world->matcher.organization.include = world->include;
	world->matcher.organization.include_count = split(include, world->include);
	world->matcher.organization.exclude = world->exclude;
	world->matcher.organization.exclude_count = split(exclude, world->exclude);
}

static void on_quiet(void *arg)
{
	loop_stop(arg);
}

static void run(struct world *world)
{
	discovery_configure(world->discovery, &world->settings);
	struct timer *quiet = timer_new(world->loop, on_quiet, world->loop);
	timer_set(quiet, duration_ms(50));
	loop_run(world->loop);
	timer_free(&quiet);
}

static void expect_scopes(const struct world *world, const char *ids)
{
	struct buf text = {0};
	const struct scope *scope = NULL;
	while ((scope = discovery_next_scope(world->discovery, scope)) != NULL)
		buf_printf(&text, "%s%s", text.len > 0 ? " " : "", scope->id);
	assert_string_equal(buf_text(&text), ids);
	buf_free(&text);
}

/* --- templates -------------------------------------------------------------------------------- */

static void test_a_role_in_each_account(void **state)
{
	struct world *world = *state;
	char accounts[] = "111111111111 222222222222";
	world->matcher.assume_role_arn = xstrdup("arn:aws:iam::{account}:role/discover");
	world->matcher.accounts = world->accounts;
	world->matcher.account_count = split(accounts, world->accounts);
	run(world);
	expect_scopes(world, ROLE("111111111111") "/" REGION " " ROLE("222222222222") "/" REGION);
	const struct account *account =
	    discovery_account_for(world->discovery, &world->matcher, "222222222222");
	assert_string_equal(account->account_id, "222222222222");
	assert_null(discovery_account_for(world->discovery, &world->matcher, "333333333333"));
	/* An account leaves the list: so do its scopes. */
	world->matcher.account_count = 1;
	run(world);
	expect_scopes(world, ROLE("111111111111") "/" REGION);
	assert_int_equal(
	    discovery_coverage(world->discovery, ROLE("222222222222") "/" REGION), COVERAGE_NO);
}

/* --- the walk --------------------------------------------------------------------------------- */

static const struct fake_listing tree[] = {
    {"accounts - -", "333333333333 111111111111", "2"},
    {"accounts - 2", "222222222222", NULL},
    {"roots - -", "r-ab12", NULL},
    {"accounts-of r-ab12 -", "111111111111", NULL},
    {"units r-ab12 -", "", "2"},
    {"units r-ab12 2", "ou-ab12-11111111 ou-ab12-22222222", NULL},
    {"accounts-of ou-ab12-11111111 -", "222222222222", NULL},
    {"units ou-ab12-11111111 -", "ou-ab12-33333333", NULL},
    {"accounts-of ou-ab12-33333333 -", "333333333333 444444444444", NULL},
    {"units ou-ab12-33333333 -", "", NULL},
    {"accounts-of ou-ab12-22222222 -", "555555555555", NULL},
    {"units ou-ab12-22222222 -", "", NULL},
    {0},
};

static void expect_accounts(struct world *world, const char *include_list, const char *exclude_list,
    const char *wanted, const char *asked)
{
	char *include = xstrdup(include_list), *exclude = xstrdup(exclude_list);
	use_organization(world, include, exclude);
	fake_organizations.listings = tree;
	run(world);
	struct buf got = {0};
	const struct account *account = NULL;
	while ((account = discovery_next_account(world->discovery, account)) != NULL)
		buf_printf(&got, "%s%.3s", got.len > 0 ? " " : "", account->account_id);
	assert_string_equal(buf_text(&got), wanted);
	if (asked != NULL)
		assert_string_equal(fake_organizations.asked, asked);
	buf_free(&got);
	free(include);
	free(exclude);
}

static void test_the_whole_organization_is_one_listing(void **state)
{
	expect_accounts(*state, "*", "222222222222", "111 333", "accounts - -, accounts - 2");
}

static void test_units_that_are_left_out(void **state)
{
	expect_accounts(*state, "*", "ou-ab12-33333333", "111 222 555", NULL);
	assert_null(strstr(fake_organizations.asked, "ou-ab12-33333333"));
}

static void test_units_that_are_taken(void **state)
{
	expect_accounts(*state, "ou-ab12-11111111", "444444444444", "222 333", NULL);
	assert_null(strstr(fake_organizations.asked, "roots"));
}

static void test_units_that_overlap(void **state)
{
	expect_accounts(*state, "ou-ab12-33333333 ou-ab12-11111111", "", "222 333 444", NULL);
}

static void test_a_tree_without_end(void **state)
{
	struct world *world = *state;
	static const struct fake_listing endless[] = {
	    {"accounts - -", "111111111111", "2"}, {"accounts - 2", "111111111111", "2"}, {0}};
	char include[] = "*", exclude[] = "";
	use_organization(world, include, exclude);
	fake_organizations.listings = endless;
	run(world);
	assert_int_equal(fake_organizations.calls, 2);
	expect_scopes(world, "");
	assert_false(discovery_knows_accounts(world->discovery));
}

/* --- what discovery makes of it --------------------------------------------------------------- */

static void test_a_failed_listing_removes_nothing(void **state)
{
	struct world *world = *state;
	static const struct fake_listing two[] = {{"accounts - -", "111111111111 222222222222",
						      NULL},
	    {0}},
					 one[] = {{"accounts - -", "111111111111", NULL}, {0}};
	char include[] = "*", exclude[] = "";
	use_organization(world, include, exclude);
	/* Not known yet: nothing is concluded about its accounts, others are not its. */
	fake_organizations.outcome = AWS_DENIED;
	run(world);
	assert_true(discovery_is_complete(world->discovery));
	expect_scopes(world, "");
	assert_int_equal(discovery_coverage(world->discovery, ROLE("222222222222") "/" REGION),
	    COVERAGE_UNKNOWN);
	assert_int_equal(
	    discovery_coverage(world->discovery, "arn:aws:iam::222222222222:role/x/" REGION),
	    COVERAGE_NO);
	assert_int_equal(discovery_coverage(world->discovery, "own/" REGION), COVERAGE_NO);
	/* Two accounts, then a failure, then one. */
	fake_organizations.outcome = AWS_OK;
	fake_organizations.listings = two;
	run(world);
	expect_scopes(world, ROLE("111111111111") "/" REGION " " ROLE("222222222222") "/" REGION);
	const struct scope *first = discovery_next_scope(world->discovery, NULL);
	fake_organizations.outcome = AWS_THROTTLED;
	run(world);
	expect_scopes(world, ROLE("111111111111") "/" REGION " " ROLE("222222222222") "/" REGION);
	fake_organizations.outcome = AWS_OK;
	fake_organizations.listings = one;
	run(world);
	expect_scopes(world, ROLE("111111111111") "/" REGION);
	assert_ptr_equal(discovery_next_scope(world->discovery, NULL), first);
	assert_int_equal(
	    discovery_coverage(world->discovery, ROLE("222222222222") "/" REGION), COVERAGE_NO);
}

static void test_an_organization_that_is_configured_no_more(void **state)
{
	struct world *world = *state;
	char include[] = "*", exclude[] = "";
	use_organization(world, include, exclude);
	fake_organizations.listings = tree;
	discovery_configure(world->discovery, &world->settings); /* the walk is under way */
	xfree(&world->matcher.organization.id);
	xfree(&world->matcher.assume_role_name);
	run(world);
	expect_scopes(world, "own/" REGION);
	struct json_object *organizations = discovery_organizations_to_json(world->discovery);
	assert_int_equal(json_object_array_length(organizations), 0);
	json_object_put(organizations);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_a_role_in_each_account),
	    TEST(test_the_whole_organization_is_one_listing),
	    TEST(test_units_that_are_left_out),
	    TEST(test_units_that_are_taken),
	    TEST(test_units_that_overlap),
	    TEST(test_a_tree_without_end),
	    TEST(test_a_failed_listing_removes_nothing),
	    TEST(test_an_organization_that_is_configured_no_more),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
