/* Our literals: any decoder reads them behind any block, and no table remembers them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <nghttp2/nghttp2.h>

#include "common/buf.h"
#include "common/xmem.h"
#include "kubeproxyd/http/hpack.h"
#include "kubeproxyd/http/hpack_table.h"

static void assert_decodes_as(nghttp2_hd_inflater *inflater, const struct buf *block,
    const char *name, const char *value, bool is_private)
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
			assert_int_equal((field.flags & NGHTTP2_NV_FLAG_NO_INDEX) != 0, is_private);
			found++;
		}
		if ((flags & NGHTTP2_HD_INFLATE_FINAL) != 0)
			break;
	}
	nghttp2_hd_inflate_end_headers(inflater);
	assert_int_equal(found, 1);
	assert_int_equal(left, 0);
}

static void assert_decodes(
    nghttp2_hd_inflater *inflater, const struct buf *block, const char *name, const char *value)
{
	assert_decodes_as(inflater, block, name, value, true);
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
		hpack_append(&block, cases[i].name, strlen(cases[i].name), cases[i].value,
		    strlen(cases[i].value), true);
		size_t before = nghttp2_hd_inflate_get_num_table_entries(inflater);
		assert_decodes(inflater, &block, cases[i].name, cases[i].value);
		assert_int_equal(nghttp2_hd_inflate_get_num_table_entries(inflater), before);
		nghttp2_hd_inflate_del(inflater);
		buf_free(&block);
	}
}

/* Lengths on both sides of each step of an integer's form (RFC 7541, 5.1). */
static void test_append_decodes(void **state)
{
	(void)state;
	static const size_t lens[] = {
	    0, 1, 126, 127, 128, 254, 255, 256, 16510, 16511, 16512, 40000};
	static char value[40001];
	for (size_t i = 0; i < 2 * sizeof lens / sizeof lens[0]; i++) {
		struct buf block = {0};
		nghttp2_hd_inflater *inflater;
		bool is_private = i % 2 != 0;
		memset(value, 'v', sizeof value - 1);
		value[lens[i / 2]] = '\0';
		assert_int_equal(nghttp2_hd_inflate_new(&inflater), 0);
		hpack_append(&block, "Audit-ID", 8, value, lens[i / 2], is_private);
		assert_true(block.len <= 8 + lens[i / 2] + HPACK_APPEND_EXTRA);
		size_t before = nghttp2_hd_inflate_get_num_table_entries(inflater);
		assert_decodes_as(inflater, &block, "audit-id", value, is_private);
		assert_int_equal(nghttp2_hd_inflate_get_num_table_entries(inflater), before);
		nghttp2_hd_inflate_del(inflater);
		buf_free(&block);
	}
}

/* What is kept by the table of the other end, one after the other. */
static void test_kept(void **state)
{
	(void)state;
	static char largest[4096 - 32 - 13 + 1], too_long[4096 - 32 - 13 + 2];
	memset(largest, 'l', sizeof largest - 1);
	memset(too_long, 't', sizeof too_long - 1);
	static const struct {
		const char *value;
		bool is_byte; /* the whole field */
		bool is_private;
	} steps[] = {
	    {"Bearer one", false, false},
	    {"Bearer one", true, false},
	    {"Bearer two", false, false},
	    {"Bearer two", true, false},
	    {"Bearer on", false, false},
	    {"", false, true},
	    {too_long, false, true},
	    {"Bearer on", true, false},
	    {largest, false, false},
	    {largest, true, false},
	    {"Bearer one", false, false},
	    {"Bearer one", true, false},
	};
	nghttp2_hd_inflater *inflater;
	struct hpack_kept kept = {0};
	assert_int_equal(nghttp2_hd_inflate_new(&inflater), 0);
	for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
		struct buf block = {0};
		size_t len = strlen(steps[i].value);
		char *start = buf_reserve(&block, 13 + len + HPACK_APPEND_EXTRA);
		const char *end =
		    hpack_put_kept(start, &kept, HPACK_AUTHORIZATION, steps[i].value, len);
		buf_commit(&block, (size_t)(end - start));
		assert_int_equal(block.len == 1, steps[i].is_byte);
		assert_decodes_as(
		    inflater, &block, "authorization", steps[i].value, steps[i].is_private);
		buf_free(&block);
	}
	nghttp2_hd_inflate_del(inflater);
	hpack_kept_free(&kept);
}

static void test_append_long_name(void **state)
{
	(void)state;
	static char name[300];
	struct buf block = {0};
	nghttp2_hd_inflater *inflater;
	memset(name, 'n', sizeof name - 1);
	assert_int_equal(nghttp2_hd_inflate_new(&inflater), 0);
	hpack_append(&block, name, sizeof name - 1, "value", 5, false);
	assert_decodes_as(inflater, &block, name, "value", false);
	nghttp2_hd_inflate_del(inflater);
	buf_free(&block);
}

