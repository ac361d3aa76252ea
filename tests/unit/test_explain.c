/* Explanations: each reason for which a cluster is missing is told, to programs and to people. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/json.h"
#include "common/log.h"
#include "common/metrics.h"
#include "common/xmem.h"
#include "discoveryd/discovery.h"
#include "discoveryd/discovery_metrics.h"
#include "discoveryd/explain.h"
#include "discoveryd/explain_causes.h"
#include "discoveryd/guard.h"
#include "discoveryd/reconcile.h"
#include "discoveryd/registry.h"
#include "tests/unit/discovery_fixture.h"
#include "tests/unit/fake_eks.h"

/* A registry and a discovery over fake_eks, with one matcher for env=prod in REGION. */
struct world {
	char *dir;
	struct loop *loop;
	struct metrics *metrics;
	struct discovery_metrics *families;
	struct aws_provider *provider;
	struct discovery *discovery;
	struct registry *registry;
	struct guard *guard;
	struct settings settings;
	struct aws_matcher matcher;
};

static bool on_swept(
    void *arg, struct scope *scope, const struct sweep_result *result, char **error)
{
	struct world *world = arg;
	struct reconcile_input input = {.set = registry_set(world->registry),
	    .scope = scope->id,
	    .matchers = scope->matchers,
	    .matcher_count = scope->matcher_count,
	    .group = "g",
	    .result = result};
	struct reconcile_output output;
	reconcile_scope(&input, &output);
	assert_true(registry_commit(world->registry, &output.changes, error));
	scope_remember(scope, result, output.judgements, output.judgement_count);
	reconcile_output_free(&output);
	loop_stop(world->loop);
	return true;
}

static enum aws_outcome describe(const char *name, struct eks_cluster **cluster)
{
	if (strcmp(name, "denied") == 0)
		return AWS_DENIED;
	*cluster = fixture_eks(name, strcmp(name, "dev") == 0 ? "env=dev" : "env=prod");
	if (strcmp(name, "young") == 0)
		fixture_set_status(*cluster, "CREATING");
	return AWS_OK;
}

static const struct fake_page PAGES[] = {
    {.names = (const char *const[]){"denied", "dev", "prod", "young", NULL}}};

static int set_up(void **state)
{
	struct world *world = xcalloc(1, sizeof *world);
	char *error = NULL;
	world->dir = fixture_dir();
	world->loop = loop_new();
	world->metrics = metrics_new();
	world->families = discovery_metrics_new(world->metrics);
	world->provider = fake_provider();
	world->registry = registry_open(world->dir, "g", &error);
	world->guard = guard_new();
	world->matcher = fixture_matcher("env", "prod");
	world->settings.discovery.poll_interval = duration_seconds(300);
	world->settings.discovery.matchers = &world->matcher;
	world->settings.discovery.matcher_count = 1;
	struct discovery_options options = {.loop = world->loop,
	    .provider = world->provider,
	    .metrics = world->families,
	    .on_swept = on_swept,
	    .arg = world};
	world->discovery = discovery_new(&options);
	fake_eks = (struct fake_eks){.loop = world->loop, .pages = PAGES, .describe = describe};
	log_set_level(LOG_LEVEL_ERROR);
	*state = world;
	return 0;
}

static int tear_down(void **state)
{
	struct world *world = *state;
	discovery_free(&world->discovery);
	guard_free(&world->guard);
	registry_close(&world->registry);
	loop_free(&world->loop);
	aws_provider_unref(&world->provider);
	discovery_metrics_free(&world->families);
	metrics_free(&world->metrics);
	fixture_matcher_free(&world->matcher);
	fixture_remove_dir(&world->dir);
	xfree(&world);
	return 0;
}

static void sweep(struct world *world)
{
	discovery_configure(world->discovery, &world->settings);
	loop_run(world->loop);
}

/* Both forms of the explanation; each part must stand in the text for people. */
static void expect(
    const struct world *world, const char *query, bool is_served, const char *const *parts)
{
	struct explain_sources sources = {.settings = &world->settings,
	    .registry = world->registry,
	    .discovery = world->discovery,
	    .guard = world->guard};
	struct json_object *document = explain(&sources, query), *served = NULL;
	assert_true(json_object_object_get_ex(document, "served", &served));
	assert_int_equal(json_object_get_boolean(served), is_served);
	struct buf text = {0};
	explain_write(&text, document);
	for (; *parts != NULL; parts++) {
		if (strstr(buf_text(&text), *parts) == NULL)
			fail_msg("\"%s\" is not in:\n%s", *parts, buf_text(&text));
	}
	buf_free(&text);
	json_object_put(document);
}

