/* Reconciliation: what a pass makes of the set, and above all what it leaves alone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/xmem.h"
#include "discoveryd/reconcile.h"
#include "tests/unit/discovery_fixture.h"

#define SCOPE "own/" REGION

/* A set, and passes over it whose changes are applied at once. */
struct world {
	struct cluster_set *set;
	struct aws_matcher matcher;
	const char *scope;
	struct reconcile_output output; /* of the last pass */
};

static int set_up(void **state)
{
	struct world *world = xcalloc(1, sizeof *world);
	world->set = cluster_set_new();
	world->matcher = fixture_matcher("env", "prod");
	world->scope = SCOPE;
	*state = world;
	return 0;
}

static int tear_down(void **state)
{
	struct world *world = *state;
	reconcile_output_free(&world->output);
	cluster_set_free(&world->set);
	fixture_matcher_free(&world->matcher);
	xfree(&world);
	return 0;
}

static void apply(struct world *world)
{
	for (size_t i = 0; i < world->output.changes.count; i++) {
		const struct registry_change *change = &world->output.changes.items[i];
		if (change->kind == REGISTRY_PUT)
			cluster_set_put(world->set, cluster_item_copy(change->item));
		else
			cluster_set_remove(world->set, change->arn);
	}
}

/* Reconciles and frees `result`; returns how many changes there were. */
static size_t pass(struct world *world, struct sweep_result *result)
{
	const struct aws_matcher *matchers[] = {&world->matcher};
	struct reconcile_input input = {.set = world->set,
	    .scope = world->scope,
	    .matchers = matchers,
	    .matcher_count = 1,
	    .group = "g",
	    .result = result};
	reconcile_output_free(&world->output);
	reconcile_scope(&input, &world->output);
	apply(world);
	fixture_result_free(result);
	return world->output.changes.count;
}

static size_t pass_with(struct world *world, struct eks_cluster *cluster)
{
	struct sweep_result result = fixture_result();
	if (cluster != NULL)
		fixture_found(&result, cluster);
	return pass(world, &result);
}

static const struct registry_change *only_change(const struct world *world)
{
	assert_int_equal(world->output.changes.count, 1);
	return &world->output.changes.items[0];
}

static const struct kube_cluster *find(const struct world *world, const char *arn)
{
	const struct cluster_item *item = cluster_set_find_arn(world->set, arn);
	return item != NULL ? item->cluster : NULL;
}

static void test_a_wanted_cluster_is_created(void **state)
{
	struct world *world = *state;
	assert_int_equal(
	    pass_with(world,
		fixture_eks("a", "env=prod,bad key=x,region=forged,account-id=forged,"
				 "teleport.dev/origin=forged,teleport.internal/aws-arn=forged")),
	    1);
	const struct kube_cluster *cluster = find(world, ARN("a"));
	assert_non_null(cluster);
	assert_string_equal(cluster->name, "a-eks-" REGION "-" ACCOUNT);
	assert_string_equal(cluster->description, "AWS EKS cluster \"a\" in " REGION);
	assert_string_equal(cluster->status.phase, "ready");
	static const char *const wanted[][2] = {{"env", "prod"}, {LABEL_REGION, REGION},
	    {LABEL_ACCOUNT_ID, ACCOUNT}, {LABEL_CLOUD, "AWS"}, {LABEL_ORIGIN, "cloud"},
	    {LABEL_DISCOVERY_TYPE, "eks"}, {LABEL_DISCOVERY_GROUP, "g"},
	    {LABEL_DISCOVERED_NAME, "a"}, {LABEL_ARN, ARN("a")}};
	for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++)
		assert_string_equal(labels_get(&cluster->labels, wanted[i][0]), wanted[i][1]);
	assert_null(labels_get(&cluster->labels, "bad key"));
	assert_null(cluster->aws.serving_role);
	assert_int_equal(pass_with(world, fixture_eks("a", "env=prod")), 0);
	assert_int_equal(pass_with(world, fixture_eks("a", "env=prod,team=x")), 1);
}

