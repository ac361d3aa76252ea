/* What an audit line says, to the letter: whoever reads logs has programs for it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <json-c/json.h>

#include "common/json.h"
#include "kubeproxyd/policy/act_as.h"
#include "kubeproxyd/policy/request_info.h"
#include "kubeproxyd/record/audit_event.h"
#include "kubeproxyd/record/json_line.h"

static struct buf out;

static int tear_down(void **state)
{
	(void)state;
	buf_free(&out);
	return 0;
}

static void test_strings(void **state)
{
	(void)state;
	static const struct {
		const char *text, *line;
	} rows[] = {
	    {"plain", "\"plain\""}, {"", "\"\""}, {"a\"b\\c", "\"a\\\"b\\\\c\""},
	    {"a\nb\t\r\b\f\v\x1b\x7f", "\"a\\nb\\t\\r\\b\\f\\u000b\\u001b\\u007f\""},
	    {"zürich \xe2\x82\xac \xf0\x9f\x98\x80", "\"zürich \xe2\x82\xac \xf0\x9f\x98\x80\""},
	    {"\xff", "\"\\ufffd\""}, {"\xc0\xaf", "\"\\ufffd\\ufffd\""}, /* overlong */
	    {"\xed\xa0\x80", "\"\\ufffd\\ufffd\\ufffd\""}, /* a surrogate */
	    {"\xf4\x90\x80\x80", "\"\\ufffd\\ufffd\\ufffd\\ufffd\""}, /* above U+10FFFF */
	    {"\xe2\x82", "\"\\ufffd\\ufffd\""}, /* cut */
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		buf_clear(&out);
		json_line_string(&out, rows[i].text, strlen(rows[i].text));
		assert_string_equal(buf_text(&out), rows[i].line);
	}
}

/* A control (RFC 8259, 7): the five that have letters, and all others. */
static void append_control(struct buf *slow, unsigned char c)
{
	static const char controls[] = "\b\t\n\f\r", letters[] = "btnfr";
	const char *found = c != '\0' ? strchr(controls, c) : NULL;
	if (found != NULL)
		buf_printf(slow, "\\%c", letters[found - controls]);
	else
		buf_printf(slow, "\\u%04x", c);
}

/* Byte by byte, as plain as it can be. */
static void append_slowly(struct buf *slow, const char *text, size_t len)
{
	buf_append_char(slow, '"');
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];
		if (c == '"' || c == '\\')
			buf_printf(slow, "\\%c", c);
		else if (c < ' ' || c == 0x7f)
			append_control(slow, c);
		else if (c == 0xe2 && i + 2 < len && memcmp(text + i, "\xe2\x82\xac", 3) == 0)
			buf_append(slow, text + i, 3), i += 2;
		else if (c >= 0x80)
			buf_append_text(slow, "\\ufffd");
		else
			buf_append_char(slow, (char)c);
	}
	buf_append_char(slow, '"');
}

/* Blocks and pieces are nothing that shows: long texts of all lengths, dense and sparse. */
static void test_long_strings(void **state)
{
	(void)state;
	static const char *const kinds[] = {"a", "\x1b", "\xe2\x82\xac", "\xff",
	    "plain text, long enough for blocks", "\"", "\r\n"};
	struct buf text = {0}, slow = {0};
	unsigned seed = 7;
	for (int round = 0; round < 400; round++) {
		buf_clear(&text);
		buf_clear(&slow);
		buf_clear(&out);
		size_t wanted = (size_t)(round * 23), among = (size_t)(round % 7) + 1;
		while (text.len < wanted) {
			seed = seed * 1103515245 + 12345;
			buf_append_text(&text, kinds[(seed >> 16) % among]);
		}
		append_slowly(&slow, text.data, text.len);
		json_line_string(&out, buf_text(&text), text.len);
		assert_int_equal(out.len, slow.len);
		assert_memory_equal(out.data, slow.data, slow.len);
	}
	buf_free(&text);
	buf_free(&slow);
}

