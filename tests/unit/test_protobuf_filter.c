/* Lists and watches in protobuf, without what may not be read: what passes are the bytes that came,
 * lengths are true, and memory stays small. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/buf.h"
#include "kubeproxyd/filter/protobuf_filter.h"
#include "tests/unit/allocated.h"
#include "tests/unit/protobuf_reference.h"
#include "tests/unit/protobuf_stage.h"

/* --- lists ----------------------------------------------------------------------------------- */

static void test_list(void **state)
{
	(void)state;
	struct buf in = {0}, wanted = {0}, out = {0};
	struct filter_result result;
	put_mixed(&in, &wanted);
	for (size_t piece = 1; piece <= in.len; piece += piece < 40 ? 1 : 211) {
		assert_null(run_in_pieces(FILTER_LIST, &usual, &in, piece, &out, &result));
		assert_same(&out, &wanted);
		assert_int_equal(result.passed, 10);
		assert_int_equal(result.dropped, 30);
		assert_int_equal(result.unreadable, 0);
	}
	buf_free(&in);
	buf_free(&wanted);
	buf_free(&out);
}

/* However little of it is held in memory, it has the length of what it holds. */
static void test_long_list(void **state)
{
	(void)state;
	struct buf in = {0}, wanted = {0}, out = {0};
	struct filter_result result;
	put_mixed(&in, &wanted);
	for (size_t held = 1; held < 3000; held += held < 40 ? 1 : 97) {
		struct filter_limits limits = {.item_max = MIB, .held_max = held};
		assert_null(run_in_pieces(FILTER_LIST, &limits, &in, 64, &out, &result));
		assert_same(&out, &wanted);
		assert_null(run(FILTER_LIST, &limits, &in, &out, &result));
		assert_same(&out, &wanted);
	}
	buf_free(&in);
	buf_free(&wanted);
	buf_free(&out);
}

/* Lengths around those where a length takes one more byte, with 1 to 3 MiB left out. */
static void test_lengths(void **state)
{
	(void)state;
	static const size_t around[] = {0, 90, 16340, 2097100};
	struct filter_limits limits = {.item_max = 3 * MIB, .held_max = 4096};
	for (size_t i = 0; i < sizeof around / sizeof around[0]; i++) {
		for (size_t more = 0; more < 60; more += i < 3 ? 1 : 7) {
			struct buf all = {0}, some = {0}, in = {0}, wanted = {0}, out = {0};
			struct filter_result result;
			put_item(&all, "no", "a", MIB * (1 + more % 3) - MIB / 2);
			put_item(&all, "yes", "a", around[i] + more);
			put_item(&some, "yes", "a", around[i] + more);
			put_envelope(&in, "v1", "PodList", &all);
			put_envelope(&wanted, "v1", "PodList", &some);
			assert_null(run(FILTER_LIST, &limits, &in, &out, &result));
			assert_same(&out, &wanted);
			buf_free(&all);
			buf_free(&some);
			buf_free(&in);
			buf_free(&wanted);
			buf_free(&out);
		}
	}
}

/* No room: nothing of it leaves, and it says so. */
static void test_full_shelf(void **state)
{
	(void)state;
	struct buf in = {0}, wanted = {0}, out = {0};
	struct filter_result result;
	put_mixed(&in, &wanted);
	for (stage_shelf_max = 0; stage_shelf_max < 600; stage_shelf_max += 37) {
		assert_non_null(run_in_pieces(FILTER_LIST, &shelved, &in, 50, &out, &result));
		assert_true(result.is_unheld && !result.is_forbidden);
		assert_int_equal(out.len, 0);
	}
	stage_shelf_max = SIZE_MAX;
	static const struct filter_events without = {.may_read = stage_may_read};
	struct protobuf_filter *filter = protobuf_filter_new(FILTER_LIST, &shelved, &without, &out);
	assert_false(protobuf_filter_feed(filter, (const uint8_t *)in.data, in.len));
	assert_false(protobuf_filter_end(filter));
	assert_true(protobuf_filter_result(filter)->is_unheld);
	protobuf_filter_free(&filter);
	buf_free(&in);
	buf_free(&wanted);
	buf_free(&out);
}

