/* metav1.Status documents. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <json-c/json.h>

#include "kubeproxyd/http/status.h"

static const char *text_of(struct json_object *document, const char *key)
{
	struct json_object *value = NULL;
	assert_true(json_object_object_get_ex(document, key, &value));
	return json_object_get_string(value);
}

static void writes_what_kubectl_reads(void **state)
{
	(void)state;
	struct buf out = {0};
	status_write(&out, 403, "no role allows \"get\" pods\n\tsee C:\\x");
	assert_int_equal(out.data[out.len - 1], '\n');
	struct json_object *document = json_tokener_parse(buf_text(&out));
	assert_non_null(document);
	assert_string_equal(text_of(document, "kind"), "Status");
	assert_string_equal(text_of(document, "apiVersion"), "v1");
	assert_string_equal(text_of(document, "status"), "Failure");
	assert_string_equal(text_of(document, "reason"), "Forbidden");
	assert_string_equal(text_of(document, "code"), "403");
	assert_string_equal(
	    text_of(document, "message"), "no role allows \"get\" pods\n\tsee C:\\x");
	json_object_put(document);
	buf_free(&out);
}

static void knows_the_reasons(void **state)
{
	(void)state;
	assert_string_equal(status_reason(401), "Unauthorized");
	assert_string_equal(status_reason(404), "NotFound");
	assert_string_equal(status_reason(410), "Gone");
	assert_string_equal(status_reason(413), "RequestEntityTooLarge");
	assert_string_equal(status_reason(429), "TooManyRequests");
	assert_string_equal(status_reason(500), "InternalError");
	assert_string_equal(status_reason(503), "ServiceUnavailable");
	assert_string_equal(status_reason(504), "Timeout");
	assert_string_equal(status_reason(421), "MisdirectedRequest");
	assert_string_equal(status_reason(502), "");
	assert_string_equal(status_reason(0), "");
}

/* Names in messages come from outside: whatever they hold, the document stays valid UTF-8 JSON. */
static void survives_any_bytes(void **state)
{
	(void)state;
	static const struct {
		const char *message, *wanted;
	} rows[] = {
	    {"caf\xc3\xa9 \xf0\x9f\x90\x9f", "caf\xc3\xa9 \xf0\x9f\x90\x9f"},
	    {"\xff", "\\ufffd"},
	    {"\xc3", "\\ufffd"},
	    {"\xc0\xaf", "\\ufffd\\ufffd"},
	    {"\xed\xa0\x80", "\\ufffd\\ufffd\\ufffd"},
	    {"\xf4\x90\x80\x80", "\\ufffd\\ufffd\\ufffd\\ufffd"},
	    {"\xe2\x82", "\\ufffd\\ufffd"},
	    {"\x01\x1f\x7f", "\\u0001\\u001f\\u007f"},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct buf out = {0};
		status_write(&out, 502, rows[i].message);
		const char *at =
		    strstr(buf_text(&out), "\"message\":\"") + strlen("\"message\":\"");
		assert_int_equal(strncmp(at, rows[i].wanted, strlen(rows[i].wanted)), 0);
		assert_int_equal(at[strlen(rows[i].wanted)], '"');
		buf_free(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(writes_what_kubectl_reads),
	    cmocka_unit_test(knows_the_reasons),
	    cmocka_unit_test(survives_any_bytes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
