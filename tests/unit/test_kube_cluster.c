/* The resource: both directions of its JSON form, equality, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/buf.h"
#include "common/kube_cluster.h"
#include "common/xmem.h"

/* "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n" */
#define AUTHORITY "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCk1JSUIKLS0tLS1FTkQgQ0VSVElGSUNBVEUtLS0tLQo="

/* Canonical, with one unknown member in each object. */
static const char full[] =
    "{\"extra\":[1,{\"b\":1.50}],\"kind\":\"kube_cluster\",\"metadata\":{\"description\":\"A "
    "\\\"c\\\"\","
    "\"labels\":{\"env\":\"prod\",\"region\":\"eu-west-1\"},\"name\":\"prod-eks\",\"owner\":\"x\","
    "\"revision\":7},\"spec\":{\"authentication_mode\":\"API\",\"aws\":{\"account_id\":"
    "\"123456789012\","
    "\"arn\":\"arn:aws:eks:eu-west-1:123456789012:cluster/"
    "prod\",\"cluster_id\":\"1b2c\",\"created_at\":"
    "\"2026-01-02T03:04:05.678Z\",\"name\":\"prod\",\"region\":\"eu-west-1\",\"serving_role\":"
    "\"arn:aws:iam::123456789012:role/path/"
    "serve\",\"vpc\":null},\"certificate_authority\":\"" AUTHORITY
    "\",\"endpoint\":\"https://ABCDEF.gr7.eu-west-1.eks.amazonaws.com\",\"health\":{}},\"status\":{"
    "\"access\":\"granted\",\"phase\":\"ready\",\"reason\":\"why\",\"since\":true},\"version\":"
    "\"v3\"}";

static struct kube_cluster *parse(const char *text)
{
	char *error = NULL;
	struct kube_cluster *cluster = kube_cluster_from_text(text, strlen(text), &error);
	if (cluster == NULL)
		fail_msg("%s", error);
	return cluster;
}

/* `text` with the first `old` replaced (free()). */
static char *replaced(const char *text, const char *old, const char *new)
{
	const char *at = strstr(text, old);
	if (at == NULL)
		fail_msg("%s is not there", old);
	return xasprintf("%.*s%s%s", (int)(at - text), text, new, at + strlen(old));
}

static void test_round_trip(void **state)
{
	(void)state;
	struct kube_cluster *cluster = parse(full);
	char *text = kube_cluster_to_text(cluster);
	assert_string_equal(text, full);
	free(text);
	assert_string_equal(cluster->name, "prod-eks");
	assert_string_equal(cluster->description, "A \"c\"");
	assert_string_equal(labels_get(&cluster->labels, "env"), "prod");
	assert_int_equal(cluster->labels.count, 2);
	assert_int_equal(cluster->revision, 7);
	assert_string_equal(cluster->aws.name, "prod");
	assert_string_equal(cluster->aws.account_id, "123456789012");
	assert_string_equal(cluster->aws.region, "eu-west-1");
	assert_string_equal(cluster->aws.cluster_id, "1b2c");
	assert_string_equal(cluster->aws.serving_role, "arn:aws:iam::123456789012:role/path/serve");
	assert_int_equal(cluster->aws.created_at.ms, 1767323045678);
	assert_string_equal(cluster->authentication_mode, "API");
	assert_string_equal(cluster->status.phase, "ready");
	assert_string_equal(cluster->status.reason, "why");
	assert_string_equal(cluster->status.access, "granted");
	kube_cluster_free(&cluster);
	assert_null(cluster);
}

static void test_least(void **state)
{
	static const char least[] =
	    "{\"kind\":\"kube_cluster\",\"metadata\":{\"labels\":{},\"name\":\"p\",\"revision\":0},"
	    "\"spec\":{\"authentication_mode\":\"CONFIG_MAP\",\"aws\":{\"account_id\":"
	    "\"123456789012\","
	    "\"arn\":\"arn:aws-cn:eks:cn-north-1:123456789012:cluster/p_1\",\"created_at\":"
	    "\"2026-01-02T03:04:05.000Z\",\"name\":\"p_1\",\"region\":\"cn-north-1\"},"
	    "\"certificate_authority\":\"" AUTHORITY
	    "\",\"endpoint\":\"https://127.0.0.1:6443\"},\"status\":{\"phase\":\"orphaned\"},"
	    "\"version\":\"v3\"}";
	(void)state;
	struct kube_cluster *cluster = parse(least);
	assert_null(cluster->description);
	assert_null(cluster->aws.cluster_id);
	assert_null(cluster->aws.serving_role);
	assert_null(cluster->status.reason);
	assert_null(cluster->unknown);
	char *text = kube_cluster_to_text(cluster);
	assert_string_equal(text, least);
	free(text);
	kube_cluster_free(&cluster);
}

