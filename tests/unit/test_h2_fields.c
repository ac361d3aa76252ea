/* Heads as header blocks, and fields of blocks as parts of a head: order, case, what is never
 * indexed, lengths, many fields. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/buf.h"
#include "common/xmem.h"
#include "kubeproxyd/http/h2_fields.h"
#include "kubeproxyd/http/hpack.h"
#include "tests/unit/hpack_text.h"

static void assert_block(const struct buf *block, const char *wanted)
{
	struct buf text = {0};
	nghttp2_hd_inflater *reader = hpack_text_reader();
	assert_true(hpack_text_append(&text, reader, block->data, block->len, "\n"));
	assert_string_equal(buf_text(&text), wanted);
	nghttp2_hd_inflate_del(reader);
	buf_free(&text);
}

/* The fields of `head`, which is freed, behind what stands in the block already. */
static void assert_appended(struct http_head *head, const char *wanted)
{
	struct buf block = {0};
	h2_head_append(&block, head, NULL);
	assert_block(&block, wanted);
	buf_free(&block);
	http_head_free(head);
}

static void test_answer(void **state)
{
	(void)state;
	struct http_head head = {
	    .status = 200, .body = HTTP_BODY_LENGTH, .content_length = 18446744073709551615u};
	fields_add_text(&head.fields, "Content-Type", "application/json");
	fields_add_text(&head.fields, "Set-Cookie", "a=b");
	fields_add_text(&head.fields, "Warning", "");
	struct buf block = {0};
	hpack_append_status(&block, head.status);
	h2_head_append(&block, &head, NULL);
	assert_block(&block, ":status: 200\ncontent-type: application/json\nset-cookie: a=b!\n"
			     "warning: \ncontent-length: 18446744073709551615\n");
	buf_free(&block);
	http_head_free(&head);
}

static void test_private_fields(void **state)
{
	(void)state;
	struct http_head head = {0};
	fields_add_text(&head.fields, "AUTHORIZATION", "Bearer a");
	fields_add_text(&head.fields, "Impersonate-User", "alice");
	fields_add_text(&head.fields, "Impersonate-Extra-a%2fb", "c");
	fields_add_text(&head.fields, "Audit-Id", "1");
	fields_add_text(&head.fields, "X-Forwarded-For", "192.0.2.1");
	fields_add_text(&head.fields, "Cookie", "c");
	fields_add_text(&head.fields, "Accept", "a");
	assert_appended(&head,
	    "authorization: Bearer a!\n"
	    "impersonate-user: alice!\nimpersonate-extra-a%2fb: c!\naudit-id: 1!\n"
	    "x-forwarded-for: 192.0.2.1!\ncookie: c!\naccept: a\n");
}

/* What an answer to HEAD and a 304 declare; a 204 has nothing to declare (RFC 9110, 8.6). */
static void test_declared_lengths(void **state)
{
	(void)state;
	static const struct {
		struct http_head head;
		const char *wanted;
	} cases[] = {
	    {{.status = 200, .content_length = 42}, "content-length: 42\n"},
	    {{.status = 304, .content_length = 42}, "content-length: 42\n"},
	    {{.status = 204, .content_length = 42}, ""},
	    {{.status = 200}, ""},
	    {{.status = 200, .body = HTTP_BODY_LENGTH}, "content-length: 0\n"},
	    {{.status = 200, .body = HTTP_BODY_CHUNKED, .content_length = 42}, ""},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct http_head head = cases[i].head;
		assert_appended(&head, cases[i].wanted);
	}
}

static void test_more_fields_than_anybody_expects(void **state)
{
	(void)state;
	struct http_head head = {0};
	struct buf wanted = {0};
	char name[32];
	for (unsigned i = 0; i < 2000; i++) {
		snprintf(name, sizeof name, "Name-%u", i);
		fields_add_text(&head.fields, name, "v");
		buf_printf(&wanted, "name-%u: v\n", i);
	}
	assert_appended(&head, buf_text(&wanted));
	buf_free(&wanted);
}

