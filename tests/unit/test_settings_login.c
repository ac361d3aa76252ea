/* Configurations of logins that are refused, since they would let in more than was meant: where
 * each finding is, and what it says; and what stands when nothing is said. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/settings.h"
#include "common/xmem.h"

#define OIDC  "https://i"
#define ARN   "arn:aws:iam::123456789012:role/a"
#define OTHER "arn:aws:iam::123456789012:role/b"

struct row {
	const char *login; /* in flow style; NULL: nothing at all */
	const char *says; /* NULL: it is taken */
};

static struct settings *parse(const char *login, char **error)
{
	char *text = xasprintf("version: v3\neksgate:\n  proxy:\n    login: %s\n", login);
	struct settings *settings = settings_parse("f", text, strlen(text), error);
	free(text);
	return settings;
}

static void check_rows(const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		char *error = NULL;
		struct settings *settings = parse(rows[i].login, &error);
		if ((settings == NULL) != (rows[i].says != NULL))
			fail_msg("%s: %s", rows[i].login, error != NULL ? error : "accepted");
		if (rows[i].says != NULL && (strncmp(error, "f:4:", strlen("f:4:")) != 0 ||
						strstr(error, rows[i].says) == NULL))
			fail_msg("%s says: %s", rows[i].login, error);
		free(error);
		settings_free(&settings);
	}
}

#define CHECK_ROWS(rows) check_rows(rows, sizeof(rows) / sizeof((rows)[0]))

static const struct row issuers[] = {
    {"{oidc: [{issuer: '" OIDC "', audiences: [a]}]}", NULL},
    {"{oidc: [{issuer: '" OIDC "', audiences: [a]}, {issuer: '" OIDC "/', audiences: [a]}]}", NULL},
    {"{oidc: [{issuer: '" OIDC "', audiences: [a]}, {issuer: '" OIDC "', audiences: [b]}]}",
	"stands there already"},
    {"{oidc: [{audiences: [a]}]}", "issuer is missing"},
    {"{oidc: [{issuer: '" OIDC "'}]}", "audiences is missing"},
    {"{oidc: [{issuer: '" OIDC "', audiences: }]}", "audiences is missing"},
    {"{oidc: [{issuer: 'http://i', audiences: [a]}]}", "issuer"},
    {"{oidc: [{issuer: 'https://', audiences: [a]}]}", "issuer"},
    {"{oidc: [{issuer: 'https://a@i', audiences: [a]}]}", "issuer"},
    {"{oidc: [{issuer: 'https://i?x', audiences: [a]}]}", "issuer"},
    {"{oidc: [{issuer: 'https://i#x', audiences: [a]}]}", "issuer"},
    {"{oidc: [{issuer: '" OIDC "', audiences: [a], algorithms: [RS256, EdDSA]}]}", NULL},
    {"{oidc: [{issuer: '" OIDC "', audiences: [a], algorithms: [HS256]}]}",
	"\"HS256\" is not accepted"},
    {"{oidc: [{issuer: '" OIDC "', audiences: [a], algorithms: [RS256, none]}]}",
	"\"none\" is not accepted"},
    {"{oidc: [{issuer: '" OIDC "', audiences: [a], algorithms: [rs256]}]}",
	"\"rs256\" is not accepted"},
    {"{oidc: [{issuer: '" OIDC "', audiences: [a], algorithms: []}]}", "algorithms"},
    {"{oidc: [{issuer: '" OIDC "', audiences: [a], required_claims: [hd]}]}",
	"write \"claim=value\""},
    {"{oidc: [{issuer: '" OIDC "', audiences: [a], required_claims: ['=x']}]}",
	"write \"claim=value\""},
};

static void test_issuers(void **state)
{
	(void)state;
	CHECK_ROWS(issuers);
}

#define IAM(more) "{iam: {id: 'https://p', " more "}}"