static void test_copy_and_equality(void **state)
{
	static const struct {
		const char *old, *new;
		bool equal, same;
	} rows[] = {
	    {"\"revision\":7", "\"revision\":8", true, true},
	    {"\"name\":\"prod-eks\"", "\"name\":\"other\"", false, true},
	    {"\"env\":\"prod\"", "\"env\":\"dev\"", false, true},
	    {"\"owner\":\"x\"", "\"owner\":\"y\"", false, true},
	    {"\"reason\":\"why\",", "", false, true},
	    {"05.678Z", "05.679Z", false, false},
	};
	(void)state;
	struct kube_cluster *cluster = parse(full);
	struct kube_cluster *copy = kube_cluster_copy(cluster);
	assert_true(kube_cluster_equal(cluster, copy));
	char *text = kube_cluster_to_text(copy);
	assert_string_equal(text, full);
	free(text);
	kube_cluster_free(&copy);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char *changed = replaced(full, rows[i].old, rows[i].new);
		struct kube_cluster *other = parse(changed);
		assert_int_equal(kube_cluster_equal(cluster, other), rows[i].equal);
		assert_int_equal(kube_cluster_is_same(cluster, other), rows[i].same);
		kube_cluster_free(&other);
		free(changed);
	}
	kube_cluster_free(&cluster);
}

