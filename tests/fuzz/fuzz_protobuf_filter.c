/* Lists and watches in protobuf: a byte that says which, and in what pieces it comes, one that says
 * how much is held and how long an object may be, then the body. Who decodes what leaves, by the
 * slow implementation, sees no object that may not be read; whole or in pieces the same leaves; and
 * what is said to be complete is. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "kubeproxyd/filter/protobuf_filter.h"
#include "tests/unit/protobuf_reference.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int holds)
{
	if (!holds)
		abort();
}

static bool may_read(void *arg, const char *namespace, const char *name)
{
	(void)arg;
	return name[0] == 'a' && strcmp(namespace, "no") != 0;
}

static void emit(void *arg, const uint8_t *data, size_t len)
{
	buf_append(arg, data, len);
}

static const struct filter_events events = {may_read, emit};

static bool run(enum filter_body body, const struct filter_limits *limits, const uint8_t *data,
    size_t size, size_t piece, struct buf *out, struct filter_result *result)
{
	struct protobuf_filter *filter = protobuf_filter_new(body, limits, &events, out);
	bool is_good = true;
	for (size_t at = 0; is_good && at < size; at += piece)
		is_good =
		    protobuf_filter_feed(filter, data + at, size - at < piece ? size - at : piece);
	is_good = is_good && protobuf_filter_end(filter);
	*result = *protobuf_filter_result(filter);
	require(is_good == (result->problem == NULL));
	protobuf_filter_free(&filter);
	return is_good;
}

static bool may_be_seen(const struct seen_object *object)
{
	if (may_read(NULL, object->namespace, object->name))
		return true;
	if (strcmp(object->type, "BOOKMARK") == 0)
		return object->name[0] == '\0' && object->namespace[0] == '\0';
	return strcmp(object->kind, "Status") == 0 &&
	       (object->type[0] == '\0' || strcmp(object->type, "ERROR") == 0);
}

static void look(enum filter_body body, const void *data, size_t len, struct seen *seen)
{
	if (body == FILTER_WATCH)
		reference_watch(data, len, seen);
	else
		reference_list(data, len, seen);
}

/* Each object of the output is one of the input's, in order. */
static void check_order(const struct seen *came, const struct seen *left)
{
	size_t at = 0;
	for (size_t i = 0; i < left->count; i++) {
		const struct seen_object *object = &left->objects[i];
		while (at < came->count &&
		       (came->objects[at].len != object->len ||
			   (object->len > 0 &&
			       memcmp(came->objects[at].bytes, object->bytes, object->len) != 0)))
			at++;
		require(at < came->count);
		at++;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const size_t helds[] = {0, 16, 300, 1 << 20}, items[] = {8, 64, 4096, 1 << 20};
	if (size < 2)
		return 0;
	enum filter_body body = data[0] % 2 == 0 ? FILTER_LIST : FILTER_WATCH;
	struct filter_limits limits = {
	    .item_max = items[data[1] / 4 % 4], .held_max = helds[data[1] % 4]};
	size_t piece = (size_t)data[0] / 2 + 1;
	struct buf whole = {0}, pieces = {0};
	struct filter_result result, again;
	struct seen came, left;
	data += 2;
	size -= 2;
	bool is_good = run(body, &limits, data, size, size + 1, &whole, &result);
	require(is_good == run(body, &limits, data, size, piece, &pieces, &again));
	look(body, whole.data, whole.len, &left);
	for (size_t i = 0; whole.len > 0 && i < left.count; i++)
		require(left.objects[i].len == 0 || may_be_seen(&left.objects[i]));
	require(!left.tells_remaining && !left.has_token);
	if (is_good) {
		require(whole.len == pieces.len &&
			memcmp(buf_text(&whole), buf_text(&pieces), whole.len) == 0);
		require(memcmp(&result, &again, sizeof result) == 0);
		require(left.is_whole && (body == FILTER_WATCH || whole.len <= size + 8));
		look(body, data, size, &came);
		check_order(&came, &left);
		seen_free(&came);
	}
	seen_free(&left);
	look(body, pieces.data, pieces.len, &left);
	for (size_t i = 0; pieces.len > 0 && i < left.count; i++)
		require(left.objects[i].len == 0 || may_be_seen(&left.objects[i]));
	seen_free(&left);
	buf_free(&whole);
	buf_free(&pieces);
	return 0;
}
