/* The pure parts of the probe room: what answers mean, which rights are needed, whose principal it
 * is, and the texts of `kubeproxyd rbac`. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/buf.h"
#include "common/xmem.h"
#include "kubeproxyd/net/address.h"
#include "kubeproxyd/policy/policy.h"
#include "kubeproxyd/probe/call.h"
#include "kubeproxyd/probe/finding.h"
#include "kubeproxyd/probe/own_principal.h"
#include "kubeproxyd/probe/rbac_text.h"
#include "kubeproxyd/probe/rights.h"

static const char roles[] = "kind: role\nversion: v8\nmetadata: {name: a}\nspec:\n  allow:\n"
			    "    kubernetes_labels: {'*': '*'}\n"
			    "    kubernetes_groups: [viewers, developers]\n"
			    "---\nkind: role\nversion: v8\nmetadata: {name: b}\nspec:\n  allow:\n"
			    "    kubernetes_labels: {'*': '*'}\n"
			    "    kubernetes_groups: [developers]\n";

/* --- findings ----------------------------------------------------------------------------------
 */

static struct call_answer answer_of(unsigned status, const char *body)
{
	return (struct call_answer){.status = status, .body = body, .body_len = strlen(body)};
}

static void assert_code(struct finding *finding, const char *code, const char *says)
{
	finding_conclude(finding, "prod", "arn:aws:iam::1:role/x");
	assert_string_equal(finding->code, code);
	if (strstr(finding->text, says) == NULL)
		fail_msg("\"%s\" is not in %s", says, finding->text);
	finding_clear(finding);
}