/* Fields of two bytes, the shortest that can be dropped. */
static void test_short_fields(void **state)
{
	(void)state;
	struct buf list = {0}, in = {0}, empty = {0}, wanted = {0}, out = {0};
	struct filter_result result;
	put_text(&list, 2, "");
	put_text(&list, 3, "");
	put_varint(&list, 4 * 8);
	put_varint(&list, 1);
	put_envelope(&in, "v1", "PodList", &list);
	put_envelope(&wanted, "v1", "PodList", &empty);
	for (int i = 0; i < 2; i++) {
		const struct filter_limits *limits = i == 0 ? &usual : &shelved;
		assert_null(run(FILTER_LIST, limits, &in, &out, &result));
		assert_int_equal(result.unreadable, 3);
		assert_same(&out, &wanted);
	}
	buf_free(&list);
	buf_free(&in);
	buf_free(&wanted);
	buf_free(&out);
}

static void test_empty_list(void **state)
{
	(void)state;
	struct buf list = {0}, in = {0}, out = {0};
	struct filter_result result;
	put_envelope(&in, "v1", "PodList", &list);
	assert_null(run(FILTER_LIST, &usual, &in, &out, &result));
	assert_same(&out, &in);
	buf_clear(&in);
	put_list_meta(&list);
	put_envelope(&in, "meta.k8s.io/v1", "PartialObjectMetadataList", &list);
	assert_null(run(FILTER_LIST, &shelved, &in, &out, &result));
	assert_same(&out, &in);
	buf_free(&list);
	buf_free(&in);
	buf_free(&out);
}

/* How many objects are on further pages would tell of those that may not be read. */
static void test_remaining(void **state)
{
	(void)state;
	struct buf meta = {0}, kept = {0}, list = {0}, shown = {0}, in = {0}, wanted = {0},
		   out = {0};
	struct filter_result result;
	struct seen seen;
	put_text(&meta, 2, "4711");
	put_text(&kept, 2, "4711");
	put_varint(&meta, 4 * 8);
	put_varint(&meta, 40);
	put_text(&meta, 3, "");
	put_text(&kept, 3, "");
	put_bytes(&list, 1, &meta);
	put_bytes(&shown, 1, &kept);
	put_item(&list, "yes", "a", 5);
	put_item(&shown, "yes", "a", 5);
	put_envelope(&in, "v1", "PodList", &list);
	put_envelope(&wanted, "v1", "PodList", &shown);
	assert_null(run_in_pieces(FILTER_LIST, &usual, &in, 3, &out, &result));
	assert_same(&out, &wanted);
	assert_null(run_in_pieces(FILTER_LIST, &shelved, &in, 3, &out, &result));
	assert_same(&out, &wanted);
	reference_list((const uint8_t *)out.data, out.len, &seen);
	assert_true(seen.is_whole && !seen.tells_remaining);
	assert_int_equal(seen.count, 1);
	seen_free(&seen);
	reference_list((const uint8_t *)in.data, in.len, &seen);
	assert_true(seen.tells_remaining);
	seen_free(&seen);
	/* The token of the next page names an object. */
	buf_clear(&list);
	buf_clear(&in);
	put_text(&meta, 3, "token");
	put_bytes(&list, 1, &meta);
	put_item(&list, "yes", "a", 5);
	put_envelope(&in, "v1", "PodList", &list);
	assert_string_equal(
	    run_in_pieces(FILTER_LIST, &shelved, &in, 3, &out, &result), FILTER_IS_PAGE);
	assert_int_equal(out.len, 0);
	buf_free(&meta);
	buf_free(&kept);
	buf_free(&list);
	buf_free(&shown);
	buf_free(&in);
	buf_free(&wanted);
	buf_free(&out);
}