static const struct row identities[] = {
    {IAM("accounts: ['123456789012']"), NULL},
    {IAM("arns: ['" ARN "']"), NULL},
    {IAM("arns: ['^arn:aws:iam::123456789012:role/(a|b)$']"), NULL},
    {"{iam: {id: 'https://p'}}", NULL}, /* off */
    {"{iam: {accounts: ['123456789012']}}", "id is missing"},
    {"{iam: {arns: ['" ARN "']}}", "id is missing"},
    {"{iam: {id: prod-1, accounts: ['123456789012']}}", "id"},
    {IAM("accounts: ['*']"), "is not the 12 digits"},
    {IAM("accounts: ['12345678901']"), "is not the 12 digits"},
    {IAM("accounts: ['1234567890123']"), "is not the 12 digits"},
    {IAM("arns: ['*']"), "must begin with one account"},
    {IAM("arns: ['arn:aws:iam::*:role/admin']"), "must begin with one account"},
    {IAM("arns: ['arn:aws:iam::12345678901?:role/admin']"), "must begin with one account"},
    {IAM("arns: ['arn:*:iam::123456789012:role/admin']"), "must begin with one account"},
    {IAM("arns: ['^arn:aws:iam::[0-9]+:role/admin$']"), "must begin with one account"},
    {IAM("arns: ['*role/admin']"), "must begin with one account"},
    {IAM("arns: ['^" ARN "|" OTHER "$']"), "'|' outside of parentheses"},
    {IAM("arns: ['^" ARN "($']"), "iam.arns"},
    {IAM("mappings: [{arn: '" ARN "', user: a}]"), "mappings are for nobody"},
    {IAM("partition: moon, accounts: ['123456789012']"), "partition"},
};

static void test_aws_identities(void **state)
{
	(void)state;
	CHECK_ROWS(identities);
}

#define MAPPING(text) IAM("accounts: ['123456789012'], mappings: [{" text "}]")

static const struct row mappings[] = {
    {MAPPING("arn: '*role/a', user: 'u:{{RoleName}}', groups: ['g-{{AccountID}}']"), NULL},
    {MAPPING("arn: '" ARN "', user: '{{SessionName}}', trust_session_name: yes"), NULL},
    {MAPPING("arn: '" ARN "', user: '{{SessionName}}'"), "write trust_session_name: yes"},
    {MAPPING("arn: '" ARN "', user: 'x:{{SessionNameRaw}}'"), "write trust_session_name: yes"},
    {MAPPING("arn: '" ARN "', user: a, groups: [b, '{{SessionName}}']"),
	"write trust_session_name: yes"},
    {MAPPING("arn: '" ARN "', user: '{{Sessionname}}'"), "are known"},
    {MAPPING("arn: '" ARN "', user: '{{external.x}}'"), "are known"},
    {MAPPING("arn: '" ARN "', user: a, groups: ['{{RoleName']"), "are known"},
    {MAPPING("arn: '" ARN "', user: 'system:{{RoleName}}'"), "belongs to Kubernetes or EKS"},
    {MAPPING("arn: '" ARN "', user: a, groups: ['system:masters']"),
	"belongs to Kubernetes or EKS"},
    {MAPPING("arn: '" ARN "', user: a, groups: ['eks:x']"), "belongs to Kubernetes or EKS"},
    {MAPPING("user: a"), "arn is missing"},
    {MAPPING("arn: '" ARN "'"), "user is missing"},
    {MAPPING("arn: '^a|b$', user: a"), "'|' outside of parentheses"},
};

static void test_mappings(void **state)
{
	(void)state;
	CHECK_ROWS(mappings);
}

/* Nobody comes in by a token until somebody is named. */
static void test_nothing_is_on_by_itself(void **state)
{
	(void)state;
	char *error = NULL;
	struct settings *settings = settings_parse("f", "version: v3\n", 12, &error);
	assert_non_null(settings);
	const struct login_settings *login = &settings->proxy.login;
	assert_int_equal(login->oidc_count, 0);
	assert_int_equal(login->iam.account_count + login->iam.arn_count, 0);
	settings_free(&settings);
	settings = parse("{oidc: [{issuer: '" OIDC "', audiences: [a]}]}", &error);
	assert_non_null(settings);
	const struct oidc_login *issuer = &settings->proxy.login.oidc[0];
	assert_string_equal(issuer->username_claim, "sub");
	assert_string_equal(issuer->groups_claim, "groups");
	assert_int_equal(issuer->algorithm_count, 4);
	settings_free(&settings);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_issuers),
	    cmocka_unit_test(test_aws_identities),
	    cmocka_unit_test(test_mappings),
	    cmocka_unit_test(test_nothing_is_on_by_itself),
	};
	return cmocka_run_group_tests_name("settings_login", tests, NULL, NULL);
}
