/* The spliced literal: any decoder reads it behind any block, and no table remembers it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <nghttp2/nghttp2.h>

#include "common/buf.h"
#include "kubeproxyd/http/hpack.h"

static void assert_decodes(
    nghttp2_hd_inflater *inflater, const struct buf *block, const char *name, const char *value)
{
	const uint8_t *at = (const uint8_t *)block->data;
	size_t left = block->len;
	unsigned found = 0;
	for (;;) {
		nghttp2_nv field;
		int flags = 0;
		ssize_t used = nghttp2_hd_inflate_hd2(inflater, &field, &flags, at, left, 1);
		assert_true(used >= 0);
		at += used;
		left -= (size_t)used;
		if ((flags & NGHTTP2_HD_INFLATE_EMIT) != 0) {
			assert_int_equal(field.namelen, strlen(name));
			assert_memory_equal(field.name, name, field.namelen);
			assert_int_equal(field.valuelen, strlen(value));
			assert_memory_equal(field.value, value, field.valuelen);
			assert_true((field.flags & NGHTTP2_NV_FLAG_NO_INDEX) != 0);
			found++;
		}
		if ((flags & NGHTTP2_HD_INFLATE_FINAL) != 0)
			break;
	}
	nghttp2_hd_inflate_end_headers(inflater);
	assert_int_equal(found, 1);
	assert_int_equal(left, 0);
}

static void test_decodes_as_it_was(void **state)
{
	(void)state;
	static char long_value[5000];
	memset(long_value, 'x', sizeof long_value - 1);
	static const struct {
		const char *name;
		const char *value;
	} cases[] = {
	    {"authorization", ""},
	    {"authorization", "Bearer a"},
	    {"authorization", "Bearer k8s-aws-v1.aHR0cHM6Ly9zdHMuZXUtd2VzdC0xLmFtYXpvbmF3cy5jb20v"},
	    {"authorization", "\x01\x7f\xff"},
	    {"authorization", long_value},
	    {"x-other", "value"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct buf block = {0};
		nghttp2_hd_inflater *inflater;
		assert_int_equal(nghttp2_hd_inflate_new(&inflater), 0);
		hpack_encode_never_indexed(
		    &block, cases[i].name, cases[i].value, strlen(cases[i].value));
		size_t before = nghttp2_hd_inflate_get_num_table_entries(inflater);
		assert_decodes(inflater, &block, cases[i].name, cases[i].value);
		assert_int_equal(nghttp2_hd_inflate_get_num_table_entries(inflater), before);
		nghttp2_hd_inflate_del(inflater);
		buf_free(&block);
	}
}

/* RFC 7541, 6.2.3: 0001, then the index of the name; nothing before it. */
static void test_first_bits(void **state)
{
	(void)state;
	struct buf block = {0};
	hpack_encode_never_indexed(&block, "authorization", "Bearer a", 8);
	assert_int_equal((uint8_t)block.data[0], 0x1f);
	assert_int_equal((uint8_t)block.data[1], 23 - 15);
	buf_free(&block);
}

static void test_appends(void **state)
{
	(void)state;
	struct buf block = {0};
	buf_append_text(&block, "before");
	hpack_encode_never_indexed(&block, "authorization", "a", 1);
	assert_memory_equal(block.data, "before", 6);
	assert_true(block.len > 6);
	buf_free(&block);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_decodes_as_it_was),
	    cmocka_unit_test(test_first_bits),
	    cmocka_unit_test(test_appends),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
