/* The list of header fields. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/xmem.h"
#include "kubeproxyd/http/fields.h"

#define LONGEST 35

static void keeps_order_and_finds_without_case(void **state)
{
	(void)state;
	struct http_fields fields = {0};
	assert_null(fields_get(&fields, "accept"));
	fields_add_text(&fields, "Accept", "a");
	fields_add(&fields, "X-Empty!", 7, "zzz", 0);
	fields_add_text(&fields, "accept", "b");
	assert_int_equal(fields.count, 3);
	assert_string_equal(fields_name(&fields, 0), "Accept");
	assert_string_equal(fields_name(&fields, 1), "X-Empty");
	assert_string_equal(fields_value(&fields, 1), "");
	assert_string_equal(fields_get(&fields, "ACCEPT"), "a");
	assert_null(fields_get(&fields, "accep"));
	assert_int_equal(fields_count_of(&fields, "Accept"), 2);
	assert_int_equal(fields_count_of(&fields, "Accept-Encoding"), 0);
	fields_free(&fields);
	assert_null(fields.items);
}

static void finds_tokens_in_lists(void **state)
{
	(void)state;
	struct http_fields fields = {0};
	fields_add_text(&fields, "Connection", "keep-alive ,\tUpgrade,, x-trace\t");
	fields_add_text(&fields, "connection", "close");
	static const char *const there[] = {"keep-alive", "upgrade", "X-Trace", "close"};
	static const char *const absent[] = {"keep", "alive", "", "upgradex", "x", ","};
	for (size_t i = 0; i < 4; i++)
		assert_true(fields_has_token(&fields, "Connection", there[i]));
	for (size_t i = 0; i < 6; i++)
		assert_false(fields_has_token(&fields, "Connection", absent[i]));
	assert_false(fields_has_token(&fields, "Upgrade", "close"));
	fields_free(&fields);
}

static void grows_and_keeps_its_memory(void **state)
{
	(void)state;
	struct http_fields fields = {0};
	char *big = xmalloc(9000);
	memset(big, 'v', 9000);
	for (unsigned round = 0; round < 3; round++) {
		for (unsigned i = 0; i < 100; i++)
			fields_add(&fields, "name", 4, big, i * 90);
		assert_int_equal(fields.count, 100);
		assert_int_equal(strlen(fields_value(&fields, 99)), 99 * 90);
		fields_clear(&fields);
		assert_int_equal(fields.count, 0);
	}
	const char *block = fields.block;
	fields_add_text(&fields, "a", "b");
	assert_ptr_equal(block, fields.block);
	fields_free(&fields);
	free(big);
}

/* Of each length: they are copied in words. From memory of their own, so that a sanitizer sees what
 * is read beyond. */
static void keeps_texts_of_each_length(void **state)
{
	(void)state;
	struct http_fields fields = {0};
	for (size_t name_len = 0; name_len < 40; name_len++) {
		for (size_t value_len = 0; value_len < 70; value_len++) {
			char *name = xmalloc(name_len + 1), *value = xmalloc(value_len + 1);
			for (size_t i = 0; i < name_len; i++)
				name[i + 1] = (char)('a' + i % 26);
			for (size_t i = 0; i < value_len; i++)
				value[i + 1] = (char)('!' + i);
			fields_add(&fields, name + 1, name_len, value + 1, value_len);
			size_t last = fields.count - 1;
			assert_int_equal(strlen(fields_name(&fields, last)), name_len);
			assert_int_equal(strlen(fields_value(&fields, last)), value_len);
			assert_int_equal(fields.items[last].value_len, value_len);
			assert_memory_equal(fields_name(&fields, last), name + 1, name_len);
			assert_memory_equal(fields_value(&fields, last), value + 1, value_len);
			free(name);
			free(value);
			if (fields.count == 3)
				fields_free(&fields);
		}
	}
	fields_free(&fields);
}

