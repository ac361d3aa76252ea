/* Compressed answers through the filter: members one behind the other, in whatever pieces, and what
 * is no gzip or breaks off. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <zlib.h>

#include <cmocka.h>

#include "common/buf.h"
#include "kubeproxyd/filter/filter.h"

#define ITEM_MAX ((size_t)1024 * 1024)
#define FORMAT	 (15 + 16)
#define ROOM	 ((size_t)64 * 1024)

static struct buf out;

static bool may_read(void *arg, const char *namespace, const char *name)
{
	(void)arg;
	(void)namespace;
	return name[0] == 'a';
}

static void emit(void *arg, const uint8_t *data, size_t len)
{
	(void)arg;
	buf_append(&out, data, len);
}

static void pack(struct buf *to, const char *text)
{
	z_stream stream = {0};
	assert_int_equal(deflateInit2(&stream, 6, Z_DEFLATED, FORMAT, 8, 0), Z_OK);
	stream.next_in = (Bytef *)(uintptr_t)text;
	stream.avail_in = (uInt)strlen(text);
	stream.next_out = (Bytef *)buf_reserve(to, ROOM);
	stream.avail_out = (uInt)ROOM;
	assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
	buf_commit(to, stream.total_out);
	deflateEnd(&stream);
}

/* What `out` says; true: to its end. */
static bool unpack(char text[ROOM])
{
	z_stream stream = {0};
	assert_int_equal(inflateInit2(&stream, FORMAT), Z_OK);
	stream.next_in = (Bytef *)out.data;
	stream.avail_in = (uInt)out.len;
	stream.next_out = (Bytef *)text;
	stream.avail_out = (uInt)ROOM - 1;
	int result = inflate(&stream, Z_SYNC_FLUSH);
	text[stream.total_out] = '\0';
	inflateEnd(&stream);
	return result == Z_STREAM_END;
}

static bool run(enum filter_body body, const struct buf *in, size_t step, const char **problem)
{
	static const struct filter_events events = {.may_read = may_read, .emit = emit};
	static char reason[200];
	struct filter_limits limits = {.item_max = ITEM_MAX};
	struct filter *filter =
	    filter_new(body, "application/json", "gzip", &limits, &events, NULL);
	bool is_sound = true;
	buf_clear(&out);
	for (size_t at = 0; is_sound && at < in->len; at += step)
		is_sound = filter_feed(filter, (const uint8_t *)in->data + at,
		    in->len - at < step ? in->len - at : step);
	is_sound = is_sound && filter_end(filter);
	const char *why = filter_result(filter)->problem;
	strncpy(reason, why != NULL ? why : "", sizeof reason - 1);
	*problem = reason;
	filter_free(&filter);
	return is_sound;
}

#define EVENT(name) "{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"name\":\"" name "\"}}}\n"

static void test_members(void **state)
{
	(void)state;
	struct buf in = {0};
	char text[ROOM];
	const char *problem;
	/* An event in two members, and a member with nothing in it. */
	for (size_t i = 0; i < 2; i++) {
		pack(&in, EVENT("a1"));
		pack(&in, EVENT("b"));
		pack(&in, "{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"na");
		pack(&in, "");
		pack(&in, "me\":\"a2\"}}}\n");
	}
	for (size_t step = 1; step < 2 * in.len; step += step < 20 ? 1 : step) {
		if (!run(FILTER_WATCH, &in, step, &problem))
			fail_msg("by %zu: %s", step, problem);
		assert_true(unpack(text));
		assert_string_equal(text, EVENT("a1") EVENT("a2") EVENT("a1") EVENT("a2"));
	}
	buf_free(&in);
}

static void test_nothing_passes(void **state)
{
	(void)state;
	struct buf in = {0};
	char text[ROOM];
	const char *problem;
	pack(&in, EVENT("b"));
	assert_true(run(FILTER_WATCH, &in, 5, &problem));
	assert_true(unpack(text)); /* an empty body is one, too */
	assert_string_equal(text, "");
	in.len = 0; /* a watch that ends before its first event */
	assert_true(run(FILTER_WATCH, &in, 5, &problem));
	assert_true(unpack(text));
	buf_free(&in);
}

static void test_what_breaks_off(void **state)
{
	(void)state;
	struct buf in = {0};
	const char *problem;
	pack(&in, "{\"items\":[{\"metadata\":{\"name\":\"a\"}}]}");
	size_t whole = in.len;
	for (in.len = 1; in.len < whole; in.len++) {
		assert_false(run(FILTER_LIST, &in, 7, &problem));
		assert_non_null(strstr(problem, "not complete"));
		assert_false(run(FILTER_WATCH, &in, 7, &problem));
	}
	assert_true(run(FILTER_LIST, &in, 7, &problem));
	buf_free(&in);
}

static void test_what_is_no_gzip(void **state)
{
	(void)state;
	struct buf in = {0};
	const char *problem;
	buf_append_text(&in, "{\"items\":[]}");
	assert_false(run(FILTER_LIST, &in, 100, &problem));
	assert_non_null(strstr(problem, "compression"));
	buf_clear(&in);
	pack(&in, "{\"items\":[]}");
	buf_append_text(&in, "garbage");
	assert_false(run(FILTER_LIST, &in, 100, &problem));
	assert_non_null(strstr(problem, "compression"));
	buf_clear(&in);
	pack(&in, "{\"items\":[]}");
	in.data[in.len - 6] ^= 1; /* of the checksum */
	assert_false(run(FILTER_LIST, &in, 100, &problem));
	assert_non_null(strstr(problem, "compression"));
	buf_free(&in);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_members),
	    cmocka_unit_test(test_nothing_passes),
	    cmocka_unit_test(test_what_breaks_off),
	    cmocka_unit_test(test_what_is_no_gzip),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	buf_free(&out);
	return failed;
}