/* --- other answers of a list's address ------------------------------------------------------- */

static void test_status_and_object(void **state)
{
	(void)state;
	struct buf object = {0}, in = {0}, out = {0};
	struct filter_result result;
	put_text(&object, 2, "Failure");
	put_text(&object, 3, "the server is shutting down");
	put_envelope(&in, "v1", "Status", &object);
	assert_null(run_in_pieces(FILTER_LIST, &usual, &in, 3, &out, &result));
	assert_same(&out, &in);
	buf_clear(&in);
	put_envelope(&in, "example.com/v1", "Status", &object);
	assert_non_null(run(FILTER_LIST, &usual, &in, &out, &result));
	assert_false(result.is_forbidden);
	buf_clear(&in);
	buf_clear(&object);
	put_object(&object, "yes", "a", 30);
	put_envelope(&in, "v1", "Pod", &object);
	assert_null(run_in_pieces(FILTER_LIST, &usual, &in, 5, &out, &result));
	assert_same(&out, &in);
	buf_clear(&in);
	buf_clear(&object);
	put_object(&object, "no", "hidden", 30);
	put_envelope(&in, "v1", "Pod", &object);
	assert_non_null(run_in_pieces(FILTER_LIST, &usual, &in, 5, &out, &result));
	assert_true(result.is_forbidden);
	assert_null(memmem(buf_text(&out), out.len, "hidden", 6));
	buf_free(&object);
	buf_free(&in);
	buf_free(&out);
}

/* --- watches --------------------------------------------------------------------------------- */

/* As a WatchList ends its begin. */
static void put_bookmark(struct buf *out)
{
	struct buf object = {0}, metadata = {0}, annotation = {0};
	put_text(&annotation, 1, "k8s.io/initial-events-end");
	put_text(&annotation, 2, "true");
	put_text(&metadata, 6, "12");
	put_bytes(&metadata, 12, &annotation);
	put_bytes(&object, 1, &metadata);
	put_event(out, "BOOKMARK", "Pod", &object);
	buf_free(&object);
	buf_free(&metadata);
	buf_free(&annotation);
}

static void put_gone(struct buf *out)
{
	struct buf status = {0};
	put_text(&status, 3, "too old resource version");
	put_event(out, "ERROR", "Status", &status);
	buf_free(&status);
}

/* It may be about an object by its key. */
static void put_internal_error(struct buf *out)
{
	struct buf status = {0};
	put_text(&status, 3, "unable to transform key");
	put_varint(&status, 6 * 8);
	put_varint(&status, 500);
	put_event(out, "ERROR", "Status", &status);
	buf_free(&status);
}

static void test_watch(void **state)
{
	(void)state;
	static const char *const types[] = {"ADDED", "MODIFIED", "DELETED"};
	struct buf in = {0}, wanted = {0}, out = {0};
	struct filter_result result;
	for (size_t i = 0; i < 30; i++) {
		const char *type = types[i % 3], *name = i % 4 == 0 ? "a" : "hidden";
		put_named_event(&in, type, i % 8 == 0 ? "no" : "yes", name);
		if (i % 8 == 4)
			put_named_event(&wanted, type, "yes", name);
	}
	put_bookmark(&in);
	put_bookmark(&wanted);
	put_named_event(&in, "BOOKMARK", "yes", "hidden");
	put_named_event(&in, "BOOKMARK", "yes", "a");
	put_named_event(&wanted, "BOOKMARK", "yes", "a");
	put_named_event(&in, "SOMETHING", "yes", "a");
	put_named_event(&in, "ERROR", "yes", "a");
	put_gone(&in);
	put_gone(&wanted);
	put_internal_error(&in);
	for (size_t piece = 1; piece <= in.len; piece += piece < 40 ? 1 : 211) {
		assert_null(run_in_pieces(FILTER_WATCH, &usual, &in, piece, &out, &result));
		assert_same(&out, &wanted);
		assert_int_equal(result.unreadable, 3);
	}
	buf_free(&in);
	buf_free(&wanted);
	buf_free(&out);
}