static void test_labels_of_the_matcher(void **state)
{
	struct world *world = *state;
	labels_set(&world->matcher.labels, "team", "platform");
	labels_set(&world->matcher.labels, "tier", "1");
	assert_int_equal(pass_with(world, fixture_eks("a", "env=prod,team=forged")), 1);
	const struct kube_cluster *cluster = find(world, ARN("a"));
	assert_string_equal(labels_get(&cluster->labels, "team"), "platform");
	assert_string_equal(labels_get(&cluster->labels, "tier"), "1");
	/* They are given, not selected on. */
	fixture_matcher_free(&world->matcher);
	world->matcher = fixture_matcher("tier", "1");
	labels_set(&world->matcher.labels, "tier", "1");
	assert_int_equal(pass_with(world, fixture_eks("b", "env=prod")), 1); /* a: absent once */
	assert_null(find(world, ARN("b")));
}

static void test_tags_name_clusters_where_they_may(void **state)
{
	struct world *world = *state;
	assert_int_equal(pass_with(world, fixture_eks("a", "env=prod,eksgate-name=web")), 1);
	assert_string_equal(find(world, ARN("a"))->name, "web");
	world->matcher.has_name_tags = false;
	assert_int_equal(pass_with(world, fixture_eks("a", "env=prod,eksgate-name=web")), 1);
	assert_string_equal(find(world, ARN("a"))->name, "a-eks-" REGION "-" ACCOUNT);
}

static void test_late_labels_do_not_match(void **state)
{
	struct world *world = *state;
	fixture_matcher_free(&world->matcher);
	world->matcher = fixture_matcher(LABEL_ORIGIN, "cloud");
	assert_int_equal(pass_with(world, fixture_eks("a", "teleport.dev/origin=cloud")), 0);
	fixture_matcher_free(&world->matcher);
	world->matcher = fixture_matcher(LABEL_ACCOUNT_ID, ACCOUNT);
	assert_int_equal(pass_with(world, fixture_eks("a", "")), 1);
}

static void test_unwanted_tags_remove(void **state)
{
	struct world *world = *state;
	pass_with(world, fixture_eks("a", "env=prod"));
	pass_with(world, fixture_eks("a", "env=dev"));
	const struct registry_change *change = only_change(world);
	assert_int_equal(change->kind, REGISTRY_REMOVE);
	assert_int_equal(change->reason, REMOVAL_UNMATCHED);
	assert_int_equal(world->output.judgements[0].verdict, VERDICT_UNMATCHED);
}

static void test_two_complete_listings_must_lack_it(void **state)
{
	struct world *world = *state;
	pass_with(world, fixture_eks("a", "env=prod"));
	pass_with(world, NULL);
	assert_non_null(find(world, ARN("a")));
	pass_with(world, fixture_eks("a", "env=prod"));
	pass_with(world, NULL);
	assert_non_null(find(world, ARN("a")));
	pass_with(world, NULL);
	assert_int_equal(only_change(world)->reason, REMOVAL_GONE);
	assert_null(find(world, ARN("a")));
}

static void test_a_partial_view_removes_nothing(void **state)
{
	struct world *world = *state;
	struct sweep_result first = fixture_result();
	static const char *const names[] = {"absent", "deleting", "gone", "retagged"};
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
		fixture_found(&first, fixture_eks(names[i], "env=prod"));
	pass(world, &first);
	for (int round = 0; round < 3; round++) {
		struct sweep_result partial = fixture_result();
		struct eks_cluster *deleting = fixture_eks("deleting", "env=prod");
		fixture_set_status(deleting, "DELETING");
		fixture_found(&partial, deleting);
		fixture_failed(&partial, "denied");
		fixture_gone(&partial, "gone");
		fixture_found(&partial, fixture_eks("new", "env=prod"));
		fixture_found(&partial, fixture_eks("retagged", "env=dev"));
		assert_int_equal(pass(world, &partial), round == 0 ? 1 : 0);
		assert_int_equal(cluster_set_count(world->set), 5);
	}
	struct sweep_result nothing = {.error.outcome = AWS_THROTTLED};
	assert_int_equal(pass(world, &nothing), 0);
	assert_int_equal(cluster_set_count(world->set), 5);
}

static void test_describe_says_gone(void **state)
{
	struct world *world = *state;
	static const char *const statuses[] = {"DELETING", NULL};
	for (size_t i = 0; i < 2; i++) {
		pass_with(world, fixture_eks("a", "env=prod"));
		struct sweep_result result = fixture_result();
		result.is_listed = i == 0; /* a refresh says it as well */
		if (statuses[i] != NULL) {
			struct eks_cluster *cluster = fixture_eks("a", "env=prod");
			fixture_set_status(cluster, statuses[i]);
			fixture_found(&result, cluster);
		} else {
			fixture_gone(&result, "a");
		}
		pass(world, &result);
		assert_int_equal(only_change(world)->reason, REMOVAL_GONE);
	}
}