static void wipes_what_it_held(void **state)
{
	(void)state;
	struct http_fields fields = {0};
	fields_add_text(&fields, "Authorization", "Bearer secret");
	size_t len = fields.block_len;
	fields_clear(&fields);
	for (size_t i = 0; i < len; i++)
		assert_int_equal(fields.block[i], 0);
	fields_free(&fields);
}

static void names_are_compared_whole_and_without_case(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		bool is_named;
	} rows[] = {{"TE", true}, {"te", true}, {"KEEP-alive", true}, {"Keep-Aliv", false},
	    {"Keep-Alive2", false}, {"T", false}, {"", false}, {"Keep_Alive", false}};
	struct http_fields fields = {0};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		fields_add_text(&fields, rows[i].name, "value");
		bool is_named =
		    fields_is_named(&fields, i, "Te") || fields_is_named(&fields, i, "keep-alive");
		assert_int_equal(is_named, rows[i].is_named);
		assert_int_equal(fields_is(&fields, i, FIELD_HOP_BY_HOP), rows[i].is_named);
	}
	fields_free(&fields);
}

/* No other byte is as good as the one at `at`, but a letter in its other case: what is left is at
 * most what its beginning gives it. */
static void assert_bytes_count(const char *name, size_t at, uint32_t traits)
{
	char *other = xstrdup(name);
	for (unsigned c = 1; c < 256; c++) {
		bool is_letter = (name[at] | 0x20) >= 'a' && (name[at] | 0x20) <= 'z';
		bool is_same = c == (unsigned char)name[at] ||
			       (is_letter && (c ^ 0x20) == (unsigned char)name[at]);
		other[at] = (char)c;
		uint32_t found = field_traits(other, strlen(other)) & ~(uint32_t)FIELD_DISGUISED;
		if (is_same)
			assert_int_equal(found, traits);
		else
			assert_int_equal(found & ~traits, 0);
	}
	free(other);
}