#define PARTS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void test_served_by_any_of_its_names(void **state)
{
	struct world *world = *state;
	sweep(world);
	static const char *const queries[] = {"prod", ARN("prod"), "prod-eks-" REGION "-" ACCOUNT};
	for (size_t i = 0; i < sizeof queries / sizeof queries[0]; i++)
		expect(world, queries[i], true,
		    PARTS(": served", ARN("prod"), "own/" REGION, "line 7", "wants it"));
}

static void test_unmatched_names_the_label(void **state)
{
	struct world *world = *state;
	sweep(world);
	expect(world, "dev", false,
	    PARTS("not served", "unmatched", "env", "\"dev\"", "prod", "line 7",
		"cause         tags:", "what to do  correct the cluster's tags"));
}

static void test_status_and_failures_are_told(void **state)
{
	struct world *world = *state;
	sweep(world);
	expect(world, "young", false,
	    PARTS("not served", "CREATING", "wants it", "cause         status:", "wait"));
	expect(world, "denied", false,
	    PARTS("not served", "unknown", "eks:DescribeCluster", "own/" REGION,
		"cause         permission: own/" REGION ": eks:DescribeCluster"));
}

static void test_a_blind_scope_is_named(void **state)
{
	struct world *world = *state;
	fake_eks.list_outcome = AWS_DENIED;
	sweep(world);
	expect(world, "prod", false,
	    PARTS("no cluster of this name", "could hide it", "own/" REGION, "eks:ListClusters",
		"what to do"));
	expect(world, ARN("prod"), false, PARTS("not served", "tags are not known", "own/" REGION));
}

static void test_nobody_looks_there(void **state)
{
	struct world *world = *state;
	sweep(world);
	expect(world, "arn:aws:eks:us-east-1:" ACCOUNT ":cluster/far", false,
	    PARTS("far: not served", "does not look at region us-east-1", "cause         region:"));
	world->matcher.assume_role_arn = xstrdup("arn:aws:iam::222222222222:role/r");
	sweep(world);
	expect(world, ARN("far"), false, PARTS("acts in account 222222222222"));
}

static void test_removed_and_never_seen(void **state)
{
	struct world *world = *state;
	sweep(world);
	struct registry_changes changes = {0};
	char *error = NULL;
	registry_changes_remove(&changes, ARN("prod"), REMOVAL_GONE, xstrdup("evidence"));
	assert_true(registry_commit(world->registry, &changes, &error));
	registry_changes_free(&changes);
	expect(world, "prod", false,
	    PARTS("was removed", "gone", "evidence", "cause         removed:"));
	expect(world, "nonsense\x1b[31m", false, PARTS("nonsense?[31m: no cluster of this name"));
}

static void test_errors_have_causes(void **state)
{
	(void)state;
	static const struct {
		const char *outcome, *code, *message, *cause;
	} rows[] = {
	    {"denied", "AccessDeniedException", "no", "permission"},
	    {"credentials", NULL, "cannot assume role r: AccessDenied: no", "permission"},
	    {"credentials", "ExpiredTokenException", "over", "credentials-expired"},
	    {"credentials", NULL, "cannot assume role r: ExpiredToken: over",
		"credentials-expired"},
	    {"credentials", "InvalidSignatureException", "Signature expired: 1 is earlier than 2",
		"clock"},
	    {"credentials", "RequestTimeTooSkewed", NULL, "clock"},
	    {"credentials", "SignatureDoesNotMatch", "the signature does not match", "credentials"},
	    {"region-off", "UnrecognizedClientException", "no", "region-disabled"},
	    {"throttled", "ThrottlingException", "Rate exceeded", "throttled"},
	    {"unreachable", NULL, "timed out", "unreachable"},
	    {"bad-reply", NULL, "HTML", "bad-reply"},
	    {"failed", "ServerException", "no", "failed"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct json_object *error = json_object_new_object();
		json_add_string(error, "outcome", rows[i].outcome);
		json_add_string(error, "code", rows[i].code);
		json_add_string(error, "message", rows[i].message);
		assert_string_equal(explain_error_cause(error), rows[i].cause);
		json_object_put(error);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_served_by_any_of_its_names),
	    TEST(test_unmatched_names_the_label),
	    TEST(test_status_and_failures_are_told),
	    TEST(test_a_blind_scope_is_named),
	    TEST(test_nobody_looks_there),
	    TEST(test_removed_and_never_seen),
	    cmocka_unit_test(test_errors_have_causes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