/* A name of capitals, but for one byte. */
static void assert_becomes_lower(size_t len, size_t at, char byte)
{
	/* Exactly as long, so that a sanitizer sees a read beyond it. */
	char *name = xmalloc(len);
	struct buf block = {0};
	memset(name, 'Z', len);
	name[at] = byte;
	hpack_append(&block, name, len, "v", 1, false);
	for (size_t i = 0; i < len; i++) {
		unsigned char was = (unsigned char)name[i];
		unsigned wanted = was >= 'A' && was <= 'Z' ? was | 0x20u : was;
		assert_int_equal((unsigned char)block.data[2 + i], wanted);
	}
	assert_int_equal(block.data[2 + len], 1);
	buf_free(&block);
	free(name);
}

/* Each byte at each place of a name: capitals alone become other letters. */
static void test_names_become_lower(void **state)
{
	(void)state;
	for (size_t len = 1; len <= 25; len++)
		for (size_t at = 0; at < len; at++)
			for (unsigned c = 0; c <= 255; c++)
				assert_becomes_lower(len, at, (char)c);
}

static void assert_bytes(struct buf *block, const char *bytes, size_t len)
{
	assert_int_equal(block->len, len);
	assert_memory_equal(block->data, bytes, len);
	buf_clear(block);
}

/* 6.3, and the integers of C.1. */
static void test_table_size(void **state)
{
	(void)state;
	struct buf block = {0};
	hpack_append_table_size(&block, 0);
	assert_bytes(&block, "\x20", 1);
	hpack_append_table_size(&block, 10);
	assert_bytes(&block, "\x2a", 1);
	hpack_append_table_size(&block, 31);
	assert_bytes(&block, "\x3f\x00", 2);
	hpack_append_table_size(&block, 1337);
	assert_bytes(&block, "\x3f\x9a\x0a", 3);
	buf_free(&block);
}

static void test_status(void **state)
{
	(void)state;
	for (unsigned status = 100; status < 600; status++) {
		struct buf block = {0};
		char text[4] = {(char)('0' + status / 100), (char)('0' + status / 10 % 10),
		    (char)('0' + status % 10), '\0'};
		nghttp2_hd_inflater *inflater;
		assert_int_equal(nghttp2_hd_inflate_new(&inflater), 0);
		hpack_append_status(&block, status);
		bool is_indexed = strstr("200 204 206 304 400 404 500", text) != NULL;
		assert_int_equal(block.len, is_indexed ? 1 : 5);
		assert_decodes_as(inflater, &block, ":status", text, false);
		assert_int_equal(nghttp2_hd_inflate_get_num_table_entries(inflater), 61);
		nghttp2_hd_inflate_del(inflater);
		buf_free(&block);
	}
}

static void test_pseudo_fields(void **state)
{
	(void)state;
	struct buf block = {0};
	hpack_append_method(&block, "GET", 3);
	assert_bytes(&block, "\x82", 1);
	hpack_append_method(&block, "POST", 4);
	assert_bytes(&block, "\x83", 1);
	hpack_append_method(&block, "PUT", 3);
	assert_bytes(&block, "\x02\x03PUT", 5);
	hpack_append_method(&block, "GETS", 4);
	assert_bytes(&block, "\x02\x04GETS", 6);
	hpack_append_method(&block, "", 0);
	assert_bytes(&block, "\x02\x00", 2);
	hpack_append_scheme_https(&block);
	assert_bytes(&block, "\x87", 1);
	hpack_append_path(&block, "/", 1);
	assert_bytes(&block, "\x84", 1);
	hpack_append_path(&block, "/api", 4);
	assert_bytes(&block, "\x04\x04/api", 6);
	hpack_append_authority(&block, "a:443", 5);
	assert_bytes(&block,
	    "\x01\x05"
	    "a:443",
	    7);
	buf_free(&block);
}

/* RFC 7541, 6.2.2 and 6.2.3: 0000 or 0001, no index, and both strings as they are, whatever
 * compressing would save; what stands before stays. */
static void test_forms(void **state)
{
	(void)state;
	struct buf block = {0};
	buf_append_text(&block, "before");
	hpack_append(&block, "Authorization", 13, "aaaaaaaa", 8, true);
	assert_bytes(&block,
	    "before\x10\x0d"
	    "authorization\x08"
	    "aaaaaaaa",
	    30);
	hpack_append(&block, "x", 1, "\xff\xfe", 2, false);
	assert_bytes(&block, "\x00\x01x\x02\xff\xfe", 6);
	hpack_append(&block, "x", 1, "", 0, false);
	assert_bytes(&block, "\x00\x01x\x00", 4);
	buf_free(&block);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_decodes_as_it_was),
	    cmocka_unit_test(test_append_decodes),
	    cmocka_unit_test(test_kept),
	    cmocka_unit_test(test_append_long_name),
	    cmocka_unit_test(test_names_become_lower),
	    cmocka_unit_test(test_table_size),
	    cmocka_unit_test(test_status),
	    cmocka_unit_test(test_pseudo_fields),
	    cmocka_unit_test(test_forms),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
