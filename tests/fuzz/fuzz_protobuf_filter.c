/* Lists and watches in protobuf: a byte that says which, and in what pieces it comes, one that says
 * how much is held and how long an object may be, then the body. Who decodes what leaves, by the
 * slow implementation, sees no object that may not be read; whole or in pieces the same leaves;
 * what is said to be complete is, and a list is then to the byte what a slow builder makes of those
 * that are left; nothing of one that is not complete leaves. */
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

/* What left, and what was put away. */
struct taken {
	struct buf *out;
	struct buf away;
	size_t fetched;
};

static void emit(void *arg, const uint8_t *data, size_t len)
{
	struct taken *taken = arg;
	buf_append(taken->out, data, len);
}

static bool put_away(void *arg, const uint8_t *data, size_t len)
{
	struct taken *taken = arg;
	buf_append(&taken->away, data, len);
	return true;
}

static bool fetch(void *arg, uint8_t *data, size_t len)
{
	struct taken *taken = arg;
	require(len > 0 && len <= taken->away.len - taken->fetched);
	memcpy(data, taken->away.data + taken->fetched, len);
	taken->fetched += len;
	return true;
}

static const struct filter_events events = {may_read, emit, put_away, fetch};

static bool let_go(struct protobuf_filter *filter)
{
	size_t len;
	do
		require(protobuf_filter_next(filter, &len));
	while (len > 0);
	return true;
}

static bool run(enum filter_body body, const struct filter_limits *limits, const uint8_t *data,
    size_t size, size_t piece, struct buf *out, struct filter_result *result)
{
	struct taken taken = {.out = out};
	struct protobuf_filter *filter = protobuf_filter_new(body, limits, &events, &taken);
	bool is_good = true;
	for (size_t at = 0; is_good && at < size; at += piece)
		is_good =
		    protobuf_filter_feed(filter, data + at, size - at < piece ? size - at : piece);
	is_good = is_good && protobuf_filter_end(filter) && let_go(filter);
	*result = *protobuf_filter_result(filter);
	require(is_good == (result->problem == NULL));
	protobuf_filter_free(&filter);
	require(taken.fetched == (is_good ? taken.away.len : 0));
	buf_free(&taken.away);
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

static void check_bytes(
    const uint8_t *data, size_t size, const struct seen *left, const struct buf *out)
{
	struct buf wanted = {0};
	reference_build(data, size, left, &wanted);
	require(out->len == wanted.len && memcmp(out->data, wanted.data, wanted.len) == 0);
	buf_free(&wanted);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const size_t helds[] = {1, 16, 300, 1 << 20}, items[] = {8, 64, 4096, 1 << 20};
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
	require(is_good || whole.len == 0 || !left.is_list);
	if (is_good) {
		require(whole.len == pieces.len &&
			memcmp(buf_text(&whole), buf_text(&pieces), whole.len) == 0);
		require(memcmp(&result, &again, sizeof result) == 0);
		require(left.is_whole);
		if (body == FILTER_LIST)
			check_bytes(data, size, &left, &whole);
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
