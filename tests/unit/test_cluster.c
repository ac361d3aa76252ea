/* The clusters of the request path: what is refused before a token could be minted, whose
 * credentials serve, and what counts as another cluster. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/aws_call.h"
#include "common/aws_credentials.h"
#include "common/settings.h"
#include "common/xmem.h"
#include "kubeproxyd/directory/cluster.h"
#include "kubeproxyd/directory/directory.h"
#include "kubeproxyd/net/tls.h"

#define HOST	   "0123456789ABCDEF0123456789ABCDEF.gr7.eu-central-1.eks.amazonaws.com"
#define ARN	   "arn:aws:eks:eu-central-1:123456789012:cluster/prod"
#define PEM_BASE64 "UEVN" /* "PEM" */

static directory_fn *observer;
static void *observer_arg;
static struct clusters *clusters;
static struct settings settings;
static unsigned changed, gone, moved, stores, live_stores, live_tokens, providers, live_providers;
static char last_role[128];

/* --- the neighbours --------------------------------------------------------------------------- */

void directory_observe(struct directory *directory, directory_fn *fn, void *arg)
{
	(void)directory;
	observer = fn;
	observer_arg = arg;
}

struct duration directory_clock_offset(const struct directory *directory)
{
	(void)directory;
	return duration_seconds(300);
}

struct duration aws_clock_offset(const struct aws_context *aws)
{
	(void)aws;
	return (struct duration){0};
}

struct tls_store *tls_store_new(const char *pem, size_t len, char **error)
{
	stores++;
	if (len != 3 || memcmp(pem, "PEM", 3) != 0) {
		*error = xstrdup("no certificate in it");
		return NULL;
	}
	live_stores++;
	return xmalloc(1);
}

void tls_store_unref(struct tls_store **store)
{
	live_stores -= *store != NULL;
	xfree(store);
}

struct token_source *token_source_new(struct aws_provider *provider,
    const struct kube_cluster *cluster, const char *sts_host, struct duration lifetime,
    const struct duration *clock_offset)
{
	assert_non_null(provider);
	assert_non_null(cluster);
	assert_null(sts_host);
	assert_int_equal(lifetime.ms, 600000);
	assert_int_equal(clock_offset->ms, 300000);
	live_tokens++;
	return xmalloc(1);
}

void token_source_free(struct token_source **source)
{
	live_tokens -= *source != NULL;
	xfree(source);
}

struct aws_provider *aws_provider_default(struct aws_context *aws)
{
	(void)aws;
	live_providers++;
	strcpy(last_role, "own");
	return xmalloc(1);
}

struct aws_provider *aws_provider_assume_role(struct aws_context *aws, struct aws_provider *base,
    const char *role_arn, const char *external_id, const char *session_name, const char *region)
{
	(void)aws;
	assert_non_null(base);
	assert_non_null(session_name);
	providers++;
	live_providers++;
	snprintf(last_role, sizeof last_role, "%s %s %s", role_arn,
	    external_id != NULL ? external_id : "-", region);
	return xmalloc(1);
}

void aws_provider_unref(struct aws_provider **provider)
{
	live_providers--;
	xfree(provider);
}

/* --- the setting ------------------------------------------------------------------------------ */

static void on_cluster(void *arg, enum cluster_event event, struct cluster *cluster)
{
	(void)arg;
	assert_non_null(cluster->resource);
	changed += event == CLUSTER_CHANGED;
	gone += event == CLUSTER_GONE;
	moved += event == CLUSTER_MOVED;
}

static struct kube_cluster *make(const char *name)
{
	struct kube_cluster *resource = xcalloc(1, sizeof *resource);
	resource->name = xstrdup(name);
	resource->aws.name = xstrdup("prod");
	resource->aws.account_id = xstrdup("123456789012");
	resource->aws.region = xstrdup("eu-central-1");
	resource->aws.arn = xstrdup(ARN);
	resource->aws.created_at = (struct unix_time){1};
	resource->endpoint = xstrdup("https://" HOST);
	resource->certificate_authority = xstrdup(PEM_BASE64);
	resource->authentication_mode = xstrdup("API");
	resource->status.phase = xstrdup("ready");
	labels_set(&resource->labels, "env", "prod");
	return resource;
}

static void tell(
    enum directory_event event, const struct kube_cluster *old, const struct kube_cluster *now)
{
	observer(observer_arg, event, old, now);
}

static void set(char **text, const char *value)
{
	free(*text);
	*text = xstrdup(value);
}

static int set_up(void **state)
{
	(void)state;
	changed = gone = moved = stores = live_stores = live_tokens = providers = live_providers =
	    0;
	settings = (struct settings){.proxy.token_lifetime = duration_seconds(600)};
	clusters = clusters_new(NULL, NULL, &settings, on_cluster, NULL);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	clusters_free(&clusters);
	assert_int_equal(live_stores, 0);
	assert_int_equal(live_tokens, 0);
	assert_int_equal(live_providers, 0);
	return 0;
}

