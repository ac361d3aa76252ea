/* Tokens taken apart: base64url, where a request may carry one, and a table of JSON Web Tokens each
 * of which is wrong in one way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/base64url.h"
#include "common/buf.h"
#include "common/xmem.h"
#include "kubeproxyd/gate/credential.h"
#include "kubeproxyd/gate/jwt.h"
#include "kubeproxyd/http/fields.h"

#define STEM "base64url.bearer.authorization.k8s.io"

/* --- base64url ------------------------------------------------------------------------------- */

static void test_base64url(void **state)
{
	(void)state;
	static const char *const pairs[][2] = {{"", ""}, {"f", "Zg"}, {"fo", "Zm8"},
	    {"foo", "Zm9v"}, {"foob", "Zm9vYg"}, {"\xfb\xff\xfe", "-__-"}};
	static const char *const bad[] = {
	    "Z", "Zg==", "Zh", "Zm9", "Zm9v Yg", "+_8", "/_8", "Zm9vY"};
	struct buf out = {0};
	for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
		buf_clear(&out);
		base64url_encode(pairs[i][0], strlen(pairs[i][0]), &out);
		assert_string_equal(buf_text(&out), pairs[i][1]);
		buf_clear(&out);
		assert_true(base64url_decode(pairs[i][1], strlen(pairs[i][1]), &out));
		assert_int_equal(out.len, strlen(pairs[i][0]));
		assert_memory_equal(buf_text(&out), pairs[i][0], out.len);
	}
	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		buf_clear(&out);
		if (base64url_decode(bad[i], strlen(bad[i]), &out))
			fail_msg("\"%s\" was decoded", bad[i]);
		assert_int_equal(out.len, 0);
	}
	buf_free(&out);
}

/* --- where a request carries one ------------------------------------------------------------- */

struct carried {
	const char *names[3];
	const char *values[3];
	const char *token; /* NULL: none */
	const char *error; /* part of it, NULL: none */
};

static void test_credentials(void **state)
{
	(void)state;
	static const char authorization[] = "Authorization", protocol[] = "Sec-WebSocket-Protocol";
	static const struct carried rows[] = {
	    {{"Accept"}, {"*/*"}, NULL, NULL},
	    {{authorization}, {"Bearer abc.d-_~+/="}, "abc.d-_~+/=", NULL},
	    {{authorization}, {"bEARER \t abc"}, "abc", NULL},
	    {{authorization}, {"Bearer"}, NULL, "is empty"},
	    {{authorization}, {"Bearer a b"}, NULL, "other characters"},
	    {{authorization}, {"Bearer =a"}, NULL, "other characters"},
	    {{authorization}, {"Basic eDp5"}, NULL, "only \"Bearer TOKEN\""},
	    {{authorization}, {""}, NULL, "only \"Bearer TOKEN\""},
	    {{authorization, "authorization"}, {"Bearer a", "Bearer a"}, NULL,
		"more than one Auth"},
	    {{protocol}, {"v5.channel.k8s.io"}, NULL, NULL},
	    {{protocol}, {STEM ".YWJj, v5.channel.k8s.io"}, "abc", NULL},
	    {{protocol, protocol}, {"v5.channel.k8s.io", STEM ".YWJj"}, "abc", NULL},
	    {{protocol}, {STEM ".YWJj"}, NULL, "no subprotocol besides"},
	    {{protocol}, {"a," STEM ".YWJj," STEM ".YWJj"}, NULL, "more than one bearer"},
	    {{protocol}, {"a, " STEM}, NULL, "is not base64url.bearer"},
	    {{protocol}, {"a, " STEM ".YWJj="}, NULL, "is not base64url.bearer"},
	    {{protocol}, {"a, " STEM ".AAAA"}, NULL, "is not base64url.bearer"},
	    {{protocol}, {"a, Base64url.bearer.authorization.k8s.io.YWJj"}, NULL,
		"is not base64url"},
	    {{protocol}, {"a, " STEM "x.YWJj"}, NULL, "is not base64url"},
	    {{authorization, protocol}, {"Bearer abc", "a, " STEM ".YWJj"}, "abc", NULL},
	    {{authorization, protocol}, {"Bearer abd", "a, " STEM ".YWJj"}, NULL, "two different"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct http_fields fields = {0};
		struct credential credential;
		const char *error = NULL;
		for (size_t k = 0; k < 3 && rows[i].names[k] != NULL; k++)
			fields_add_text(&fields, rows[i].names[k], rows[i].values[k]);
		bool is_good = credential_find(&fields, &credential, &error);
		if (rows[i].error != NULL && (is_good || strstr(error, rows[i].error) == NULL))
			fail_msg(
			    "row %zu: %s, wanted: %s", i, is_good ? "taken" : error, rows[i].error);
		if (rows[i].error == NULL && !is_good)
			fail_msg("row %zu: %s", i, error);
		if (rows[i].token != NULL)
			assert_string_equal(credential.token, rows[i].token);
		else if (rows[i].error == NULL)
			assert_null(credential.token);
		credential_free(&credential);
		fields_free(&fields);
	}
}

static void test_strips_tokens_from_protocols(void **state)
{
	(void)state;
	static const char *const pairs[][2] = {
	    {"v5.channel.k8s.io,v4.channel.k8s.io", "v5.channel.k8s.io, v4.channel.k8s.io"},
	    {STEM ".YWJj, v5.channel.k8s.io", "v5.channel.k8s.io"},
	    {"a, BASE64URL.BEARER.authorization.k8s.io.x ,b", "a, b"},
	    {STEM, ""},
	    {" , ", ""},
	};
	for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
		struct buf out = {0};
		credential_strip(pairs[i][0], &out);
		assert_string_equal(buf_text(&out), pairs[i][1]);
		buf_free(&out);
	}
}

