/* Lists and watches in protobuf that lie, are cut, or could be read in two ways: nothing of that
 * passes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/buf.h"
#include "kubeproxyd/filter/protobuf_filter.h"
#include "kubeproxyd/filter/protobuf_object.h"
#include "tests/unit/protobuf_reference.h"
#include "tests/unit/protobuf_stage.h"

/* --- items --------------------------------------------------------------------- */

/* Bytes as text, with their length: NULs are within. */
#define BYTES(text) text, sizeof text - 1

/* An item's content. What does not pass is followed by what does. */
static const struct {
	const char *what, *bytes;
	size_t len;
	bool passes;
} items[] = {
    {"a name",
	BYTES("\x0a\x03\x0a\x01"
	      "a"),
	true},
    {"no metadata", BYTES(""), false},
    {"metadata without a name",
	BYTES("\x0a\x03\x1a\x01"
	      "a"),
	false},
    {"an empty name", BYTES("\x0a\x02\x0a\x00"), false},
    {"two names",
	BYTES("\x0a\x06\x0a\x01"
	      "b\x0a\x01"
	      "a"),
	false},
    {"the same name twice",
	BYTES("\x0a\x06\x0a\x01"
	      "a\x0a\x01"
	      "a"),
	false},
    {"two namespaces",
	BYTES("\x0a\x0b\x0a\x01"
	      "a\x1a\x02no\x1a\x02ye"),
	false},
    {"metadata twice",
	BYTES("\x0a\x03\x0a\x01"
	      "b\x0a\x03\x0a\x01"
	      "a"),
	false},
    {"metadata once more, far behind",
	BYTES("\x0a\x03\x0a\x01"
	      "a\x12\x01x\x0a\x00"),
	false},
    {"metadata that is a number", BYTES("\x08\x01"), false},
    {"a name that is a number", BYTES("\x0a\x02\x08\x01"), false},
    {"a name that is no UTF-8",
	BYTES("\x0a\x04\x0a\x02"
	      "a\xff"),
	false},
    {"a surrogate",
	BYTES("\x0a\x06\x0a\x04"
	      "a\xed\xa0\x80"),
	false},
    {"a NUL in a name",
	BYTES("\x0a\x05\x0a\x03"
	      "a\0b"),
	false},
    {"a name longer than its metadata",
	BYTES("\x0a\x03\x0a\x02"
	      "a"),
	false},
    {"metadata longer than the item",
	BYTES("\x0a\x04\x0a\x01"
	      "a"),
	false},
    {"a field cut in its tag",
	BYTES("\x0a\x03\x0a\x01"
	      "a\x80"),
	false},
    {"a group",
	BYTES("\x0a\x03\x0a\x01"
	      "a\x13\x14"),
	false},
    {"a group in metadata",
	BYTES("\x0a\x05\x0a\x01"
	      "a\x13\x14"),
	false},
    {"wire type 7",
	BYTES("\x0a\x03\x0a\x01"
	      "a\x17"),
	false},
    {"field 0",
	BYTES("\x0a\x03\x0a\x01"
	      "a\x02\x00"),
	false},
    {"field 2^32 + 1, which Go takes for 1",
	BYTES("\x0a\x03\x0a\x01"
	      "a\x8a\x80\x80\x80\x80\x01\x03\x0a\x01"
	      "b"),
	false},
    {"field 2^31, which is below zero there",
	BYTES("\x0a\x03\x0a\x01"
	      "a\x82\x80\x80\x80\x40\x00"),
	false},
    {"a varint of eleven bytes",
	BYTES("\x0a\x03\x0a\x01"
	      "a\x10\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01"),
	false},
    {"a varint longer than it need be",
	BYTES("\x0a\x03\x0a\x01"
	      "a\x10\x80\x80\x00"),
	true},
    {"a tag longer than it need be",
	BYTES("\x8a\x00\x03\x0a\x01"
	      "a"),
	true},
    {"metadata behind other fields",
	BYTES("\x12\x01x\x0a\x03\x0a\x01"
	      "a"),
	true},
    {"fields of every type that are not known",
	BYTES("\x0a\x03\x0a\x01"
	      "a\x39\x01\x02\x03\x04\x05\x06\x07\x08"
	      "\x45\x01\x02\x03\x04\xf8\x3f\x01"),
	true},
};