/* One name for each letter and each kind of rule; in other cases, cut short, and longer. */
static void names_have_their_traits(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		uint32_t traits;
	} rows[] = {
	    {"accept", FIELD_ACCEPT},
	    {"Accept-Encoding", FIELD_ACCEPT},
	    {"Accept-Language", 0},
	    {"access-control-allow-origin", FIELD_OF_HOST},
	    {"AUDIT-ID", FIELD_IDENTITY | FIELD_PRIVATE | FIELD_AUDIT_ID},
	    {"authorization", FIELD_IDENTITY | FIELD_PRIVATE | FIELD_AUTHORIZATION},
	    {"authorizatio", 0},
	    {"authorization2", 0},
	    {"connection", FIELD_HOP_BY_HOP | FIELD_OF_MEMBERS | FIELD_CONNECTION},
	    {"content-length",
		FIELD_HOP_BY_HOP | FIELD_OF_MEMBERS | FIELD_FRAMING | FIELD_OF_HEADS},
	    {"content-type", FIELD_OF_HEADS},
	    {"cookie", FIELD_COOKIE | FIELD_PRIVATE},
	    {"cookie2", FIELD_COOKIE},
	    {"Expect", FIELD_HOP_BY_HOP},
	    {"front-proxy-anything", FIELD_IDENTITY},
	    {"HTTP2-Settings", FIELD_HOP_BY_HOP},
	    {"impersonate", FIELD_IDENTITY | FIELD_PRIVATE | FIELD_IMPERSONATION},
	    {"Impersonate-Tomorrow", FIELD_IDENTITY | FIELD_PRIVATE | FIELD_IMPERSONATION},
	    {"Impersonate-User",
		FIELD_IDENTITY | FIELD_PRIVATE | FIELD_IMPERSONATION | FIELD_IMPERSONATE_USER},
	    {"Keep-Alive", FIELD_HOP_BY_HOP | FIELD_FRAMING},
	    {"Kubectl-Command", FIELD_OF_HEADS},
	    {"Location", FIELD_LOCATION | FIELD_OF_HEADS},
	    {"nel", FIELD_OF_HOST},
	    {"Origin", FIELD_ORIGIN},
	    {"Proxy-Authorization", FIELD_HOP_BY_HOP | FIELD_IDENTITY},
	    {"Report-To", FIELD_OF_HOST},
	    {"Sec-WebSocket-Protocol", FIELD_FRAMING | FIELD_PROTOCOLS},
	    {"Sec-WebSocket-Key", FIELD_FRAMING},
	    {"Set-Cookie", FIELD_SET_COOKIE | FIELD_OF_HEADS | FIELD_PRIVATE},
	    {"trailer", FIELD_HOP_BY_HOP | FIELD_TRAILER | FIELD_OF_BODY},
	    {"Content-Range", FIELD_OF_HEADS | FIELD_OF_BODY},
	    {"etag", FIELD_OF_BODY},
	    {"UPGRADE", FIELD_HOP_BY_HOP | FIELD_UPGRADE},
	    {"User-Agent", FIELD_OF_HEADS},
	    {"vary", FIELD_OF_HEADS},
	    {"www-authenticate", FIELD_OF_HOST},
	    {"X-Amz-Date", FIELD_IDENTITY},
	    {"X-Content-Type-Options", FIELD_SNIFFING | FIELD_OF_HEADS},
	    {"x-forwarded-for", FIELD_IDENTITY | FIELD_PRIVATE | FIELD_FORWARDED_FOR},
	    {"x-forwarded-host", FIELD_IDENTITY},
	    {"X-Remote-User", FIELD_IDENTITY},
	    {"X-Request-Id", 0},
	    {"X-Stream-Protocol-Version", FIELD_OF_HEADS},
	    {"", 0},
	    {"@uthorization", 0},
	    {"audit\rid", 0}, /* '-' less 0x20, which makes letters of one case the other */
	    {"keep\ralive", 0},
	    {"x\rremote-user", 0},
	    {"http\x12-settings", 0},
	    {"{}", 0},
	};
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		uint32_t traits = field_traits(rows[i].name, strlen(rows[i].name));
		if (traits != rows[i].traits)
			print_error("%s\n", rows[i].name);
		assert_int_equal(traits, rows[i].traits);
		for (size_t at = 0; traits != 0 && rows[i].name[at] != '\0'; at++)
			assert_bytes_count(rows[i].name, at, traits);
	}
}

static void underscores_are_a_disguise_of_what_matters(void **state)
{
	(void)state;
	static const char *const disguised[] = {"Impersonate_User", "X_Remote_User", "audit_id",
	    "X-Remote_Group", "content_length", "Transfer_Encoding", "sec_websocket_key",
	    "X-Amz_Date", "keep_alive"};
	static const char *const others[] = {
	    "my_field", "x_trace_id", "user_agent", "connection_", "_impersonate-user", "_"};
	char longest[200];
	for (size_t i = 0; i < sizeof disguised / sizeof disguised[0]; i++)
		assert_true(field_traits(disguised[i], strlen(disguised[i])) & FIELD_DISGUISED);
	for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
		assert_int_equal(field_traits(others[i], strlen(others[i])), 0);
	memset(longest, 'a', sizeof longest);
	memcpy(longest, "x_remote_", 9);
	assert_true(field_traits(longest, sizeof longest) & FIELD_DISGUISED);
	memcpy(longest, "y_remote_", 9);
	assert_int_equal(field_traits(longest, sizeof longest), 0);
	memcpy(longest, "x-remote-", 9);
	assert_false(field_traits(longest, sizeof longest) & FIELD_DISGUISED);
	longest[sizeof longest - 1] = '_';
	assert_true(field_traits(longest, sizeof longest) & FIELD_DISGUISED);
}