static void test_a_refresh_counts_no_absences(void **state)
{
	struct world *world = *state;
	struct sweep_result both = fixture_result();
	fixture_found(&both, fixture_eks("a", "env=prod"));
	fixture_found(&both, fixture_eks("b", "env=prod"));
	pass(world, &both);
	for (int round = 0; round < 3; round++) {
		struct sweep_result one = fixture_result();
		one.is_listed = false;
		fixture_found(&one, fixture_eks("a", "env=prod"));
		assert_int_equal(pass(world, &one), 0);
	}
}

static void test_status(void **state)
{
	struct world *world = *state;
	static const char *const unserved[] = {"CREATING", "FAILED", "PENDING", "SOMETHING"};
	for (size_t i = 0; i < sizeof unserved / sizeof unserved[0]; i++) {
		struct eks_cluster *cluster = fixture_eks("a", "env=prod");
		fixture_set_status(cluster, unserved[i]);
		assert_int_equal(pass_with(world, cluster), 0);
		assert_int_equal(world->output.judgements[0].verdict, VERDICT_STATUS);
		assert_non_null(strstr(world->output.judgements[0].detail, unserved[i]));
	}
	struct eks_cluster *updating = fixture_eks("a", "env=prod");
	fixture_set_status(updating, "UPDATING");
	assert_int_equal(pass_with(world, updating), 1);
	for (size_t i = 0; i < sizeof unserved / sizeof unserved[0]; i++) {
		struct eks_cluster *cluster = fixture_eks("a", "env=prod");
		fixture_set_status(cluster, unserved[i]);
		assert_int_equal(pass_with(world, cluster), 0);
		assert_non_null(find(world, ARN("a")));
	}
}

static void test_a_recreated_cluster_is_another(void **state)
{
	struct world *world = *state;
	pass_with(world, fixture_eks("a", "env=prod"));
	struct eks_cluster *creating = fixture_eks("a", "env=prod");
	creating->created_at.ms += 60000;
	fixture_set_status(creating, "CREATING");
	pass_with(world, creating);
	assert_int_equal(only_change(world)->reason, REMOVAL_GONE);
	pass_with(world, fixture_eks("a", "env=prod"));
	struct eks_cluster *again = fixture_eks("a", "env=prod");
	again->created_at.ms += 60000;
	pass_with(world, again);
	assert_int_equal(only_change(world)->kind, REGISTRY_PUT);
	assert_int_equal(find(world, ARN("a"))->aws.created_at.ms, 1767323045123 + 60000);
}

static void test_lies_change_nothing(void **state)
{
	struct world *world = *state;
	pass_with(world, fixture_eks("a", "env=prod"));
	struct eks_cluster *liar = fixture_eks("a", "env=prod");
	free(liar->endpoint);
	liar->endpoint = xstrdup("http://evil.example");
	assert_int_equal(pass_with(world, liar), 0);
	assert_int_equal(world->output.judgements[0].verdict, VERDICT_UNUSABLE);
	assert_non_null(world->output.judgements[0].detail);
	struct eks_cluster *empty = fixture_eks("a", "env=prod");
	xfree(&empty->certificate_authority);
	assert_int_equal(pass_with(world, empty), 0);
	assert_string_equal(
	    find(world, ARN("a"))->endpoint, "https://a.gr7." REGION ".eks.amazonaws.com");
}

static void test_one_name_two_clusters(void **state)
{
	struct world *world = *state;
	struct sweep_result result = fixture_result();
	fixture_found(&result, fixture_eks("a", "env=prod,TeleportKubernetesName=web"));
	fixture_found(&result, fixture_eks("b", "env=prod,TeleportKubernetesName=web"));
	assert_int_equal(pass(world, &result), 2);
	assert_string_equal(find(world, ARN("a"))->name, "web");
	assert_null(find(world, ARN("a"))->status.reason);
	assert_string_equal(find(world, ARN("b"))->name, "b-eks-" REGION "-" ACCOUNT);
	assert_non_null(strstr(find(world, ARN("b"))->status.reason, ARN("a")));
	/* The holder gives it away and the other takes it, in one pass. */
	result = fixture_result();
	fixture_found(&result, fixture_eks("a", "env=prod"));
	fixture_found(&result, fixture_eks("b", "env=prod,TeleportKubernetesName=web"));
	assert_int_equal(pass(world, &result), 2);
	assert_string_equal(find(world, ARN("b"))->name, "web");
	assert_null(find(world, ARN("b"))->status.reason);
}

