/* What is freed holds nothing any more of what it held: looked for in all memory of this process,
 * its stack apart, as whoever gets a dump of it would. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <zlib.h>

#include <cmocka.h>

#include "common/buf.h"
#include "common/xmem.h"
#include "kubeproxyd/filter/carry.h"
#include "kubeproxyd/filter/filter.h"

#define SECRET_BYTES 48
#define WINDOW	     ((size_t)1024 * 1024)
#define MAPPING_MAX  ((size_t)255 * 1024 * 1024) /* a sanitizer's are longer */

static FILE *memory;
static uint8_t *window; /* a mapping of its own, which is not looked into */

/* Nowhere as it is but where it was put: this is how it is known. */
static char letter(size_t i)
{
	return (char)('a' + (i * 7 + i / 5 * 11 + 3) % 26);
}

static void write_secret(char *out)
{
	for (size_t i = 0; i < SECRET_BYTES; i++)
		out[i] = letter(i);
}

static bool is_secret(const uint8_t *at)
{
	size_t i = 0;
	while (i < SECRET_BYTES && at[i] == (uint8_t)letter(i))
		i++;
	return i == SECRET_BYTES;
}

static size_t count_in(uintptr_t from, uintptr_t to)
{
	size_t count = 0;
	for (uintptr_t at = from; at + SECRET_BYTES <= to; at += WINDOW - SECRET_BYTES + 1) {
		size_t len = to - at < WINDOW ? to - at : WINDOW;
		if (fseeko(memory, (off_t)at, SEEK_SET) != 0 ||
		    fread(window, 1, len, memory) != len)
			return count;
		for (size_t i = 0; i + SECRET_BYTES <= len; i++)
			count += window[i] == (uint8_t)letter(0) && is_secret(window + i);
	}
	return count;
}

/* How often it stands in memory that can be written to. */
static size_t count_secrets(void)
{
	char line[512];
	size_t count = 0;
	FILE *maps = fopen("/proc/self/maps", "r");
	assert_non_null(maps);
	while (fgets(line, sizeof line, maps) != NULL) {
		uintptr_t from, to;
		char mode[8];
		if (sscanf(line, "%lx-%lx %7s", &from, &to, mode) != 3 || mode[1] != 'w')
			continue;
		bool is_window = from <= (uintptr_t)window && (uintptr_t)window < to;
		if (!is_window && strstr(line, "[stack]") == NULL && to - from <= MAPPING_MAX)
			count += count_in(from, to);
	}
	fclose(maps);
	return count;
}

static void test_buf(void **state)
{
	(void)state;
	struct buf buf = {0};
	buf_append_text(&buf, "where an allocator of whatever kind keeps its own when it is free");
	write_secret(buf_reserve(&buf, SECRET_BYTES));
	buf_commit(&buf, SECRET_BYTES);
	assert_int_equal(count_secrets(), 1);
	for (int i = 0; i < 3000; i++)
		buf_append_text(&buf, "and it grows ");
	assert_int_equal(count_secrets(), 1);
	buf_free_secret(&buf);
	assert_int_equal(count_secrets(), 0);
}

/* In steps, and from what is copied to what is not. */
static void test_carry(void **state)
{
	(void)state;
	static uint8_t more[10000];
	struct carry carry = {0};
	uint8_t *secret = xmalloc(SECRET_BYTES);
	write_secret((char *)secret);
	carry_append(&carry, more, 100);
	carry_append(&carry, secret, SECRET_BYTES);
	explicit_bzero(secret, SECRET_BYTES);
	free(secret);
	for (int i = 0; i < 100; i++) {
		assert_int_equal(i % 10 == 0 ? count_secrets() : 1, 1);
		carry_append(&carry, more, sizeof more);
	}
	assert_int_equal(carry.len, 100 + SECRET_BYTES + 100 * sizeof more);
	assert_true(is_secret(carry.data + 100));
	carry_free(&carry);
	assert_int_equal(count_secrets(), 0);
}

/* --- filters --------------------------------------------------------------------------------- */

static bool may_read(void *arg, const char *namespace, const char *name)
{
	(void)arg;
	(void)namespace;
	return name[0] == 'a';
}

static void emit(void *arg, const uint8_t *data, size_t len)
{
	(void)data;
	*(size_t *)arg += len;
}

static void pack(struct buf *text)
{
	z_stream stream = {0};
	size_t room = text->len + 1024;
	char *out = xmalloc(room);
	assert_int_equal(deflateInit2(&stream, 1, Z_DEFLATED, 15 + 16, 8, 0), Z_OK);
	stream.next_in = (Bytef *)text->data;
	stream.avail_in = (uInt)text->len;
	stream.next_out = (Bytef *)out;
	stream.avail_out = (uInt)room;
	assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
	buf_free_secret(text);
	buf_append(text, out, stream.total_out);
	deflateEnd(&stream);
	free(out);
}

static void put_secret(struct buf *text)
{
	write_secret(buf_reserve(text, SECRET_BYTES));
	buf_commit(text, SECRET_BYTES);
}

static void put_item(struct buf *text, const char *name)
{
	buf_printf(text, "{\"metadata\":{\"name\":\"%s\",\"namespace\":\"n\"},\"data\":\"", name);
	put_secret(text);
	for (int i = 0; i < 20000; i++)
		buf_append_text(text, "and more of it ");
	put_secret(text);
	buf_append_text(text, "\"}");
}

/* Secrets that pass and that do not, in items that come in pieces. zlib of the test leaves traces:
 * there are no more of them than before. */
static void run(const char *encoding)
{
	const struct filter_events events = {.may_read = may_read, .emit = emit};
	struct filter_limits limits = {.item_max = 1024 * 1024, .held_max = FILTER_HELD_MAX};
	struct buf text = {0};
	size_t passed = 0;
	buf_append_text(&text, "{\"kind\":\"SecretList\",\"apiVersion\":\"v1\",\"items\":[");
	put_item(&text, "b");
	buf_append_char(&text, ',');
	put_item(&text, "a");
	buf_append_text(&text, "]}");
	if (encoding != NULL)
		pack(&text);
	size_t before = count_secrets();
	struct filter *filter =
	    filter_new(FILTER_LIST, "application/json", encoding, &limits, &events, &passed);
	for (size_t at = 0, part; at < text.len; at += part) {
		part = text.len - at < 1000 ? text.len - at : 1000;
		assert_true(filter_feed(filter, (const uint8_t *)text.data + at, part));
	}
	while (filter_is_paused(filter))
		assert_true(filter_resume(filter));
	assert_true(filter_end(filter) && passed > 0);
	filter_free(&filter);
	assert_int_equal(count_secrets(), before);
	buf_free_secret(&text);
}

static void test_filters(void **state)
{
	(void)state;
	run(NULL);
	assert_int_equal(count_secrets(), 0);
	run("gzip");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_buf),
	    cmocka_unit_test(test_carry),
	    cmocka_unit_test(test_filters),
	};
	memory = fopen("/proc/self/mem", "r");
	uint8_t *pages = mmap(NULL, 3 * WINDOW, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	window = pages + WINDOW; /* between two that nothing is merged with */
	if (memory == NULL || pages == MAP_FAILED || setvbuf(memory, NULL, _IONBF, 0) != 0 ||
	    mprotect(window, WINDOW, PROT_READ | PROT_WRITE) != 0)
		return 1;
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	fclose(memory);
	return failed;
}