static void lists_know_what_is_in_them(void **state)
{
	(void)state;
	struct http_fields from = {0}, to = {0};
	fields_add_text(&from, "Accept", "a");
	assert_null(fields_find(&from, FIELD_COOKIE));
	fields_add_text(&from, "Cookie", "one=1");
	fields_add_text(&from, "cookie", "two=2");
	assert_string_equal(fields_find(&from, FIELD_COOKIE), "one=1");
	assert_int_equal(fields_count_with(&from, FIELD_COOKIE), 2);
	assert_int_equal(fields_count_with(&from, FIELD_UPGRADE), 0);
	assert_null(fields_find(&to, FIELD_COOKIE));
	fields_copy(&to, &from, 2);
	assert_string_equal(fields_name(&to, 0), "cookie");
	assert_string_equal(fields_find(&to, FIELD_COOKIE), "two=2");
	fields_clear(&to);
	assert_null(fields_find(&to, FIELD_COOKIE));
	fields_free(&from);
	fields_free(&to);
}

/* Each byte at each place of texts shorter and longer than the step of sixteen. */
static void finds_control_characters_anywhere(void **state)
{
	(void)state;
	static const char fillers[] = {' ', '~', '\x80', '\xff'};
	for (size_t f = 0; f < sizeof fillers; f++) {
		for (size_t len = 1; len <= LONGEST; len++) {
			char text[LONGEST];
			memset(text, fillers[f], len);
			assert_true(field_text_is_plain(text, len));
			for (size_t at = 0; at < len; at++) {
				for (unsigned c = 0; c <= 255; c++) {
					text[at] = (char)c;
					bool is_plain = c >= ' ' && c != 0x7f;
					assert_int_equal(field_text_is_plain(text, len), is_plain);
				}
				text[at] = fillers[f];
			}
		}
	}
	assert_true(field_text_is_plain("\n", 0));
}

/* The same for texts of which every byte must be seen. */
static void finds_what_is_not_visible_anywhere(void **state)
{
	(void)state;
	static const char fillers[] = {'!', '~'};
	for (size_t f = 0; f < sizeof fillers; f++) {
		for (size_t len = 1; len <= LONGEST; len++) {
			char text[LONGEST];
			memset(text, fillers[f], len);
			assert_true(field_text_is_visible(text, len));
			for (size_t at = 0; at < len; at++) {
				for (unsigned c = 0; c <= 255; c++) {
					text[at] = (char)c;
					bool is_visible = c > ' ' && c < 0x7f;
					assert_int_equal(
					    field_text_is_visible(text, len), is_visible);
				}
				text[at] = fillers[f];
			}
		}
	}
	assert_true(field_text_is_visible(" ", 0));
}

static void test_prefixed(void **state)
{
	(void)state;
	struct http_fields fields = {0};
	for (size_t i = 0; i < 40; i++) {
		char rest[301];
		memset(rest, 'r', i * 7);
		rest[i * 7] = '\0';
		fields_add_prefixed(&fields, "A", "Bearer ", rest);
		assert_memory_equal(fields_value(&fields, i), "Bearer ", 7);
		assert_string_equal(fields_value(&fields, i) + 7, rest);
		assert_int_equal(fields.items[i].value_len, 7 + i * 7);
		assert_string_equal(fields_name(&fields, i), "A");
	}
	fields_free(&fields);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_prefixed),
	    cmocka_unit_test(keeps_order_and_finds_without_case),
	    cmocka_unit_test(finds_tokens_in_lists),
	    cmocka_unit_test(grows_and_keeps_its_memory),
	    cmocka_unit_test(keeps_texts_of_each_length),
	    cmocka_unit_test(wipes_what_it_held),
	    cmocka_unit_test(names_are_compared_whole_and_without_case),
	    cmocka_unit_test(names_have_their_traits),
	    cmocka_unit_test(underscores_are_a_disguise_of_what_matters),
	    cmocka_unit_test(lists_know_what_is_in_them),
	    cmocka_unit_test(finds_control_characters_anywhere),
	    cmocka_unit_test(finds_what_is_not_visible_anywhere),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