static void test_items(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof items / sizeof items[0]; i++) {
		struct buf item = {0}, list = {0}, in = {0}, out = {0};
		struct filter_result result;
		struct seen seen;
		buf_append(&item, items[i].bytes, items[i].len);
		put_bytes(&list, 2, &item);
		put_item(&list, "yes", "a-last", 3);
		put_envelope(&in, "v1", "PodList", &list);
		const char *problem = run_in_pieces(FILTER_LIST, &usual, &in, 1, &out, &result);
		if (problem != NULL || result.unreadable != !items[i].passes)
			fail_msg("%s: %s", items[i].what, problem);
		assert_int_equal(result.passed, 1 + items[i].passes);
		reference_list((const uint8_t *)out.data, out.len, &seen);
		assert_int_equal(seen.count, 1 + items[i].passes);
		if (items[i].passes)
			assert_memory_equal(seen.objects[0].bytes, items[i].bytes, items[i].len);
		seen_free(&seen);
		buf_free(&item);
		buf_free(&list);
		buf_free(&in);
		buf_free(&out);
	}
}

/* Each in memory of its own length: what lies about a length is not read behind its end. */
static void test_items_alone(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof items / sizeof items[0]; i++) {
		uint8_t *copy = malloc(items[i].len + (items[i].len == 0));
		assert_non_null(copy);
		memcpy(copy, items[i].bytes, items[i].len);
		struct protobuf item = {.at = copy, .len = items[i].len};
		enum protobuf_verdict verdict = protobuf_object_judge(item, &stage_events, NULL);
		if ((verdict == PROTOBUF_PASSED) != items[i].passes)
			fail_msg("%s: %d", items[i].what, verdict);
		free(copy);
	}
}

#define ITEM "\x12\x05\x0a\x03\x0a\x01"

/* Whole bodies that end it. */
static const struct {
	const char *what, *bytes;
	size_t len;
} bodies[] = {
    {"nothing", BYTES("")},
    {"another magic", BYTES("k8t\0")},
    {"half a magic", BYTES("k8")},
    {"no object", BYTES(LIST_TYPE)},
    {"no kind", BYTES("k8s\0\x12\x00")},
    {"a kind behind the object", BYTES("k8s\0\x12\x00\x0a\x0d\x0a\x02v1\x12\x07PodList")},
    {"an empty kind", BYTES("k8s\0\x0a\x02\x12\x00\x12\x00")},
    {"two kinds", BYTES("k8s\0\x0a\x0c\x12\x03Pod\x12\x05PList\x12\x00")},
    {"two types", BYTES(LIST_TYPE "\x0a\x05\x12\x03Pod\x12\x00")},
    {"two lists", BYTES(LIST_TYPE "\x12\x00\x12\x00")},
    {"a list that is a number", BYTES(LIST_TYPE "\x10\x00")},
    {"a list longer than the body", BYTES(LIST_TYPE "\x12\x08" ITEM "a")},
    {"an item longer than the list", BYTES(LIST_TYPE "\x12\x06" ITEM "a")},
    {"a head longer than the list", BYTES(LIST_TYPE "\x12\x01\x12\x01\x01")},
    {"two metadata of the list", BYTES(LIST_TYPE "\x12\x04\x0a\x00\x0a\x00")},
    {"a group in the list", BYTES(LIST_TYPE "\x12\x02\x1b\x1c")},
    {"a group in the envelope", BYTES(LIST_TYPE "\x12\x00\x2b\x2c")},
    {"a length beyond all", BYTES(LIST_TYPE "\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01")},
    {"a length of eleven bytes",
	BYTES(LIST_TYPE "\x12\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01")},
    {"an encoding within", BYTES(LIST_TYPE "\x12\x00\x1a\x04gzip")},
    {"another content", BYTES(LIST_TYPE "\x12\x00\x22\x10"
					"application/json")},
    {"a field cut behind it", BYTES(LIST_TYPE "\x12\x00\x1a")},
};

static void test_bodies(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
		struct buf in = {0}, out = {0};
		struct filter_result result;
		buf_append(&in, bodies[i].bytes, bodies[i].len);
		for (size_t piece = 1; piece < 40; piece += 13) {
			if (run_in_pieces(FILTER_LIST, &usual, &in, piece, &out, &result) == NULL)
				fail_msg("%s", bodies[i].what);
			assert_non_null(result.problem);
			/* It can still be answered with a sentence. */
			assert_int_equal(out.len, 0);
		}
		buf_free(&in);
		buf_free(&out);
	}
}