/* Room is made once, for whatever is appended: what grows leaves copies of credentials behind. */
static void test_room_is_made_once(void **state)
{
	(void)state;
	struct http_head head = {.body = HTTP_BODY_LENGTH, .content_length = UINT64_MAX};
	char *value = xmalloc(70000);
	memset(value, 0x7f, 70000);
	for (unsigned i = 0; i < 100; i++)
		fields_add(&head.fields, "N", 1, value, i * 700);
	struct buf block = {0};
	h2_head_append(&block, &head, NULL);
	struct buf again = {0};
	buf_make_room(&again, head.fields.block_len + HPACK_APPEND_EXTRA * 101 + 84);
	assert_true(block.cap <= again.cap);
	buf_free(&again);
	buf_free(&block);
	http_head_free(&head);
	free(value);
}

/* --- fields that came ---------------------------------------------------------------------------
 */

static struct hpack_field field_of(const char *name, const char *value)
{
	return (struct hpack_field){
	    .name = name, .name_len = strlen(name), .value = value, .value_len = strlen(value)};
}

static bool take(struct http_head *head, const char *name, const char *value)
{
	const struct hpack_field field = field_of(name, value);
	return h2_head_take(head, &field);
}

static void test_what_heads_keep_as_members(void **state)
{
	(void)state;
	struct http_head head = {0};
	assert_true(take(&head, ":method", "DELETE") && take(&head, ":scheme", "https") &&
		    take(&head, ":path", "/api?a=b") && take(&head, ":authority", "h:1"));
	assert_string_equal(head.method, "DELETE");
	assert_string_equal(head.target, "/api?a=b");
	assert_string_equal(head.authority, "h:1");
	assert_int_equal(head.body, HTTP_BODY_NONE);
	assert_true(take(&head, "content-length", "12345678901"));
	assert_int_equal(head.body, HTTP_BODY_LENGTH);
	assert_int_equal(head.content_length, 12345678901);
	assert_false(head.expects_continue);
	assert_true(take(&head, "expect", "100-Continue"));
	assert_true(head.expects_continue);
	assert_true(take(&head, "expect", "100-continued"));
	assert_false(head.expects_continue);
	assert_false(take(&head, "content-type", "a") || take(&head, "content-lengt", "a") ||
		     take(&head, "host", "h"));
	assert_int_equal(head.fields.count, 0);
	http_head_free(&head);
}

/* A field's bytes end where its length says. */
static void test_lengths_count(void **state)
{
	(void)state;
	struct http_head head = {0};
	struct hpack_field field = field_of(":method", "GETTING");
	field.value_len = 3;
	assert_true(h2_head_take(&head, &field));
	assert_string_equal(head.method, "GET");
	field = field_of(":method", "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
	assert_true(h2_head_take(&head, &field));
	assert_string_equal(head.method, "ABCDEFGHIJKLMNOPQRSTUVW");
	field = field_of("content-length", "129");
	field.value_len = 2;
	assert_int_equal(h2_field_length(&field), 12);
	http_head_free(&head);
}

static void test_never_indexed_stays_so(void **state)
{
	(void)state;
	struct http_head head = {0};
	struct hpack_field field = field_of("x-secret", "s");
	field.is_never_indexed = true;
	h2_fields_add(&head.fields, &field, 0);
	field = field_of("x-plain", "p");
	h2_fields_add(&head.fields, &field, FIELD_LOCATION);
	assert_int_equal(head.fields.items[0].traits, FIELD_PRIVATE);
	assert_int_equal(head.fields.items[1].traits, FIELD_LOCATION);
	assert_int_equal(head.fields.traits, FIELD_PRIVATE | FIELD_LOCATION);
	assert_appended(&head, "x-secret: s!\nx-plain: p\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_answer),
	    cmocka_unit_test(test_private_fields),
	    cmocka_unit_test(test_declared_lengths),
	    cmocka_unit_test(test_more_fields_than_anybody_expects),
	    cmocka_unit_test(test_room_is_made_once),
	    cmocka_unit_test(test_what_heads_keep_as_members),
	    cmocka_unit_test(test_lengths_count),
	    cmocka_unit_test(test_never_indexed_stays_so),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