static void test_a_removal_holds_its_name_until_done(void **state)
{
	struct world *world = *state;
	pass_with(world, fixture_eks("z", "env=prod,TeleportKubernetesName=web"));
	struct sweep_result result = fixture_result();
	fixture_found(&result, fixture_eks("a", "env=prod,TeleportKubernetesName=web"));
	fixture_found(&result, fixture_eks("z", "env=dev"));
	pass(world, &result);
	assert_string_equal(find(world, ARN("a"))->name, "a-eks-" REGION "-" ACCOUNT);
	pass_with(world, fixture_eks("a", "env=prod,TeleportKubernetesName=web"));
	assert_string_equal(find(world, ARN("a"))->name, "web");
}

static void test_one_claim_left_keeps_it(void **state)
{
	struct world *world = *state;
	pass_with(world, fixture_eks("a", "env=prod"));
	world->scope = "arn:aws:iam::" ACCOUNT ":role/x/" REGION;
	pass_with(world, fixture_eks("a", "env=prod"));
	pass_with(world, fixture_eks("a", "env=dev"));
	assert_int_equal(only_change(world)->kind, REGISTRY_PUT);
	assert_non_null(find(world, ARN("a")));
	world->scope = SCOPE;
	pass_with(world, fixture_eks("a", "env=dev"));
	assert_int_equal(only_change(world)->reason, REMOVAL_UNMATCHED);
}

static enum coverage answer;

static enum coverage cover(void *arg, const char *scope)
{
	assert_string_equal(scope, arg);
	return answer;
}

static size_t look_for_orphans(struct world *world, int64_t now_ms)
{
	char scope[] = SCOPE;
	reconcile_output_free(&world->output);
	reconcile_orphans(world->set, cover, scope, (struct unix_time){now_ms},
	    duration_seconds(60), &world->output.changes);
	apply(world);
	return world->output.changes.count;
}

static void test_orphans_have_a_grace_time(void **state)
{
	struct world *world = *state;
	pass_with(world, fixture_eks("a", "env=prod"));
	answer = COVERAGE_UNKNOWN;
	assert_int_equal(look_for_orphans(world, 1000000), 0);
	answer = COVERAGE_NO;
	assert_int_equal(look_for_orphans(world, 1000000), 1);
	assert_string_equal(find(world, ARN("a"))->status.phase, "orphaned");
	assert_non_null(strstr(find(world, ARN("a"))->status.reason, SCOPE));
	assert_int_equal(look_for_orphans(world, 1059999), 0);
	answer = COVERAGE_YES;
	assert_int_equal(look_for_orphans(world, 1059999), 1);
	assert_string_equal(find(world, ARN("a"))->status.phase, "ready");
	assert_null(find(world, ARN("a"))->status.reason);
	answer = COVERAGE_NO;
	look_for_orphans(world, 2000000);
	look_for_orphans(world, 2060000);
	assert_int_equal(only_change(world)->reason, REMOVAL_ORPHANED);
	assert_null(find(world, ARN("a")));
}

static void test_a_served_orphan_is_none(void **state)
{
	struct world *world = *state;
	pass_with(world, fixture_eks("a", "env=prod"));
	answer = COVERAGE_NO;
	look_for_orphans(world, 1000000);
	pass_with(world, fixture_eks("a", "env=prod"));
	assert_string_equal(find(world, ARN("a"))->status.phase, "ready");
	assert_int_equal(cluster_set_find_arn(world->set, ARN("a"))->orphaned_since.ms, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_a_wanted_cluster_is_created),
	    TEST(test_labels_of_the_matcher),
	    TEST(test_tags_name_clusters_where_they_may),
	    TEST(test_late_labels_do_not_match),
	    TEST(test_unwanted_tags_remove),
	    TEST(test_two_complete_listings_must_lack_it),
	    TEST(test_a_partial_view_removes_nothing),
	    TEST(test_describe_says_gone),
	    TEST(test_a_refresh_counts_no_absences),
	    TEST(test_status),
	    TEST(test_a_recreated_cluster_is_another),
	    TEST(test_lies_change_nothing),
	    TEST(test_one_name_two_clusters),
	    TEST(test_a_removal_holds_its_name_until_done),
	    TEST(test_one_claim_left_keeps_it),
	    TEST(test_orphans_have_a_grace_time),
	    TEST(test_a_served_orphan_is_none),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