/* Whatever no list and no envelope has is not known to be harmless. */
static void test_unknown_fields(void **state)
{
	(void)state;
	struct buf list = {0}, in = {0}, out = {0};
	struct filter_result result;
	put_text(&list, 7, "hidden");
	put_item(&list, "yes", "a", 2);
	put_envelope(&in, "v1", "PodList", &list);
	put_text(&in, 9, "hidden");
	for (int i = 0; i < 2; i++) {
		assert_null(run(FILTER_LIST, i == 0 ? &usual : &shelved, &in, &out, &result));
		assert_int_equal(result.passed, 1);
		assert_int_equal(result.unreadable, 2);
		assert_null(memmem(out.data, out.len, "hidden", 6));
	}
	buf_free(&list);
	buf_free(&in);
	buf_free(&out);
}

/* A cut stays a cut, and shows nothing that the whole would not. */
static void test_truncated(void **state)
{
	(void)state;
	struct buf in = {0}, wanted = {0}, out = {0};
	put_mixed(&in, &wanted);
	size_t end = in.len - 4; /* two empty fields stand behind the list */
	for (size_t len = 0; len < end; len++) {
		struct buf cut = {.data = in.data, .len = len};
		struct filter_result result;
		assert_non_null(run_in_pieces(
		    FILTER_LIST, len % 2 == 0 ? &usual : &shelved, &cut, 50, &out, &result));
		assert_int_equal(out.len, 0);
	}
	buf_free(&in);
	buf_free(&wanted);
	buf_free(&out);
}

static void test_too_long(void **state)
{
	(void)state;
	struct filter_limits limits = {.item_max = 100, .held_max = 1000};
	struct buf list = {0}, in = {0}, out = {0};
	struct filter_result result;
	struct seen seen;
	put_item(&list, "yes", "a-long", 200 * 1024);
	put_item(&list, "yes", "a", 20);
	put_envelope(&in, "v1", "PodList", &list);
	for (int i = 0; i < 2; i++) {
		assert_null(run_in_pieces(FILTER_LIST, &limits, &in, 999, &out, &result));
		assert_int_equal(result.passed, 1);
		assert_int_equal(result.unreadable, 1);
		reference_list((const uint8_t *)out.data, out.len, &seen);
		assert_true(seen.is_whole);
		assert_int_equal(seen.count, 1);
		assert_string_equal(seen.objects[0].name, "a");
		seen_free(&seen);
		limits.held_max = 1;
	}
	buf_free(&list);
	buf_free(&in);
	buf_free(&out);
}

/* --- watches ------------------------------------------------------------------------------ */

static void test_bad_frames(void **state)
{
	(void)state;
	struct filter_limits limits = {.item_max = 200};
	struct buf in = {0}, good = {0}, out = {0}, object = {0};
	struct filter_result result;
	put_named_event(&good, "ADDED", "yes", "a");
	buf_append(&in, "\0\0\0\0\0\0\0\3\x0a\x05\x41", 11);
	put_object(&object, "yes", "a", 5000);
	put_event(&in, "ADDED", "Pod", &object);
	buf_append(&in, good.data, good.len);
	for (size_t piece = 1; piece < in.len; piece += 37) {
		assert_null(run_in_pieces(FILTER_WATCH, &limits, &in, piece, &out, &result));
		assert_int_equal(result.unreadable, 3);
		assert_same(&out, &good);
	}
	/* Cut within a frame, and within its length. */
	buf_append(&in, "\0\0", 2);
	assert_non_null(run(FILTER_WATCH, &limits, &in, &out, &result));
	assert_same(&out, &good);
	buf_append(&in, "\0\5abc", 5);
	assert_non_null(run(FILTER_WATCH, &limits, &in, &out, &result));
	buf_free(&in);
	buf_free(&good);
	buf_free(&out);
	buf_free(&object);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_items),
	    cmocka_unit_test(test_items_alone),
	    cmocka_unit_test(test_bodies),
	    cmocka_unit_test(test_unknown_fields),
	    cmocka_unit_test(test_truncated),
	    cmocka_unit_test(test_too_long),
	    cmocka_unit_test(test_bad_frames),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