/* It can be read, and passes a filter itself. */
static void test_expired(void **state)
{
	(void)state;
	struct buf in = {0}, out = {0};
	struct seen seen;
	struct filter_result result;
	protobuf_filter_write_expired(&in);
	reference_watch((const uint8_t *)in.data, in.len, &seen);
	assert_true(seen.is_whole);
	assert_int_equal(seen.count, 1);
	assert_string_equal(seen.objects[0].type, "ERROR");
	assert_string_equal(seen.objects[0].kind, "Status");
	assert_non_null(memmem(in.data, in.len, "Expired", 7));
	assert_null(run(FILTER_WATCH, &usual, &in, &out, &result));
	assert_same(&in, &out);
	seen_free(&seen);
	buf_free(&in);
	buf_free(&out);
}

/* An event leaves with its last byte, not with the next. */
static void test_watch_is_prompt(void **state)
{
	(void)state;
	struct buf in = {0}, out = {0};
	struct protobuf_filter *filter =
	    protobuf_filter_new(FILTER_WATCH, &usual, &stage_events, &out);
	put_named_event(&in, "ADDED", "yes", "a");
	assert_true(protobuf_filter_feed(filter, (const uint8_t *)in.data, in.len - 1));
	assert_int_equal(out.len, 0);
	assert_true(protobuf_filter_feed(filter, (const uint8_t *)in.data + in.len - 1, 1));
	assert_same(&out, &in);
	assert_true(protobuf_filter_end(filter));
	protobuf_filter_free(&filter);
	buf_free(&in);
	buf_free(&out);
}

/* --- memory ---------------------------------------------------------------------------------- */

struct gauge {
	const struct protobuf_filter *filter;
	size_t before, most; /* allocated */
	size_t most_held; /* as the filter says, pages that it maps with it */
	uint64_t bytes, put_away, fetched;
};

static void weigh(struct gauge *gauge)
{
	size_t now = allocated();
	if (now > gauge->before && now - gauge->before > gauge->most)
		gauge->most = now - gauge->before;
	size_t held = protobuf_filter_memory(gauge->filter);
	if (held > gauge->most_held)
		gauge->most_held = held;
}

static void emit_to_gauge(void *arg, const uint8_t *data, size_t len)
{
	struct gauge *gauge = arg;
	(void)data;
	gauge->bytes += len;
	weigh(gauge);
}

static bool put_away_nowhere(void *arg, const uint8_t *data, size_t len)
{
	struct gauge *gauge = arg;
	(void)data;
	gauge->put_away += len;
	weigh(gauge);
	return true;
}

static bool fetch_from_nowhere(void *arg, uint8_t *data, size_t len)
{
	struct gauge *gauge = arg;
	memset(data, 'x', len);
	gauge->fetched += len;
	return true;
}

static bool may_read_half(void *arg, const char *namespace, const char *name)
{
	(void)arg;
	(void)namespace;
	return name[1] % 2 == 0;
}

static void feed(struct protobuf_filter *filter, const struct buf *data, struct gauge *gauge)
{
	for (size_t at = 0; at < data->len; at += 16384) {
		size_t part = data->len - at < 16384 ? data->len - at : 16384;
		assert_true(protobuf_filter_feed(filter, (const uint8_t *)data->data + at, part));
		weigh(gauge);
	}
}

/* A list of 100 MiB, 30 in a sanitized build's ordinary run, half of which passes; one of its items
 * is of 1 MiB. What is put away is no memory. */
