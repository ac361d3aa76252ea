/* Runs a protobuf filter over made-up bodies. Called by the tests of it. */
#include "tests/unit/protobuf_stage.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "kubeproxyd/filter/protobuf_filter.h"
#include "tests/unit/protobuf_reference.h"

const struct filter_limits usual = {.item_max = 2 * MIB, .held_max = 64 * 1024};
const struct filter_limits shelved = {.item_max = 2 * MIB, .held_max = 16};
size_t stage_shelf_max = SIZE_MAX;

static struct buf shelf;
static size_t fetched;

bool stage_may_read(void *arg, const char *namespace, const char *name)
{
	(void)arg;
	return name[0] == 'a' && strcmp(namespace, "no") != 0;
}

static void emit(void *arg, const uint8_t *data, size_t len)
{
	buf_append(arg, data, len);
}

static bool put_away(void *arg, const uint8_t *data, size_t len)
{
	(void)arg;
	if (shelf.len + len > stage_shelf_max)
		return false;
	buf_append(&shelf, data, len);
	return true;
}

static bool fetch(void *arg, uint8_t *data, size_t len)
{
	(void)arg;
	assert_true(len > 0 && len <= shelf.len - fetched);
	memcpy(data, shelf.data + fetched, len);
	fetched += len;
	return true;
}

const struct filter_events stage_events = {stage_may_read, emit, put_away, fetch};

/* What was held to the end. */
static bool let_go(struct protobuf_filter *filter)
{
	size_t len;
	do {
		if (!protobuf_filter_next(filter, &len))
			return false;
	} while (len > 0);
	assert_int_equal(fetched, shelf.len);
	return true;
}

const char *run_in_pieces(enum filter_body body, const struct filter_limits *limits,
    const struct buf *in, size_t piece, struct buf *out, struct filter_result *result)
{
	struct protobuf_filter *filter = protobuf_filter_new(body, limits, &stage_events, out);
	bool is_good = true;
	buf_clear(out);
	buf_free(&shelf);
	fetched = 0;
	for (size_t at = 0; is_good && at < in->len; at += piece)
		is_good = protobuf_filter_feed(filter, (const uint8_t *)in->data + at,
		    in->len - at < piece ? in->len - at : piece);
	is_good = is_good && protobuf_filter_end(filter) && let_go(filter);
	*result = *protobuf_filter_result(filter);
	assert_int_equal(is_good, result->problem == NULL);
	protobuf_filter_free(&filter);
	buf_free(&shelf);
	return result->problem;
}

const char *run(enum filter_body body, const struct filter_limits *limits, const struct buf *in,
    struct buf *out, struct filter_result *result)
{
	return run_in_pieces(body, limits, in, in->len + 1, out, result);
}

/* --- bodies ------------------------------------------------------------------------------- */

void put_item(struct buf *list, const char *namespace, const char *name, size_t padding)
{
	struct buf object = {0};
	put_object(&object, namespace, name, padding);
	put_bytes(list, 2, &object);
	buf_free(&object);
}

void put_list_meta(struct buf *list)
{
	struct buf meta = {0};
	put_text(&meta, 2, "4711");
	put_bytes(list, 1, &meta);
	buf_free(&meta);
}

void put_named_event(struct buf *out, const char *type, const char *namespace, const char *name)
{
	struct buf object = {0};
	put_object(&object, namespace, name, 10);
	put_event(out, type, "Pod", &object);
	buf_free(&object);
}

void put_mixed(struct buf *in, struct buf *wanted)
{
	struct buf all = {0}, some = {0};
	put_list_meta(&all);
	put_list_meta(&some);
	for (unsigned i = 0; i < 40; i++) {
		char name[16];
		snprintf(name, sizeof name, "%s-%u", i % 3 == 0 ? "a" : "hidden", i);
		const char *namespace = i % 4 == 0 ? "no" : i % 5 == 0 ? "" : "yes";
		put_item(&all, namespace, name, i * 7);
		if (stage_may_read(NULL, namespace, name))
			put_item(&some, namespace, name, i * 7);
	}
	put_envelope(in, "v1", "PodList", &all);
	put_envelope(wanted, "v1", "PodList", &some);
	buf_free(&all);
	buf_free(&some);
}

void assert_same(const struct buf *a, const struct buf *b)
{
	assert_int_equal(a->len, b->len);
	assert_memory_equal(buf_text(a), buf_text(b), a->len);
}