static void test_no_answer(void **state)
{
	(void)state;
	static const struct {
		enum peer_failure_kind failure;
		const char *reason;
		bool is_private;
		const char *code;
	} rows[] = {
	    {PEER_CONNECT, "resolve x.example: no such host", false, "dns"},
	    {PEER_CONNECT, "connect: Connection refused", false, "refused"},
	    {PEER_CONNECT, "connect: Connection refused", true, "private"},
	    {PEER_TIMEOUT, "connect timed out", false, "timeout"},
	    {PEER_TIMEOUT, "connect timed out", true, "private"},
	    {PEER_TLS, "tls: certificate verify failed", true, "tls"},
	    {PEER_MALFORMED, "not HTTP", false, "error"},
	    {PEER_CUT_BEFORE_HEAD, "gone", false, "error"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct finding finding = {0};
		struct call_answer none = {
		    .body = "", .failure = rows[i].failure, .reason = rows[i].reason};
		finding_unreachable(&finding, &none, rows[i].is_private);
		assert_int_equal(finding.reachable, ANSWER_NO);
		assert_int_equal(finding.authenticated, ANSWER_UNKNOWN);
		assert_code(&finding, rows[i].code, rows[i].reason);
	}
}

static void test_readiness(void **state)
{
	(void)state;
	static const struct {
		unsigned status;
		enum message_answer authenticated, healthy;
		const char *code;
	} rows[] = {
	    {200, ANSWER_YES, ANSWER_YES, "ok"},
	    {401, ANSWER_NO, ANSWER_UNKNOWN, "unauthenticated"},
	    {403, ANSWER_YES, ANSWER_UNKNOWN, "ok"},
	    {429, ANSWER_YES, ANSWER_UNKNOWN, "throttled"},
	    {500, ANSWER_YES, ANSWER_NO, "unhealthy"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct finding finding = {0};
		struct call_answer answer = answer_of(rows[i].status, "");
		finding_readiness(&finding, &answer);
		assert_int_equal(finding.reachable, ANSWER_YES);
		assert_int_equal(finding.authenticated, rows[i].authenticated);
		assert_int_equal(finding.healthy, rows[i].healthy);
		assert_code(&finding, rows[i].code, "");
	}
}

static bool review(struct finding *finding, const char *resource, const char *name, unsigned status,
    const char *body)
{
	struct right right = {
	    .verb = "impersonate", .group = "", .resource = resource, .name = name};
	struct call_answer answer = answer_of(status, body);
	return finding_review(finding, &right, &answer);
}

#define ALLOWED "{\"status\":{\"allowed\":true}}"
#define DENIED	"{\"status\":{\"allowed\":false}}"

static void test_reviews(void **state)
{
	(void)state;
	struct finding finding = {.reachable = ANSWER_YES};
	assert_true(review(&finding, "users", NULL, 201, ALLOWED));
	assert_int_equal(finding.permitted, ANSWER_YES);
	assert_true(review(&finding, "groups", "a", 201, DENIED));
	assert_true(review(&finding, "groups", "b", 201, ALLOWED));
	assert_int_equal(finding.permitted, ANSWER_NO);
	for (int i = 0; i < 20; i++)
		assert_true(review(&finding, "groups", "c", 201, DENIED));
	assert_int_equal(finding.denied_count, FINDING_DENIED_MAX);
	assert_code(&finding, "forbidden", "impersonate groups \"a\", impersonate groups \"c\"");
}

/* What is no verdict is none, never a yes. */
static void test_bad_reviews(void **state)
{
	(void)state;
	static const struct {
		unsigned status;
		const char *body;
	} rows[] = {
	    {201, "{}"},
	    {201, "[]"},
	    {201, ""},
	    {201, "{\"status\":{\"allowed\":\"true\"}}"},
	    {201, "{\"status\":{\"allowed\":1}}"},
	    {201, "{\"status\":{}}"},
	    {201, "{\"status\":{\"allowed\":true}"},
	    {201, "{\"status\":{\"allowed\":false},\"status\":{\"allowed\":true}}"},
	    {500, ALLOWED},
	    {403, ALLOWED},
	    {429, ""},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct finding finding = {.reachable = ANSWER_YES};
		assert_true(review(&finding, "users", NULL, 201, ALLOWED));
		assert_false(review(&finding, "pods", NULL, rows[i].status, rows[i].body));
		assert_int_equal(finding.permitted, ANSWER_UNKNOWN);
		assert_code(&finding, rows[i].status == 429 ? "throttled" : "error", "");
	}
}

static void test_a_pending_one(void **state)
{
	(void)state;
	struct finding finding = {0}, other = {0};
	finding_conclude(&finding, "prod", NULL);
	assert_int_equal(finding.checked.ms, 0);
	finding_conclude(&other, "prod", NULL);
	assert_true(finding_is_equal(&finding, &other));
	finding_clear(&other);
	finding_no_credentials(&other, "none");
	finding_conclude(&other, "prod", NULL);
	assert_string_equal(other.code, "no-credentials");
	assert_false(finding_is_equal(&finding, &other));
	finding_clear(&other);
	finding_clear(&finding);
}

/* --- rights ------------------------------------------------------------------------------------
 */

static void read_rights(const char *text, struct rights *rights)
{
	char *error = NULL;
	struct policy *policy = policy_parse("p", text, strlen(text), &error);
	if (policy == NULL)
		fail_msg("%s", error);
	rights_of_policy(policy, rights);
	policy_unref(&policy);
}

static void test_rights(void **state)
{
	(void)state;
	struct rights rights;
	struct right list[RIGHTS_MAX];
	read_rights(roles, &rights);
	assert_int_equal(rights.group_count, 2);
	assert_string_equal(rights.groups[0], "developers");
	assert_int_equal(rights_list(&rights, list), 5);
	assert_string_equal(list[4].name, "viewers");
	rights_clear(&rights);
	read_rights("", &rights);
	assert_int_equal(rights_list(&rights, list), 3);
	struct json_object *role = rights_cluster_role(&rights, "eksgate");
	assert_null(strstr(json_object_to_json_string(role), "groups"));
	assert_null(rights_warning(&rights));
	json_object_put(role);
	rights_clear(&rights);
}

/* A role that takes its groups from the user's claims: none can be named beforehand. */
static void test_groups_of_templates(void **state)
{
	(void)state;
	static const char text[] = "kind: role\nversion: v8\nmetadata: {name: a}\nspec:\n  allow:\n"
				   "    kubernetes_labels: {'*': '*'}\n"
				   "    kubernetes_groups: [fixed, '{{external.teams}}']\n";
	struct rights rights;
	struct right list[RIGHTS_MAX];
	read_rights(text, &rights);
	assert_true(rights.is_any_group);
	assert_non_null(strstr(rights_warning(&rights), "system:masters"));
	assert_int_equal(rights.group_count, 0);
	assert_int_equal(rights_list(&rights, list), 4);
	assert_null(list[3].name);
	struct json_object *role = rights_cluster_role(&rights, "eksgate");
	assert_null(strstr(json_object_to_json_string(role), "resourceNames"));
	json_object_put(role);
	rights_clear(&rights);
}

static void test_many_groups(void **state)
{
	(void)state;
	struct rights rights = {0};
	struct right list[RIGHTS_MAX];
	char *groups[100];
	for (size_t i = 0; i < 100; i++)
		groups[i] = (char *)(uintptr_t) "g";
	rights.groups = groups;
	rights.group_count = 100;
	assert_int_equal(rights_list(&rights, list), RIGHTS_MAX);
}

/* --- principals --------------------------------------------------------------------------------
 */

static void test_principals(void **state)
{
	(void)state;
	static const struct {
		const char *caller, *principal;
	} rows[] = {
	    {"arn:aws:sts::123456789012:assumed-role/serve/i-0a",
		"arn:aws:iam::123456789012:role/serve"},
	    {"arn:aws-cn:sts::1:assumed-role/a.b@c/x/y", "arn:aws-cn:iam::1:role/a.b@c"},
	    {"arn:aws:iam::1:user/team/bob", "arn:aws:iam::1:user/team/bob"},
	    {"arn:aws:iam::1:root", "arn:aws:iam::1:root"},
	    {"arn:aws:sts::1:federated-user/bob", "arn:aws:sts::1:federated-user/bob"},
	    {"", ""},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char *principal = principal_of_caller(rows[i].caller);
		assert_string_equal(principal, rows[i].principal);
		free(principal);
	}
}

static void test_private_addresses(void **state)
{
	(void)state;
	static const struct {
		const char *address;
		bool is_private;
	} rows[] = {
	    {"10.0.0.1", true},
	    {"10.255.255.255", true},
	    {"11.0.0.0", false},
	    {"172.15.255.255", false},
	    {"172.16.0.0", true},
	    {"172.31.255.255", true},
	    {"172.32.0.0", false},
	    {"192.168.1.1", true},
	    {"192.169.0.0", false},
	    {"100.64.0.1", true},
	    {"100.128.0.0", false},
	    {"127.0.0.1", false},
	    {"203.0.113.7", false},
	    {"fd00::1", true},
	    {"fc00::1", true},
	    {"fe80::1", false},
	    {"2001:db8::1", false},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct sockaddr_storage address;
		socklen_t len;
		assert_true(address_parse(rows[i].address, 443, &address, &len));
		if (address_is_private((const struct sockaddr *)&address) != rows[i].is_private)
			fail_msg("%s", rows[i].address);
	}
}

/* --- texts -------------------------------------------------------------------------------------
 */

static void assert_writes(enum rbac_format format, const struct rbac_case *what, const char *says)
{
	struct buf out = {0};
	rbac_write(&out, format, what);
	if (strstr(buf_text(&out), says) == NULL)
		fail_msg("\"%s\" is not in %s", says, buf_text(&out));
	buf_free(&out);
}

/* Whatever stands in a group's name stays a word, a string, a value. */
static void test_quoting(void **state)
{
	(void)state;
	struct rights rights = {0};
	struct rbac_case what = {.cluster = "prod",
	    .region = "eu-west-1",
	    .principal = "arn:aws:iam::1:role/team/serve",
	    .group = "it's ${x} \"q\" %{y} \\",
	    .cluster_role = "eksgate",
	    .rights = &rights};
	assert_writes(RBAC_AWSCLI, &what, "--kubernetes-groups 'it'\\''s ${x} \"q\" %{y} \\'");
	assert_writes(RBAC_TERRAFORM, &what, "[\"it's $${x} \\\"q\\\" %%{y} \\\\\"]");
	assert_writes(RBAC_AWS_AUTH, &what, "rolearn: \"arn:aws:iam::1:role/serve\"");
	assert_writes(RBAC_EKSCTL, &what, "principalARN: \"arn:aws:iam::1:role/team/serve\"");
	what.is_config_map = true;
	assert_writes(RBAC_STEPS, &what, "mapRoles");
}

static void test_formats(void **state)
{
	(void)state;
	enum rbac_format format;
	assert_true(rbac_format_parse("aws-auth", &format));
	assert_int_equal(format, RBAC_AWS_AUTH);
	assert_false(rbac_format_parse("chef", &format));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_no_answer),
	    cmocka_unit_test(test_readiness),
	    cmocka_unit_test(test_reviews),
	    cmocka_unit_test(test_bad_reviews),
	    cmocka_unit_test(test_a_pending_one),
	    cmocka_unit_test(test_rights),
	    cmocka_unit_test(test_groups_of_templates),
	    cmocka_unit_test(test_many_groups),
	    cmocka_unit_test(test_principals),
	    cmocka_unit_test(test_private_addresses),
	    cmocka_unit_test(test_quoting),
	    cmocka_unit_test(test_formats),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
