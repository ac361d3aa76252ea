/* Compressed answers through the filter: a byte that says what they are, one in which pieces they
 * come, one where members end, then the answer. What arrives is read by zlib alone, member by
 * member, then goes through a filter that knows nothing of compression: what passes is the same, as
 * is the verdict. Where the answer is what was packed, that is packed here; else it is packed
 * already, or no gzip at all. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "common/buf.h"
#include "kubeproxyd/filter/filter.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FORMAT	   (15 + 16)
#define ITEM_MAX   2048
#define PLAIN_MAX  ((size_t)4 * 1024 * 1024)
#define PIECE	   4096
#define IS_WATCH   1
#define IS_PACKED  2
#define DOES_PAUSE 4

static void require(int holds)
{
	if (!holds)
		abort();
}

static bool may_read(void *arg, const char *namespace, const char *name)
{
	(void)arg;
	return name[0] == 'a' && strcmp(namespace, "hidden") != 0;
}

struct taken {
	struct buf out;
	struct filter *filter;
	bool does_pause; /* at each piece, as for a client that is slow */
};

static void emit(void *arg, const uint8_t *data, size_t len)
{
	struct taken *taken = arg;
	buf_append(&taken->out, data, len);
	if (taken->does_pause)
		filter_pause(taken->filter);
}

static bool let_on(struct filter *filter)
{
	while (filter_is_paused(filter)) {
		if (!filter_resume(filter))
			return false;
	}
	return true;
}

static bool run(enum filter_body body, const char *encoding, const struct buf *in, size_t step,
    struct taken *taken)
{
	static const struct filter_events events = {.may_read = may_read, .emit = emit};
	struct filter_limits limits = {.item_max = ITEM_MAX};
	struct filter *filter =
	    filter_new(body, "application/json", encoding, &limits, &events, taken);
	bool is_sound = true;
	taken->filter = filter;
	for (size_t at = 0; is_sound && at < in->len; at += step)
		is_sound = filter_feed(filter, (const uint8_t *)in->data + at,
			       in->len - at < step ? in->len - at : step) &&
			   let_on(filter);
	is_sound = is_sound && filter_end(filter);
	require(is_sound == (filter_result(filter)->problem == NULL));
	require(!is_sound || filter_is_done(filter));
	filter_free(&filter);
	return is_sound;
}

/* Members of `each` bytes. */
static void pack(const uint8_t *data, size_t size, size_t each, struct buf *out)
{
	do {
		size_t len = size < each ? size : each;
		z_stream stream = {0};
		require(deflateInit2(&stream, 6, Z_DEFLATED, FORMAT, 8, 0) == Z_OK);
		uLong room = deflateBound(&stream, len);
		stream.next_in = (Bytef *)(uintptr_t)data;
		stream.avail_in = (uInt)len;
		stream.next_out = (Bytef *)buf_reserve(out, room);
		stream.avail_out = (uInt)room;
		require(deflate(&stream, Z_FINISH) == Z_STREAM_END);
		buf_commit(out, stream.total_out);
		deflateEnd(&stream);
		data += len;
		size -= len;
	} while (size > 0);
}

/* --- the slow way ---------------------------------------------------------------------------- */

/* One member; false: it is none, or breaks off. */
static bool unpack_one(const uint8_t **data, size_t *size, struct buf *out)
{
	z_stream stream = {0};
	int result = Z_OK;
	require(inflateInit2(&stream, FORMAT) == Z_OK);
	stream.next_in = (Bytef *)(uintptr_t)*data;
	stream.avail_in = (uInt)*size;
	while (result == Z_OK && out->len < PLAIN_MAX) {
		stream.next_out = (Bytef *)buf_reserve(out, PIECE);
		stream.avail_out = PIECE;
		result = inflate(&stream, Z_NO_FLUSH);
		buf_commit(out, PIECE - stream.avail_out);
	}
	*data = stream.next_in;
	*size = stream.avail_in;
	inflateEnd(&stream);
	return result == Z_STREAM_END;
}

static bool unpack(const struct buf *packed, struct buf *out)
{
	const uint8_t *data = (const uint8_t *)packed->data;
	size_t size = packed->len;
	while (size > 0) {
		if (!unpack_one(&data, &size, out))
			return false;
	}
	return true;
}

static void check(
    enum filter_body body, const struct buf *packed, size_t step, struct taken *through)
{
	struct buf plain = {0}, seen = {0};
	struct taken slow = {0};
	bool is_gzip = unpack(packed, &plain);
	if (plain.len < PLAIN_MAX) {
		bool is_sound = run(body, "gzip", packed, step, through);
		bool is_plain_sound = run(body, NULL, &plain, PIECE, &slow);
		bool is_whole = unpack(&through->out, &seen);
		size_t len = seen.len < slow.out.len ? seen.len : slow.out.len;
		/* Of what is not sound a part may have come, as long as the pieces let it be. */
		require(is_sound == (is_gzip && is_plain_sound));
		require(len == 0 || memcmp(seen.data, slow.out.data, len) == 0);
		require(!is_sound || (is_whole && seen.len == slow.out.len));
	}
	buf_free(&plain);
	buf_free(&seen);
	buf_free(&slow.out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 3)
		return 0;
	enum filter_body body = (data[0] & IS_WATCH) != 0 ? FILTER_WATCH : FILTER_LIST;
	struct taken through = {.does_pause = (data[0] & DOES_PAUSE) != 0};
	struct buf packed = {0};
	if ((data[0] & IS_PACKED) != 0)
		buf_append(&packed, data + 3, size - 3);
	else
		pack(data + 3, size - 3, (size_t)data[2] + 1, &packed);
	check(body, &packed, (size_t)data[1] * data[1] + 1, &through);
	buf_free(&packed);
	buf_free(&through.out);
	return 0;
}