/* --- JSON Web Tokens ------------------------------------------------------------------------- */

/* HEADER.CLAIMS.SIGNATURE of plain texts (free()). */
static char *make(const char *header, const char *claims, const char *signature)
{
	struct buf out = {0};
	base64url_encode(header, strlen(header), &out);
	buf_append_char(&out, '.');
	base64url_encode(claims, strlen(claims), &out);
	buf_append_char(&out, '.');
	base64url_encode(signature, strlen(signature), &out);
	return buf_take(&out);
}

static void expect_refused(const char *token, const char *part)
{
	struct jwt jwt;
	const char *error = NULL;
	if (jwt_parse(token, strlen(token), &jwt, &error))
		fail_msg("taken: %s, wanted: %s", token, part);
	if (strstr(error, part) == NULL)
		fail_msg("\"%s\" says nothing of \"%s\"", error, part);
}

#define GOOD_HEADER "{\"alg\":\"RS256\",\"kid\":\"k\",\"typ\":\"JWT\"}"

static void test_refuses_bad_tokens(void **state)
{
	(void)state;
	static const char *const rows[][4] = {
	    {"{\"alg\":\"none\"}", "{}", "x", "algorithm is not one of"},
	    {"{\"alg\":\"None\"}", "{}", "x", "algorithm is not one of"},
	    {"{\"alg\":\"HS256\"}", "{}", "x", "algorithm is not one of"},
	    {"{\"alg\":\"rs256\"}", "{}", "x", "algorithm is not one of"},
	    {"{\"alg\":7}", "{}", "x", "names no algorithm"},
	    {"{}", "{}", "x", "names no algorithm"},
	    {"{\"alg\":\"RS256\",\"alg\":\"RS256\"}", "{}", "x", "without repeated keys"},
	    {"[]", "{}", "x", "header is not a JSON object"},
	    {"", "{}", "x", "header is not a JSON object"},
	    {"{\"alg\":\"RS256\",\"typ\":\"at+jwt\"}", "{}", "x", "type is not JWT"},
	    {"{\"alg\":\"RS256\",\"typ\":1}", "{}", "x", "type is not JWT"},
	    {"{\"alg\":\"RS256\",\"crit\":[\"exp\"]}", "{}", "x", "demands extensions"},
	    {"{\"alg\":\"RS256\",\"kid\":\"\"}", "{}", "x", "kid is not a short text"},
	    {"{\"alg\":\"RS256\",\"kid\":{}}", "{}", "x", "kid is not a short text"},
	    {GOOD_HEADER, "[]", "x", "claims are not a JSON object"},
	    {GOOD_HEADER, "{\"sub\":\"a\",\"sub\":\"a\"}", "x", "without repeated keys"},
	    {GOOD_HEADER, "{\"sub\":\"a\",\"s\\u0075b\":\"b\"}", "x", "without repeated keys"},
	    {GOOD_HEADER, "{\"a\":{\"b\":1,\"b\":2}}", "x", "without repeated keys"},
	    {GOOD_HEADER, "{\"sub\":\"\xff\"}", "x", "claims are not a JSON object"},
	    {GOOD_HEADER, "{} {}", "x", "claims are not a JSON object"},
	    {GOOD_HEADER, "{'sub':1}", "x", "claims are not a JSON object"},
	    {GOOD_HEADER, "{\"exp\":NaN}", "x", "claims are not a JSON object"},
	    {GOOD_HEADER, "{}", "", "signature is missing"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		char *token = make(rows[i][0], rows[i][1], rows[i][2]);
		expect_refused(token, rows[i][3]);
		free(token);
	}
	expect_refused("", "three parts");
	expect_refused("a.b", "three parts");
	expect_refused("a.b.c.d", "three parts");
	expect_refused("a=.b.c", "header is not base64url");
	char *good = make(GOOD_HEADER, "{}", "x");
	char *padded = xasprintf("%s=", good);
	expect_refused(padded, "signature is missing or not base64url");
	char *huge = xcalloc(1, JWT_MAX_BYTES + 2);
	memset(huge, 'a', JWT_MAX_BYTES + 1);
	expect_refused(huge, "longer than 16384");
	free(huge);
	free(padded);
	free(good);
}

static void test_takes_a_good_token_apart(void **state)
{
	(void)state;
	char *token = make(GOOD_HEADER, "{\"sub\":\"alice\"}", "signature");
	struct jwt jwt;
	const char *error = NULL;
	assert_true(jwt_is_likely(token, strlen(token)));
	assert_true(jwt_parse(token, strlen(token), &jwt, &error));
	assert_string_equal(jwt.algorithm->name, "RS256");
	assert_string_equal(jwt.kid, "k");
	assert_int_equal(jwt.signature.len, 9);
	assert_int_equal(jwt.signed_len, strrchr(token, '.') - token);
	assert_true(json_object_object_get_ex(jwt.claims, "sub", NULL));
	jwt_free(&jwt);
	free(token);
	assert_false(jwt_is_likely("k8s-aws-v1.abc.d", 16));
	assert_null(jwt_algorithm_find("HS256"));
	assert_null(jwt_algorithm_find("none"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_base64url),
	    cmocka_unit_test(test_credentials),
	    cmocka_unit_test(test_strips_tokens_from_protocols),
	    cmocka_unit_test(test_refuses_bad_tokens),
	    cmocka_unit_test(test_takes_a_good_token_apart),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