/* How long the character is that begins here (RFC 3629); 0: none does. */
static size_t length_of_character(const unsigned char *at, size_t left)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	size_t len = 0;
	if (at[0] < 0x80)
		len = 1;
	else if (at[0] >= 0xc0 && at[0] < 0xf8)
		len = at[0] >= 0xf0 ? 4 : at[0] >= 0xe0 ? 3 : 2;
	if (len == 0 || len > left)
		return 0;
	uint32_t code = len == 1 ? at[0] : at[0] & (0xffu >> (len + 1));
	for (size_t i = 1; i < len; i++) {
		if ((at[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (at[i] & 0x3f);
	}
	bool is_surrogate = code >= 0xd800 && code <= 0xdfff;
	return code < least[len] || code > 0x10ffff || is_surrogate ? 0 : len;
}

static void append_any_slowly(struct buf *slow, const unsigned char *text, size_t len)
{
	buf_append_char(slow, '"');
	for (size_t i = 0, step; i < len; i += step) {
		size_t character = length_of_character(text + i, len - i);
		step = character > 0 ? character : 1;
		if (character == 0)
			buf_append_text(slow, "\\ufffd");
		else if (text[i] == '"' || text[i] == '\\')
			buf_printf(slow, "\\%c", text[i]);
		else if (text[i] < ' ' || text[i] == 0x7f)
			append_control(slow, text[i]);
		else
			buf_append(slow, text + i, step);
	}
	buf_append_char(slow, '"');
}

static unsigned char any_byte(unsigned *seed, size_t round)
{
	static const unsigned char odd[] = {0xc3, 0xa9, 0xe2, 0x82, 0xac, 0xf0, 0x9f, 0x98, 0x80,
	    0xed, 0xa0, 0xf4, 0x90, 0xff, 0, '"', '\\', '\n', 0x7f};
	*seed = *seed * 1103515245 + 12345;
	unsigned dice = *seed >> 16;
	if (dice % 128 < round % 100)
		return odd[dice / 128 % sizeof odd];
	return (unsigned char)(round % 5 == 0 ? dice >> 4 : 'a' + dice % 26);
}

/* From plain text to noise, of lengths around those that are looked at together. Each stands in
 * memory of its own, for the sanitizer. */
static void test_any_bytes(void **state)
{
	(void)state;
	struct buf slow = {0};
	unsigned seed = 11;
	for (size_t round = 0; round < 60000; round++) {
		size_t len = round / 100 % 300;
		unsigned char *text = malloc(len + 1);
		for (size_t i = 0; i < len; i++)
			text[i] = any_byte(&seed, round);
		buf_clear(&slow);
		buf_clear(&out);
		append_any_slowly(&slow, text, len);
		json_line_string(&out, (const char *)text, len);
		assert_int_equal(out.len, slow.len);
		assert_memory_equal(out.data, slow.data, slow.len);
		free(text);
	}
	buf_free(&slow);
}

static void test_numbers(void **state)
{
	(void)state;
	json_line_int(&out, 0);
	buf_append_char(&out, ' ');
	json_line_int(&out, INT64_MIN);
	buf_append_char(&out, ' ');
	json_line_int(&out, INT64_MAX);
	assert_string_equal(buf_text(&out), "0 -9223372036854775808 9223372036854775807");
}

static void parse(const char *method, const char *target, struct request_info *info)
{
	unsigned status;
	const char *reason;
	assert_true(request_info_parse(method, target, info, &status, &reason));
}

static void test_a_whole_event(void **state)
{
	(void)state;
	static const char target[] = "/api/v1/namespaces/web/pods/p/exec?command=sh&command=-c&"
				     "command=echo+%22x%22&container=c";
	char *groups[] = {(char *)(uintptr_t) "engineering", (char *)(uintptr_t) "a,b"};
	const char *sent[] = {"developers"};
	struct request_info info = {0};
	parse("POST", target, &info);
	struct audit_event event = {
	    .level = AUDIT_METADATA,
	    .stage = AUDIT_RESPONSE_COMPLETE,
	    .audit_id = "11111111-2222-4333-8444-555555555555",
	    .user = "alice",
	    .source = "certificate",
	    .certificate_serial = "0a",
	    .groups = groups,
	    .group_count = 2,
	    .sent_user = "alice",
	    .sent_groups = sent,
	    .sent_group_count = 1,
	    .client_host = "203.0.113.7",
	    .user_agent = "kubectl/v1.34",
	    .cluster = "prod",
	    .cluster_arn = "arn:aws:eks:eu-west-1:1:cluster/prod",
	    .uri = target,
	    .method = "POST",
	    .info = &info,
	    .upgrade = "SPDY/3.1",
	    .kubectl_command = "kubectl exec",
	    .is_decided = true,
	    .is_allowed = true,
	    .rule = "role developer allow",
	    .status = 101,
	    .ending = "done",
	    .bytes_in = 7,
	    .bytes_out = 9,
	    .received = {INT64_C(1767323045678)},
	    .now = {INT64_C(1767323046000)},
	    .took = {322},
	};
	audit_event_write(&out, &event);
	assert_string_equal(buf_text(&out),
	    "{\"kind\":\"Event\",\"apiVersion\":\"audit.k8s.io/v1\",\"level\":\"Metadata\","
	    "\"auditID\":\"11111111-2222-4333-8444-555555555555\",\"stage\":\"ResponseComplete\","
	    "\"requestURI\":\"/api/v1/namespaces/web/pods/p/exec?command=sh&command=-c&"
	    "command=echo+%22x%22&container=c\",\"verb\":\"create\","
	    "\"user\":{\"username\":\"alice\",\"groups\":[\"engineering\",\"a,b\"],"
	    "\"extra\":{\"eksgate.io/credential\":[\"certificate\"],"
	    "\"eksgate.io/certificate-serial\":[\"0a\"]}},"
	    "\"impersonatedUser\":{\"username\":\"alice\",\"groups\":[\"developers\"]},"
	    "\"sourceIPs\":[\"203.0.113.7\"],\"userAgent\":\"kubectl/v1.34\","
	    "\"objectRef\":{\"resource\":\"pods\",\"namespace\":\"web\",\"name\":\"p\","
	    "\"apiVersion\":\"v1\",\"subresource\":\"exec\"},"
	    "\"responseStatus\":{\"metadata\":{},\"code\":101},"
	    "\"requestReceivedTimestamp\":\"2026-01-02T03:04:05.678000Z\","
	    "\"stageTimestamp\":\"2026-01-02T03:04:06.000000Z\","
	    "\"annotations\":{\"authorization.k8s.io/decision\":\"allow\","
	    "\"authorization.k8s.io/reason\":\"role developer allow\","
	    "\"eksgate.io/cluster\":\"prod\","
	    "\"eksgate.io/cluster-arn\":\"arn:aws:eks:eu-west-1:1:cluster/prod\","
	    "\"eksgate.io/method\":\"POST\",\"eksgate.io/kubectl-command\":\"kubectl exec\","
	    "\"eksgate.io/upgrade\":\"SPDY/3.1\","
	    "\"eksgate.io/exec-command\":\"[\\\"sh\\\",\\\"-c\\\",\\\"echo "
	    "\\\\\\\"x\\\\\\\"\\\"]\","
	    "\"eksgate.io/ending\":\"done\",\"eksgate.io/bytes-in\":\"7\","
	    "\"eksgate.io/bytes-out\":\"9\",\"eksgate.io/duration-ms\":\"322\"}}\n");
	request_info_free(&info);
}

/* Whom the cluster was told to see, uid and extras included: values of one key stand together. */
static void test_who_is_impersonated(void **state)
{
	(void)state;
	char uid[] = "u-1", scope[] = "scopes", tenant[] = "example.com/\"tenant\"", a[] = "a",
	     b[] = "b", c[] = "c";
	struct act_as_extra extras[] = {{scope, a}, {tenant, b}, {scope, c}};
	struct act_as as = {.uid = uid, .extras = extras, .extra_count = 3};
	struct audit_event event = {.level = AUDIT_METADATA,
	    .stage = AUDIT_RESPONSE_COMPLETE,
	    .audit_id = "x",
	    .user = "hanna",
	    .sent_user = "bob",
	    .sent_as = &as,
	    .original_user_key = "original-user.eksgate.io",
	    .method = "GET"};
	audit_event_write(&out, &event);
	assert_non_null(strstr(buf_text(&out),
	    "\"impersonatedUser\":{\"username\":\"bob\",\"uid\":\"u-1\",\"extra\":{"
	    "\"scopes\":[\"a\",\"c\"],\"example.com/\\\"tenant\\\"\":[\"b\"],"
	    "\"original-user.eksgate.io\":[\"hanna\"]}}"));
}

/* Nothing known but that somebody came: still one line of JSON. */
static void test_the_least(void **state)
{
	(void)state;
	struct audit_event event = {.level = AUDIT_METADATA,
	    .stage = AUDIT_RESPONSE_COMPLETE,
	    .audit_id = "x",
	    .uri = "/\xff\n\"",
	    .status = 401};
	char error[JSON_ERROR_TEXT];
	audit_event_write(&out, &event);
	assert_int_equal(buf_text(&out)[out.len - 1], '\n');
	assert_ptr_equal(strchr(buf_text(&out), '\n'), out.data + out.len - 1);
	struct json_object *object = json_parse(out.data, out.len - 1, error);
	if (object == NULL)
		fail_msg("%s", error);
	json_object_put(object);
}

static void test_ports_and_bodies(void **state)
{
	(void)state;
	struct request_info info = {0};
	static const char target[] = "/api/v1/namespaces/web/pods/p/portforward?ports=80&ports=443";
	parse("GET", target, &info);
	struct audit_event event = {.level = AUDIT_REQUEST_RESPONSE,
	    .stage = AUDIT_RESPONSE_COMPLETE,
	    .uri = target,
	    .info = &info,
	    .request_object = "{\"a\":1}",
	    .body_note = "it was not JSON"};
	audit_event_write(&out, &event);
	assert_non_null(
	    strstr(buf_text(&out), "\"eksgate.io/ports\":\"[\\\"80\\\",\\\"443\\\"]\""));
	assert_non_null(strstr(buf_text(&out), "\"requestObject\":{\"a\":1}"));
	assert_non_null(strstr(buf_text(&out), "\"eksgate.io/bodies\":\"it was not JSON\""));
	assert_null(strstr(buf_text(&out), "responseObject"));
	request_info_free(&info);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_teardown(test_strings, tear_down),
	    cmocka_unit_test_teardown(test_long_strings, tear_down),
	    cmocka_unit_test_teardown(test_any_bytes, tear_down),
	    cmocka_unit_test_teardown(test_numbers, tear_down),
	    cmocka_unit_test_teardown(test_a_whole_event, tear_down),
	    cmocka_unit_test_teardown(test_who_is_impersonated, tear_down),
	    cmocka_unit_test_teardown(test_the_least, tear_down),
	    cmocka_unit_test_teardown(test_ports_and_bodies, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