static const struct {
	const char *old, *new, *error;
} bad_resources[] = {
    {"\"kind\":\"kube_cluster\"", "\"kind\":\"node\"",
	"kube_cluster: kind and version are \"node\" and \"v3\", wanted \"kube_cluster\" "
	"and \"v3\""},
    {"\"version\":\"v3\"", "\"version\":\"v4\"", "wanted \"kube_cluster\" and \"v3\""},
    {"\"version\":\"v3\"", "\"version\":3", "kube_cluster: version is not a string"},
    {"\"metadata\"", "\"meta\"", "kube_cluster: metadata is missing"},
    {"\"status\":{", "\"status\":[],\"x\":{", "kube_cluster: status is not an object"},
    {"\"aws\":{", "\"aws\":null,\"x\":{", "kube_cluster: spec: aws is missing"},
    {"\"name\":\"prod-eks\",", "", "kube_cluster: metadata: name is missing"},
    {"\"prod-eks\"", "\"\"", "kube_cluster: metadata.name: \"\" is not letters, digits"},
    {"\"prod-eks\"", "\"..\"", "metadata.name: \"..\" is not"},
    {"\"prod-eks\"", "\".a\"", "metadata.name: \".a\" is not"},
    {"\"prod-eks\"", "\"a/b\"", "metadata.name: \"a/b\" is not"},
    {"\"prod-eks\"", "\"a%2f\"", "metadata.name: \"a%2f\" is not"},
    {"\"prod-eks\"", "\"a\\u0000\"", "kube_cluster: metadata: name holds a NUL"},
    {"\"A \\\"c\\\"\"", "\"a\\nb\"", "kube_cluster \"prod-eks\": metadata.description: "},
    {"\"A \\\"c\\\"\"", "5", "metadata: description is not a string"},
    {"\"env\":\"prod\"", "\"env\":1", "metadata.labels: env is not a string"},
    {"\"env\":\"prod\"", "\"e v\":\"x\"", "metadata.labels: \"e v\" is no valid label"},
    {"\"labels\":{", "\"labels\":[],\"x\":{", "metadata: labels is not an object"},
    {"\"revision\":7", "\"revision\":-1", "metadata.revision: must not be negative"},
    {"\"revision\":7", "\"revision\":\"7\"", "metadata: revision is not an integer"},
    {"\"revision\":7", "\"revision\":7.0", "metadata: revision is not an integer"},
    {"\"account_id\":\"123456789012\"", "\"account_id\":\"12345678901\"",
	"spec.aws.account_id: \"12345678901\" is not twelve digits"},
    {"\"account_id\":\"123456789012\"", "\"account_id\":\"999999999999\"",
	"spec.aws.arn: names another cluster than spec.aws.name, region and account_id"},
    {"\"region\":\"eu-west-1\",\"serving", "\"region\":\"eu-west-2\",\"serving",
	"spec.aws.arn: names another cluster"},
    {"\"region\":\"eu-west-1\",\"serving", "\"region\":\"EU\",\"serving",
	"spec.aws.region: \"EU\" is not the name of a region"},
    {"\"name\":\"prod\"", "\"name\":\"prod2\"", "spec.aws.arn: names another cluster"},
    {"\"name\":\"prod\"", "\"name\":\"pr.od\"", "spec.aws.name: \"pr.od\" is not"},
    {"arn:aws:eks:", "arn:aws:ecs:", "spec.aws.arn: "},
    {"\"1b2c\"", "\"1b 2c\"", "spec.aws.cluster_id: "},
    {"arn:aws:iam::", "arn:aws:sts::", "spec.aws.serving_role: "},
    {":role/path/serve", ":role/path/", "spec.aws.serving_role: "},
    {"2026-01-02T03:04:05.678Z", "yesterday",
	"spec.aws.created_at: \"yesterday\" is not a time (RFC 3339)"},
    {"2026-01-02T03:04:05.678Z", "1969-01-01T00:00:00Z", "spec.aws.created_at: "},
    {"https://ABC", "http://ABC", "spec.endpoint: \"http://ABC"},
    {"https://ABC", "https://user@ABC", "spec.endpoint: "},
    {"amazonaws.com\"", "amazonaws.com/\"", "spec.endpoint: "},
    {"amazonaws.com\"", "amazonaws.com?a\"", "spec.endpoint: "},
    {"amazonaws.com\"", "amazonaws.com#a\"", "spec.endpoint: "},
    {"amazonaws.com\"", "amazonaws.com:\"", "spec.endpoint: "},
    {"amazonaws.com\"", "amazonaws.com:0\"", "spec.endpoint: "},
    {"amazonaws.com\"", "amazonaws.com:65536\"", "spec.endpoint: "},
    {"amazonaws.com\"", "amazonaws.com:44a\"", "spec.endpoint: "},
    {"amazonaws.com\"", "amazonaws..com\"", "spec.endpoint: "},
    {"amazonaws.com\"", "amazonaws.com.\"", "spec.endpoint: "},
    {"amazonaws.com\"", "amazonaws.com-\"", "spec.endpoint: "},
    {"amazonaws.com\"", "amaz onaws.com\"", "spec.endpoint: "},
    {"amazonaws.com\"", "amazonaws.com\\r\\nx\"", "spec.endpoint: "},
    {"https://ABCDEF.gr7.eu-west-1.eks.amazonaws.com", "https://", "spec.endpoint: "},
    {"https://ABCDEF.gr7.eu-west-1.eks.amazonaws.com", "https://[::1]", "spec.endpoint: "},
    {AUTHORITY, "", "spec.certificate_authority: "},
    {AUTHORITY, "!!!!", "spec.certificate_authority: "},
    {AUTHORITY, "AAAA", "spec.certificate_authority: "},
    {"LS0tLS1C", "LS0t LS1C", "spec.certificate_authority: "},
    {"LQo=", "LQo", "spec.certificate_authority: "},
    {"LQo=", "LQ==LQo=", "spec.certificate_authority: "},
    {"LS0tLS1FTkQg", "LS0tLS1FTkYg", "spec.certificate_authority: "},
    {"Q0VSVElGSUNBVEUtLS0tLQo=", "Q0VSVElGSUNBVEUtLS0t", "spec.certificate_authority: "},
    {"\"authentication_mode\":\"API\",", "",
	"kube_cluster \"prod-eks\": spec: authentication_mode is missing"},
    {"\"authentication_mode\":\"API\"", "\"authentication_mode\":\"A P\"",
	"spec.authentication_mode: \"A P\" is not"},
    {"\"phase\":\"ready\"", "\"phase\":\"\"", "status.phase: \"\" is not"},
    {"\"reason\":\"why\"", "\"reason\":{}", "status: reason is not a string"},
    {"{\"extra\"", "[\"extra\"", "kube_cluster: "},
    {"\"status\"", "\"kind\"", "kube_cluster: a key stands twice"},
};

static void test_bad_resources(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(bad_resources) / sizeof(bad_resources[0]); i++) {
		char *error = NULL,
		     *text = replaced(full, bad_resources[i].old, bad_resources[i].new);
		struct kube_cluster *cluster = kube_cluster_from_text(text, strlen(text), &error);
		if (cluster != NULL || strstr(error, bad_resources[i].error) == NULL)
			fail_msg("%s -> %s: %s", bad_resources[i].old, bad_resources[i].new,
			    cluster != NULL ? "accepted" : error);
		free(error);
		free(text);
	}
}