static struct cluster *add(struct kube_cluster *resource)
{
	char *name = xstrdup(resource->name);
	tell(DIRECTORY_ADDED, NULL, resource);
	kube_cluster_free(&resource);
	struct cluster *cluster = clusters_find(clusters, name);
	free(name);
	assert_non_null(cluster);
	return cluster;
}

static void prepare(struct cluster *cluster)
{
	char *error = NULL;
	if (!cluster_prepare(clusters, cluster, &error))
		fail_msg("%s", error);
}

/* --- tests ------------------------------------------------------------------------------------ */

static void test_is_prepared_once(void **state)
{
	(void)state;
	struct cluster *cluster = add(make("a"));
	assert_int_equal(stores + live_tokens, 0);
	prepare(cluster);
	prepare(cluster);
	assert_int_equal(stores, 1);
	assert_string_equal(cluster->host, HOST);
	assert_string_equal(cluster->authority, HOST);
	assert_int_equal(cluster->port, 443);
	assert_null(clusters_find(clusters, "b"));
}

static void test_walks_by_name(void **state)
{
	(void)state;
	add(make("b"));
	add(make("a"));
	add(make("c"));
	char names[8] = "";
	for (struct cluster *at = NULL; (at = clusters_next(clusters, at)) != NULL;)
		strcat(names, at->resource->name);
	assert_string_equal(names, "abc");
}

static void test_bad_endpoints_get_no_token(void **state)
{
	static const char *const endpoints[] = {
	    "http://" HOST,
	    "https://",
	    "https://" HOST ":0",
	    "https://" HOST ":65536",
	    "https://" HOST ":+443",
	    "https://" HOST ":443x",
	    "https://" HOST "/api",
	    "https://" HOST "?x",
	    "https://evil@" HOST,
	    "https://" HOST "@evil.example",
	    "https://evil.example",
	    "https://" HOST ".evil.example",
	    "https://x.gr7.us-east-1.eks.amazonaws.com",
	    "https://127.0.0.1",
	    "https://[::1]:443",
	};
	for (size_t i = 0; i < sizeof endpoints / sizeof endpoints[0]; i++) {
		struct kube_cluster *resource = make("a");
		set(&resource->endpoint, endpoints[i]);
		char *error = NULL;
		if (cluster_prepare(clusters, add(resource), &error))
			fail_msg("%s was taken", endpoints[i]);
		assert_non_null(strstr(error, "endpoint"));
		assert_int_equal(stores + live_tokens, 0);
		free(error);
		tear_down(state);
		set_up(state);
	}
}

static void test_the_arn_must_agree(void **state)
{
	static const char *const arns[] = {
	    "arn:aws:eks:eu-central-1:123456789012:cluster/other",
	    "arn:aws:eks:eu-central-1:999999999999:cluster/prod",
	    "arn:aws:eks:us-east-1:123456789012:cluster/prod",
	    "arn:aws:s3:eu-central-1:123456789012:cluster/prod",
	    "prod",
	};
	for (size_t i = 0; i < sizeof arns / sizeof arns[0]; i++) {
		struct kube_cluster *resource = make("a");
		set(&resource->aws.arn, arns[i]);
		char *error = NULL;
		assert_false(cluster_prepare(clusters, add(resource), &error));
		assert_non_null(strstr(error, arns[i]));
		free(error);
		tear_down(state);
		set_up(state);
	}
}

static void test_bad_authorities(void **state)
{
	static const char *const authorities[] = {"", "!!!!", "AAAA", "UEV", "UEVNUEVN"};
	for (size_t i = 0; i < sizeof authorities / sizeof authorities[0]; i++) {
		struct kube_cluster *resource = make("a");
		set(&resource->certificate_authority, authorities[i]);
		struct cluster *cluster = add(resource);
		char *error = NULL;
		assert_false(cluster_prepare(clusters, cluster, &error));
		assert_non_null(strstr(error, "certificate authority"));
		free(error);
		/* And again: a failure leaves nothing half done. */
		assert_false(cluster_prepare(clusters, cluster, &error));
		free(error);
		tear_down(state);
		set_up(state);
	}
}

static void test_a_suffix_for_tests(void **state)
{
	(void)state;
	settings.test.endpoint_suffix = (char[]){"127.0.0.1"};
	struct kube_cluster *resource = make("a");
	set(&resource->endpoint, "https://127.0.0.1:6443");
	struct cluster *cluster = add(resource);
	prepare(cluster);
	assert_string_equal(cluster->authority, "127.0.0.1:6443");
	resource = make("b");
	set(&resource->endpoint, "https://9127.0.0.1");
	char *error = NULL;
	assert_false(cluster_prepare(clusters, add(resource), &error));
	free(error);
	resource = make("c");
	set(&resource->endpoint, "https://evil.127.0.0.1");
	assert_false(cluster_prepare(clusters, add(resource), &error));
	free(error);
}

