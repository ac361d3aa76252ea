/* The documents that credentials arrive in and the splitting of command lines: what is taken, and a
 * table of what is not. No message may repeat what is in a document. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/aws_credentials_json.h"
#include "common/aws_words.h"
#include "common/xmem.h"

typedef struct aws_credentials *parse_fn(const char *text, size_t len, char **error);

struct bad_case {
	parse_fn *parse;
	const char *text, *error;
};

#define P aws_parse_process
#define M aws_parse_metadata
#define S aws_parse_sso_role
#define K "\"AccessKeyId\":\"a\",\"SecretAccessKey\":\"hush\""

static const struct bad_case bad_cases[] = {
    {P, "", "it is not JSON"},
    {P, "[]", "it is not a JSON object"},
    {P, "{\"Version\":1," K "} hush", "it is not JSON"},
    {P, "{" K "}", "Version is missing"},
    {P, "{\"Version\":2," K "}", "Version is not 1"},
    {P, "{\"Version\":\"1\"," K "}", "Version is not an integer"},
    {P, "{\"Version\":1,\"Version\":1," K "}", "it is not JSON"},
    {P, "{\"Version\":1,\"AccessKeyId\":\"a\"}", "SecretAccessKey is missing"},
    {P, "{\"Version\":1,\"AccessKeyId\":\"\",\"SecretAccessKey\":\"hush\"}",
	"AccessKeyId is empty"},
    {P, "{\"Version\":1," K ",\"Expiration\":\"soon\"}", "Expiration is not a time"},
    {P, "{\"Version\":1," K ",\"Expiration\":1767323045}", "Expiration is not a string"},
    {P, "{\"Version\":1," K ",\"SessionToken\":\"hu\\nsh\"}", "the session token holds"},
    {M, "{" K ",\"Token\":\"t\"}", "Expiration is missing"},
    {M, "{" K ",\"Expiration\":\"2026-01-02T03:04:05Z\"}", "Token is missing"},
    {M, "{\"Code\":\"Failed\"," K "}", "Code is Failed"},
    {M, "{\"Code\":7," K "}", "Code is not a string"},
    {M, "<html>hush</html>", "it is not JSON"},
    {S, "{}", "roleCredentials is missing"},
    {S, "{\"roleCredentials\":[]}", "roleCredentials"},
    {S,
	"{\"roleCredentials\":{\"accessKeyId\":\"a\",\"secretAccessKey\":\"hush\","
	"\"sessionToken\":\"t\",\"expiration\":\"2026-01-02T03:04:05Z\"}}",
	"roleCredentials: expiration is not an integer"},
    {S,
	"{\"roleCredentials\":{\"accessKeyId\":\"a\",\"secretAccessKey\":\"hush\","
	"\"sessionToken\":\"t\",\"expiration\":-1}}",
	"expiration is not a time"},
};

static void test_bad_documents(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof bad_cases / sizeof bad_cases[0]; i++) {
		const struct bad_case *c = &bad_cases[i];
		char *error = NULL;
		assert_null(c->parse(c->text, strlen(c->text), &error));
		if (strstr(error, c->error) == NULL || strstr(error, "hush") != NULL)
			fail_msg("%s: %s", c->text, error);
		xfree(&error);
	}
}

static void test_process_without_end(void **state)
{
	(void)state;
	static const char text[] = "{\"Version\":1," K ",\"SessionToken\":null}";
	char *error = NULL;
	struct aws_credentials *credentials = aws_parse_process(text, sizeof text - 1, &error);
	assert_non_null(credentials);
	assert_null(credentials->session_token);
	assert_int_equal(credentials->expires.ms, 0);
	aws_credentials_free(&credentials);
}

static void test_bad_sso_tokens(void **state)
{
	(void)state;
	static const char *const table[][2] = {
	    {"", "it is not JSON"},
	    {"{\"expiresAt\":\"2026-01-02T03:04:05Z\"}", "accessToken is missing"},
	    {"{\"accessToken\":\"hush\"}", "expiresAt is missing"},
	    {"{\"accessToken\":\"hush\",\"expiresAt\":\"UTC\"}", "expiresAt is not a time"},
	    {"{\"accessToken\":\"hush\",\"expiresAt\":7}", "expiresAt is not a string"},
	    {"{\"accessToken\":\"\",\"expiresAt\":\"2026-01-02T03:04:05Z\"}", "accessToken is no"},
	    {"{\"accessToken\":\"hu\\r\\nsh\",\"expiresAt\":\"2026-01-02T03:04:05Z\"}",
		"accessToken is no token"},
	    {"{\"accessToken\":\"a\",\"expiresAt\":\"2026-01-02T03:04:05Z\",\"refreshToken\":{}}",
		"refreshToken is not a string"},
	};
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		struct aws_sso_token token;
		char *error = NULL;
		assert_false(aws_sso_token_parse(table[i][0], strlen(table[i][0]), &token, &error));
		if (strstr(error, table[i][1]) == NULL || strstr(error, "hush") != NULL)
			fail_msg("%s: %s", table[i][0], error);
		xfree(&error);
	}
}

static void test_bad_renewals(void **state)
{
	(void)state;
	static const char cached[] =
	    "{\"accessToken\":\"a\",\"expiresAt\":\"2020-06-17T10:02:08UTC\"}";
	static const char *const table[][2] = {
	    {"{}", "accessToken is missing"},
	    {"{\"accessToken\":\"b\"}", "expiresIn is missing"},
	    {"{\"accessToken\":\"b\",\"expiresIn\":0}", "expiresIn is out of range"},
	    {"{\"accessToken\":\"b\",\"expiresIn\":9223372036854775807}", "out of range"},
	    {"{\"accessToken\":\"b b\",\"expiresIn\":60}", "accessToken is no token"},
	};
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		struct aws_sso_token token;
		char *error = NULL;
		assert_true(aws_sso_token_parse(cached, sizeof cached - 1, &token, &error));
		assert_false(aws_sso_token_renew(&token, table[i][0], strlen(table[i][0]),
		    (struct unix_time){INT64_C(1767323045000)}, &error));
		assert_non_null(strstr(error, table[i][1]));
		aws_sso_token_free(&token);
		xfree(&error);
	}
}

static void test_words(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		const char *words[5];
	} table[] = {
	    {"a", {"a"}},
	    {" a\tb\nc ", {"a", "b", "c"}},
	    {"'a b' \"c 'd'\" e\\ f", {"a b", "c 'd'", "e f"}},
	    {"a'b'\"c\"d", {"abcd"}},
	    {"x '' \"\"", {"x", "", ""}},
	    {"x \"a\\\"b\\\\c\\d\" 'e\\f'", {"x", "a\"b\\c\\d", "e\\f"}},
	    {"x $HOME `y` *;z", {"x", "$HOME", "`y`", "*;z"}},
	};
	for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
		const char *error = NULL;
		char **words = aws_words_split(table[i].text, &error);
		assert_non_null(words);
		size_t count = 0;
		for (; table[i].words[count] != NULL; count++)
			assert_string_equal(words[count], table[i].words[count]);
		assert_null(words[count]);
		aws_words_free(&words);
	}
	static const char *const bad[] = {"", "  ", "'a", "\"a", "a \"b\\\"", "a \\", "''"};
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		const char *error = NULL;
		assert_null(aws_words_split(bad[i], &error));
		assert_non_null(error);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_bad_documents),
	    cmocka_unit_test(test_process_without_end),
	    cmocka_unit_test(test_bad_sso_tokens),
	    cmocka_unit_test(test_bad_renewals),
	    cmocka_unit_test(test_words),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
