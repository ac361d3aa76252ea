/* Heads as nghttp2 takes them: order, case, what is never indexed, lengths, many fields. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/buf.h"
#include "kubeproxyd/http/h2_fields.h"

/* "name: value" each, "!" behind what is never indexed. */
static void assert_list(const struct h2_fields *list, const char *wanted)
{
	struct buf text = {0};
	for (size_t i = 0; i < list->count; i++) {
		const nghttp2_nv *field = &list->items[i];
		buf_append(&text, field->name, field->namelen);
		buf_append_text(&text, ": ");
		buf_append(&text, field->value, field->valuelen);
		if ((field->flags & NGHTTP2_NV_FLAG_NO_INDEX) != 0)
			buf_append_char(&text, '!');
		buf_append_char(&text, '\n');
	}
	assert_string_equal(buf_text(&text), wanted);
	buf_free(&text);
}

static void test_answer(void **state)
{
	(void)state;
	struct http_head head = {
	    .status = 200, .body = HTTP_BODY_LENGTH, .content_length = 18446744073709551615u};
	fields_add_text(&head.fields, "Content-Type", "application/json");
	fields_add_text(&head.fields, "Set-Cookie", "a=b");
	fields_add_text(&head.fields, "Warning", "");
	struct h2_fields list;
	h2_fields_init(&list);
	h2_fields_add_status(&list, head.status);
	h2_fields_add_head(&list, &head, NULL);
	assert_list(&list, ":status: 200\ncontent-type: application/json\nset-cookie: a=b!\n"
			   "warning: \ncontent-length: 18446744073709551615\n");
	h2_fields_free(&list);
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
	fields_add_text(&head.fields, "Accept", "a");
	struct h2_fields list;
	h2_fields_init(&list);
	h2_fields_add_head(&list, &head, "authorization");
	assert_list(&list, "impersonate-user: alice!\nimpersonate-extra-a%2fb: c!\naudit-id: 1!\n"
			   "accept: a\n");
	h2_fields_free(&list);
	http_head_free(&head);
}

/* What an answer to HEAD and a 304 declare; a 204 has nothing to declare (RFC 9110, 8.6). */
static void test_declared_lengths(void **state)
{
	(void)state;
	static const struct {
		unsigned status;
		uint64_t length;
		const char *wanted;
	} cases[] = {
	    {200, 42, "content-length: 42\n"},
	    {304, 42, "content-length: 42\n"},
	    {204, 42, ""},
	    {200, 0, ""},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct http_head head = {
		    .status = cases[i].status, .content_length = cases[i].length};
		struct h2_fields list;
		h2_fields_init(&list);
		h2_fields_add_head(&list, &head, NULL);
		assert_list(&list, cases[i].wanted);
		h2_fields_free(&list);
	}
}

static void test_more_fields_than_anybody_expects(void **state)
{
	(void)state;
	struct http_head head = {0};
	char name[32];
	for (unsigned i = 0; i < 2000; i++) {
		snprintf(name, sizeof name, "Name-%u", i);
		fields_add_text(&head.fields, name, "v");
	}
	struct h2_fields list;
	h2_fields_init(&list);
	h2_fields_add(&list, ":method", "GET", 3);
	h2_fields_add_head(&list, &head, NULL);
	assert_int_equal(list.count, 2001);
	assert_memory_equal(list.items[0].name, ":method", 7);
	for (unsigned i = 0; i < 2000; i++) {
		size_t len = (size_t)snprintf(name, sizeof name, "name-%u", i);
		assert_int_equal(list.items[i + 1].namelen, len);
		assert_memory_equal(list.items[i + 1].name, name, len);
	}
	h2_fields_free(&list);
	http_head_free(&head);
}

/* The bound by which the splice decides is one. */
static void test_size_is_a_bound(void **state)
{
	(void)state;
	struct http_head head = {.body = HTTP_BODY_LENGTH, .content_length = 1};
	char value[300];
	for (unsigned i = 0; i < 100; i++) {
		memset(value, 1 + (int)i, sizeof value);
		fields_add(&head.fields, "N", 1, value, i * 3);
	}
	struct h2_fields list;
	h2_fields_init(&list);
	h2_fields_add_head(&list, &head, NULL);
	nghttp2_hd_deflater *deflater;
	assert_int_equal(nghttp2_hd_deflate_new(&deflater, 4096), 0);
	uint8_t block[65536];
	ssize_t len = nghttp2_hd_deflate_hd(deflater, block, sizeof block, list.items, list.count);
	assert_true(len > 0 && (size_t)len <= list.size);
	nghttp2_hd_deflate_del(deflater);
	h2_fields_free(&list);
	http_head_free(&head);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_answer),
	    cmocka_unit_test(test_private_fields),
	    cmocka_unit_test(test_declared_lengths),
	    cmocka_unit_test(test_more_fields_than_anybody_expects),
	    cmocka_unit_test(test_size_is_a_bound),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