static void test_whose_credentials_serve(void **state)
{
	(void)state;
	char *error = NULL;
	struct resource_selector items[] = {
	    {.labels = selector_new(), .assume_role_arn = (char[]){"arn:dev"}},
	    {.labels = selector_new(),
		.assume_role_arn = (char[]){"arn:prod"},
		.external_id = (char[]){"x1"}},
	};
	assert_true(selector_add(items[0].labels, "env", "dev", &error));
	assert_true(selector_add(items[1].labels, "env", "prod", &error));
	prepare(add(make("own")));
	assert_string_equal(last_role, "own");
	settings.kubernetes.resources = items;
	settings.kubernetes.resource_count = 2;
	prepare(add(make("by-selector")));
	assert_string_equal(last_role, "arn:prod x1 eu-central-1");
	prepare(add(make("shared")));
	assert_int_equal(providers, 1);
	struct kube_cluster *resource = make("by-itself");
	resource->aws.serving_role = xstrdup("arn:self");
	prepare(add(resource));
	assert_string_equal(last_role, "arn:self - eu-central-1");
	selector_free(&items[0].labels);
	selector_free(&items[1].labels);
	settings.kubernetes.resource_count = 0;
}

static void test_another_identity_is_another_cluster(void **state)
{
	(void)state;
	char *error = NULL;
	prepare(add(make("a")));
	add(make("unused"));
	struct resource_selector item = {
	    .labels = selector_new(), .assume_role_arn = (char[]){"arn:new"}};
	assert_true(selector_add(item.labels, "*", "*", &error));
	struct settings now = settings;
	now.kubernetes.resources = &item;
	now.kubernetes.resource_count = 1;
	clusters_set_settings(clusters, &settings);
	assert_int_equal(gone, 0);
	clusters_set_settings(clusters, &now);
	assert_int_equal(gone, 1);
	assert_int_equal(live_tokens, 0);
	prepare(clusters_find(clusters, "a"));
	assert_string_equal(last_role, "arn:new - eu-central-1");
	clusters_set_settings(clusters, &settings);
	selector_free(&item.labels);
}

static void test_changes(void **state)
{
	(void)state;
	struct kube_cluster *old = make("a"), *now = make("a");
	struct cluster *cluster = add(make("a"));
	prepare(cluster);
	labels_set(&now->labels, "team", "x");
	tell(DIRECTORY_CHANGED, old, now);
	assert_int_equal(changed, 1);
	assert_int_equal(moved + gone, 0);
	assert_string_equal(labels_get(&cluster->resource->labels, "team"), "x");
	set(&now->endpoint, "https://other.gr7.eu-central-1.eks.amazonaws.com");
	tell(DIRECTORY_CHANGED, old, now);
	assert_int_equal(moved, 1);
	assert_ptr_equal(clusters_find(clusters, "a"), cluster);
	prepare(cluster);
	assert_int_equal(stores, 2);
	assert_string_equal(cluster->host, "other.gr7.eu-central-1.eks.amazonaws.com");
	set(&now->name, "renamed");
	tell(DIRECTORY_CHANGED, old, now);
	assert_int_equal(gone, 1);
	assert_null(clusters_find(clusters, "a"));
	assert_non_null(clusters_find(clusters, "renamed"));
	tell(DIRECTORY_REMOVED, now, NULL);
	assert_null(clusters_find(clusters, "renamed"));
	kube_cluster_free(&old);
	kube_cluster_free(&now);
}

static void test_remembers_the_last_error(void **state)
{
	(void)state;
	struct cluster *cluster = add(make("a"));
	cluster_note_error(cluster, NULL);
	assert_null(cluster->last_error);
	cluster_note_error(cluster, "unreachable");
	assert_string_equal(cluster->last_error, "unreachable");
	assert_true(cluster->last_error_at.ms > 0);
	cluster_note_error(cluster, NULL);
	assert_null(cluster->last_error);
	assert_true(cluster->last_error_at.ms == 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(test_is_prepared_once),
	    TEST(test_walks_by_name),
	    TEST(test_bad_endpoints_get_no_token),
	    TEST(test_the_arn_must_agree),
	    TEST(test_bad_authorities),
	    TEST(test_a_suffix_for_tests),
	    TEST(test_whose_credentials_serve),
	    TEST(test_another_identity_is_another_cluster),
	    TEST(test_changes),
	    TEST(test_remembers_the_last_error),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