static void test_too_large(void **state)
{
	(void)state;
	char *error = NULL;
	size_t len = KUBE_CLUSTER_JSON_MAX + 1;
	char *text = xmalloc(len);
	memset(text, ' ', len);
	assert_null(kube_cluster_from_text(text, len, &error));
	assert_string_equal(error, "kube_cluster: 262145 bytes, at most 262144 are read");
	free(error);
	free(text);
}

/* A tag's value is at most 1,024 bytes, and there are at most 256 labels. */
static void test_label_limits(void **state)
{
	(void)state;
	struct buf labels = {0};
	buf_append_text(&labels, "\"labels\":{");
	for (int i = 0; i < 255; i++)
		buf_printf(&labels, "\"k%d\":\"v\",", i);
	char *error = NULL, *text = replaced(full, "\"labels\":{", buf_text(&labels));
	assert_null(kube_cluster_from_text(text, strlen(text), &error));
	assert_string_equal(error, "kube_cluster \"prod-eks\": metadata.labels: more than 256");
	free(error);
	free(text);
	buf_clear(&labels);
	buf_printf(&labels, "\"env\":\"%01025d\"", 0);
	text = replaced(full, "\"env\":\"prod\"", buf_text(&labels));
	assert_null(kube_cluster_from_text(text, strlen(text), &error));
	assert_non_null(strstr(error, "\"env\" is no valid label"));
	free(error);
	free(text);
	buf_free(&labels);
}

static void test_names(void **state)
{
	(void)state;
	char name[255];
	memset(name, 'a', sizeof(name));
	name[253] = '\0';
	assert_true(kube_cluster_name_is_valid(name));
	name[253] = 'a';
	name[254] = '\0';
	assert_false(kube_cluster_name_is_valid(name));
	assert_true(kube_cluster_name_is_valid("0"));
	assert_true(kube_cluster_name_is_valid("Prod_1.eks-eu"));
	static const char *const bad[] = {
	    "", ".", "..", "-a", "_a", "a b", "a/b", "a\\b", "a%", "a:b", "\xc3\xa9", "a\n"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(kube_cluster_name_is_valid(bad[i]));
	for (unsigned c = 1; c < 256; c++) {
		char first[] = "?b", inner[] = "a?b";
		bool is_letter = (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
		bool is_alnum = is_letter || (c >= '0' && c <= '9');
		first[0] = inner[1] = (char)c;
		assert_int_equal(kube_cluster_name_is_valid(first), is_alnum);
		assert_int_equal(kube_cluster_name_is_valid(inner),
		    is_alnum || c == '.' || c == '_' || c == '-');
	}
}

static void test_arns(void **state)
{
	static const char *const bad[] = {"", "arn:", "arn:aws:eks:eu-west-1:123456789012:cluster/",
	    "arn:aws:eks:eu-west-1:123456789012:cluster/a/b",
	    "arn:aws:eks:eu-west-1:123456789012:cluster/-a",
	    "arn:aws:eks:eu-west-1:12345678901:cluster/a",
	    "arn:aws:eks:eu-west-1:1234567890123:cluster/a", "arn:aws:eks::123456789012:cluster/a",
	    "arn:aws:eks:eu-west-1:123456789012:nodegroup/a",
	    "arn:gcp:eks:eu-west-1:123456789012:cluster/a",
	    "arn:aws:eks:eu west:123456789012:cluster/a",
	    "arn:aws:eks:eu-west-1:123456789012:cluster/a b",
	    "arn:aws:eks:eu-west-1234567890123456789012345:123456789012:cluster/a",
	    "ARN:aws:eks:eu-west-1:123456789012:cluster/a",
	    "arn:aws-very-long-name:eks:eu-west-1:123456789012:cluster/a"};
	(void)state;
	struct eks_arn parts;
	assert_true(
	    eks_arn_parse("arn:aws-us-gov:eks:us-gov-west-1:123456789012:cluster/a_B-1", &parts));
	assert_string_equal(parts.partition, "aws-us-gov");
	assert_string_equal(parts.region, "us-gov-west-1");
	assert_string_equal(parts.account_id, "123456789012");
	assert_string_equal(parts.name, "a_B-1");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (eks_arn_parse(bad[i], &parts))
			fail_msg("%s", bad[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_round_trip),
	    cmocka_unit_test(test_least),
	    cmocka_unit_test(test_copy_and_equality),
	    cmocka_unit_test(test_bad_resources),
	    cmocka_unit_test(test_too_large),
	    cmocka_unit_test(test_label_limits),
	    cmocka_unit_test(test_names),
	    cmocka_unit_test(test_arns),
	};
	return cmocka_run_group_tests_name("kube_cluster", tests, NULL, NULL);
}
