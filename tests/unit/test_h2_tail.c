/* Encoded fields that wait for their frame: what is in them, their places while others come and go,
 * what does not fit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <nghttp2/nghttp2.h>

#include "common/xmem.h"
#include "kubeproxyd/http/h2_tail.h"

static struct http_head head_with(const char *name, const char *value)
{
	struct http_head head = {0};
	fields_add_text(&head.fields, name, value);
	return head;
}

/* "name: value" each, "!" behind what is never indexed. */
static void assert_tail(
    const struct h2_tails *tails, const struct h2_tail *tail, const char *wanted)
{
	struct buf text = {0};
	nghttp2_hd_inflater *inflater;
	assert_int_equal(nghttp2_hd_inflate_new(&inflater), 0);
	const uint8_t *at = (const uint8_t *)h2_tail_bytes(tails, tail);
	size_t left = tail->len;
	int flags = 0;
	while ((flags & NGHTTP2_HD_INFLATE_FINAL) == 0) {
		nghttp2_nv field;
		ssize_t used = nghttp2_hd_inflate_hd2(inflater, &field, &flags, at, left, 1);
		assert_true(used >= 0);
		at += used;
		left -= (size_t)used;
		if ((flags & NGHTTP2_HD_INFLATE_EMIT) != 0)
			buf_printf(&text, "%.*s: %.*s%s\n", (int)field.namelen,
			    (const char *)field.name, (int)field.valuelen,
			    (const char *)field.value,
			    field.flags & NGHTTP2_NV_FLAG_NO_INDEX ? "!" : "");
	}
	nghttp2_hd_inflate_del(inflater);
	assert_string_equal(buf_text(&text), wanted);
	buf_free(&text);
}

static void test_fields(void **state)
{
	(void)state;
	struct h2_tails tails = {0};
	struct h2_tail tail = {0};
	struct http_head head = head_with("Content-Type", "application/json");
	fields_add_text(&head.fields, "Authorization", "Bearer secret");
	fields_add_text(&head.fields, "Audit-ID", "0");
	fields_add_text(&head.fields, "Impersonate-Group", "a");
	fields_add_text(&head.fields, "X-Forwarded-For", "192.0.2.1");
	fields_add_text(&head.fields, "Set-Cookie", "c");
	fields_add_text(&head.fields, "Cookie", "c");
	head.body = HTTP_BODY_LENGTH;
	head.content_length = UINT64_MAX;
	assert_true(h2_tail_encode(&tails, &tail, &head, FIELD_AUTHORIZATION, 0));
	assert_tail(&tails, &tail,
	    "content-type: application/json\naudit-id: 0!\nimpersonate-group: a!\n"
	    "x-forwarded-for: 192.0.2.1!\nset-cookie: c!\ncookie: c!\n"
	    "content-length: 18446744073709551615\n");
	h2_tail_written(&tails, &tail);
	assert_int_equal(tails.waiting, 0);
	http_head_free(&head);
	h2_tails_free(&tails);
}

static void test_too_large_for_a_frame(void **state)
{
	(void)state;
	struct h2_tails tails = {0};
	struct h2_tail tail = {0};
	char *value = xmalloc(H2_FRAME_PAYLOAD_MAX + 1);
	memset(value, 'v', H2_FRAME_PAYLOAD_MAX);
	value[H2_FRAME_PAYLOAD_MAX] = '\0';
	struct http_head head = head_with("a", value);
	assert_false(h2_tail_encode(&tails, &tail, &head, 0, 0));
	assert_false(tail.is_waiting);
	http_head_free(&head);
	head = head_with("a", "b");
	assert_false(h2_tail_encode(&tails, &tail, &head, 0, H2_FRAME_PAYLOAD_MAX - 100));
	assert_true(h2_tail_encode(&tails, &tail, &head, 0, 1200));
	h2_tail_drop(&tails, &tail);
	http_head_free(&head);
	free(value);
	h2_tails_free(&tails);
}

/* Under load somebody always waits: the buffer must not grow with what was written. */
static void test_written_in_order(void **state)
{
	(void)state;
	enum { WAITING = 50, COUNT = 5000 };
	struct h2_tails tails = {0};
	struct h2_tail tail[COUNT];
	for (size_t i = 0; i < COUNT; i++) {
		char value[120], wanted[130];
		snprintf(value, sizeof value, "%0100zu", i);
		struct http_head head = head_with("n", value);
		assert_true(h2_tail_encode(&tails, &tail[i], &head, 0, 0));
		http_head_free(&head);
		if (i < WAITING)
			continue;
		snprintf(wanted, sizeof wanted, "n: %0100zu\n", i - WAITING);
		assert_tail(&tails, &tail[i - WAITING], wanted);
		/* Some are given up meanwhile, before those that came earlier are written. */
		if (i % 7 == 0)
			h2_tail_drop(&tails, &tail[i]);
		if (tail[i - WAITING].is_waiting)
			h2_tail_written(&tails, &tail[i - WAITING]);
		assert_true(tails.bytes.len < 64 * 1024);
	}
	for (size_t i = COUNT - WAITING; i < COUNT; i++)
		h2_tail_drop(&tails, &tail[i]);
	assert_int_equal(tails.waiting, 0);
	assert_int_equal(tails.bytes.len, 0);
	h2_tails_free(&tails);
}

static void test_frame_header(void **state)
{
	(void)state;
	const uint8_t frame[H2_FRAME_HEADER + 3] = {0, 0, 3, 1, 5, 0, 0, 0, 7};
	uint8_t header[H2_FRAME_HEADER];
	h2_frame_header_grown(header, frame, sizeof frame, 0x3ffd);
	const uint8_t wanted[] = {0, 0x40, 0, 1, 5, 0, 0, 0, 7};
	assert_memory_equal(header, wanted, sizeof wanted);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_fields),
	    cmocka_unit_test(test_too_large_for_a_frame),
	    cmocka_unit_test(test_written_in_order),
	    cmocka_unit_test(test_frame_header),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