static void test_memory(void **state)
{
	(void)state;
	static const struct filter_events gauging = {
	    may_read_half, emit_to_gauge, put_away_nowhere, fetch_from_nowhere};
	const uint64_t count = (getenv("EKSGATE_LONG") != NULL ? 100U : 30U) * 1024 / 2;
	struct filter_limits limits = {.item_max = 2 * MIB, .held_max = 128 * 1024 - 1};
	struct buf each[2] = {{0}}, large = {0}, head = {0};
	put_item(&each[0], "yes", "a0", 1980);
	put_item(&each[1], "yes", "a1", 1980);
	put_item(&large, "yes", "a0", MIB);
	buf_append(&head, LIST_TYPE, sizeof LIST_TYPE - 1);
	put_varint(&head, 2 * 8 + 2);
	put_varint(&head, count * (each[0].len + each[1].len) + large.len);
	struct gauge gauge = {.before = allocated()};
	struct protobuf_filter *filter =
	    protobuf_filter_new(FILTER_LIST, &limits, &gauging, &gauge);
	gauge.filter = filter;
	feed(filter, &head, &gauge);
	for (uint64_t i = 0; i < count; i++) {
		feed(filter, &each[0], &gauge);
		feed(filter, &each[1], &gauge);
		if (i == count / 2)
			assert_true(gauge.most < 256 * 1024);
		if (i == count / 2)
			feed(filter, &large, &gauge);
	}
	assert_true(protobuf_filter_end(filter));
	assert_int_equal(protobuf_filter_result(filter)->passed, count + 1);
	assert_int_equal(gauge.bytes, 0);
	size_t len;
	do
		assert_true(protobuf_filter_next(filter, &len));
	while (len > 0);
	assert_int_equal(gauge.fetched, gauge.put_away);
	assert_in_range(gauge.bytes - count * each[0].len - large.len, sizeof LIST_TYPE, 64);
	const size_t bound = large.len + (size_t)256 * 1024;
	if (gauge.most > bound || gauge.most_held > bound)
		fail_msg("%zu bytes were allocated, %zu held", gauge.most, gauge.most_held);
	protobuf_filter_free(&filter);
	for (int i = 0; i < 2; i++)
		buf_free(&each[i]);
	buf_free(&large);
	buf_free(&head);
}

/* An event of 1 MiB among others, in pieces: no more than it is held, and only as long as it comes.
 */
static void test_watch_memory(void **state)
{
	(void)state;
	static const struct filter_events gauging = {
	    may_read_half, emit_to_gauge, put_away_nowhere, fetch_from_nowhere};
	struct filter_limits limits = {.item_max = 2 * MIB, .held_max = 1};
	struct buf each = {0}, object = {0}, large = {0};
	put_named_event(&each, "ADDED", "yes", "a0");
	put_object(&object, "yes", "a0", MIB);
	put_event(&large, "ADDED", "Pod", &object);
	struct gauge gauge = {.before = allocated()};
	struct protobuf_filter *filter =
	    protobuf_filter_new(FILTER_WATCH, &limits, &gauging, &gauge);
	gauge.filter = filter;
	feed(filter, &large, &gauge);
	feed(filter, &each, &gauge);
	assert_int_equal(gauge.bytes, large.len + each.len);
	const size_t bound = large.len + (size_t)256 * 1024;
	if (gauge.most > bound || gauge.most_held > bound)
		fail_msg("%zu bytes were allocated, %zu held", gauge.most, gauge.most_held);
	assert_true(protobuf_filter_memory(filter) < 256 * 1024);
	protobuf_filter_free(&filter);
	buf_free(&each);
	buf_free(&object);
	buf_free(&large);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_list),
	    cmocka_unit_test(test_long_list),
	    cmocka_unit_test(test_lengths),
	    cmocka_unit_test(test_full_shelf),
	    cmocka_unit_test(test_short_fields),
	    cmocka_unit_test(test_empty_list),
	    cmocka_unit_test(test_remaining),
	    cmocka_unit_test(test_status_and_object),
	    cmocka_unit_test(test_watch),
	    cmocka_unit_test(test_expired),
	    cmocka_unit_test(test_watch_is_prompt),
	    cmocka_unit_test(test_memory),
	    cmocka_unit_test(test_watch_memory),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
