/* Follows SPDY frames. Header blocks of a direction are one zlib stream with a dictionary that the
 * draft gives, so each must be inflated, of whatever frame; what comes out is bounded, against
 * bombs. Called by whatever observes a tunnel; pure. */
#include "kubeproxyd/record/spdy.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "common/buf.h"
#include "common/xmem.h"

#define HEAD	       8
#define VERSION	       3
#define SYN_STREAM     1
#define SYN_REPLY      2
#define HEADERS	       8
#define FLAG_FIN       0x01u
#define BLOCK_MAX      ((size_t)16 * 1024) /* of a frame with headers, as it comes */
#define INFLATED_MAX   ((size_t)64 * 1024 - 2) /* with a byte too many it fills 64 KiB */
#define INFLATED_PIECE 4096
#define HEADERS_MAX    128
#define LENGTH_BYTES   4
#define STREAM_MASK    0x7fffffffu

struct spdy_reader {
	struct spdy_events events;
	void *arg;
	z_stream inflater;
	uint8_t head[HEAD];
	size_t head_len;
	size_t left; /* of the frame's payload */
	bool is_in_payload, keeps_payload, is_bad;
	struct buf payload; /* of a frame with headers */
	struct buf inflated;
};

/* --- the dictionary (section 2.6.10.1 of the draft) --------------------------------------------
 */

/* Each stands there behind its length in four bytes. */
static const char *const words[] = {"options", "head", "post", "put", "delete", "trace", "accept",
    "accept-charset", "accept-encoding", "accept-language", "accept-ranges", "age", "allow",
    "authorization", "cache-control", "connection", "content-base", "content-encoding",
    "content-language", "content-length", "content-location", "content-md5", "content-range",
    "content-type", "date", "etag", "expect", "expires", "from", "host", "if-match",
    "if-modified-since", "if-none-match", "if-range", "if-unmodified-since", "last-modified",
    "location", "max-forwards", "pragma", "proxy-authenticate", "proxy-authorization", "range",
    "referer", "retry-after", "server", "te", "trailer", "transfer-encoding", "upgrade",
    "user-agent", "vary", "via", "warning", "www-authenticate", "method", "get", "status", "200 OK",
    "version", "HTTP/1.1", "url", "public", "set-cookie", "keep-alive", "origin"};

/* And this as it is. */
static const char rest[] =
    "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505"
    "203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request"
    "401 Unauthorized403 Forbidden404 Not Found500 Internal Server Error501 Not Implemented"
    "503 Service UnavailableJan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, Tue, "
    "Wed, Thu, Fri, Sat, Sun, GMTchunked,text/html,image/png,image/jpg,image/gif,application/xml,"
    "application/xhtml+xml,text/plain,text/javascript,publicprivatemax-age=gzip,deflate,sdch"
    "charset=utf-8charset=iso-8859-1,utf-,*,enq=0.";

static void write_dictionary(struct buf *out)
{
	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
		uint8_t length[LENGTH_BYTES] = {0, 0, 0, (uint8_t)strlen(words[i])};
		buf_append(out, length, sizeof length);
		buf_append_text(out, words[i]);
	}
	buf_append_text(out, rest);
}

static bool give_dictionary(z_stream *inflater)
{
	struct buf dictionary = {0};
	write_dictionary(&dictionary);
	int result =
	    inflateSetDictionary(inflater, (const Bytef *)dictionary.data, (uInt)dictionary.len);
	buf_free(&dictionary);
	return result == Z_OK;
}

/* --- header blocks --------------------------------------------------------------------------- */

/* One block ends with a sync flush, and the stream goes on in the next frame. All that can come out
 * does: the rest would stand before the next block. */
static bool inflate_block(struct spdy_reader *reader, const uint8_t *block, size_t len)
{
	z_stream *inflater = &reader->inflater;
	buf_clear(&reader->inflated);
	inflater->next_in = (Bytef *)(uintptr_t)block;
	inflater->avail_in = (uInt)len;
	inflater->avail_out = 0;
	while (inflater->avail_in > 0 || (inflater->avail_out == 0 && len > 0)) {
		size_t room = INFLATED_MAX + 1 - reader->inflated.len;
		size_t piece = room < INFLATED_PIECE ? room : INFLATED_PIECE;
		char *out = buf_reserve(&reader->inflated, piece);
		inflater->next_out = (Bytef *)out;
		inflater->avail_out = (uInt)piece;
		int result = inflate(inflater, Z_SYNC_FLUSH);
		buf_commit(&reader->inflated, piece - inflater->avail_out);
		if (result == Z_NEED_DICT && give_dictionary(inflater))
			continue;
		if (result == Z_BUF_ERROR && inflater->avail_in == 0)
			return true; /* nothing was left to come out */
		if (result != Z_OK || reader->inflated.len > INFLATED_MAX)
			return false;
	}
	return true;
}

static uint32_t number_at(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

/* A length and as many bytes; false: they are not there. */
static bool take_text(const uint8_t **at, const uint8_t *end, const char **text, size_t *len)
{
	if (end - *at < LENGTH_BYTES)
		return false;
	*len = number_at(*at);
	*at += LENGTH_BYTES;
	if ((size_t)(end - *at) < *len)
		return false;
	*text = (const char *)*at;
	*at += *len;
	return true;
}

/* Every block must end where its headers do, also one that nobody wants. To Go's reader
 * (moby/spdystream) what comes out beyond them is the begin of the next block, which here would be
 * another than there: a stream could be opened under a name that hides its output. */
static bool read_headers(struct spdy_reader *reader, uint32_t stream, bool is_wanted)
{
	if (reader->inflated.len < LENGTH_BYTES)
		return false;
	const uint8_t *at = (const uint8_t *)reader->inflated.data,
		      *end = at + reader->inflated.len;
	if (number_at(at) > HEADERS_MAX)
		return false;
	uint32_t count = number_at(at);
	at += LENGTH_BYTES;
	for (uint32_t i = 0; i < count; i++) {
		const char *name, *value;
		size_t name_len, value_len;
		if (!take_text(&at, end, &name, &name_len) ||
		    !take_text(&at, end, &value, &value_len))
			return false;
		if (is_wanted && reader->events.on_header != NULL)
			reader->events.on_header(
			    reader->arg, stream, name, name_len, value, value_len);
	}
	if (at != end)
		return false;
	if (is_wanted && reader->events.on_stream != NULL)
		reader->events.on_stream(reader->arg, stream);
	return true;
}

/* --- frames ---------------------------------------------------------------------------------- */

static bool is_control(const struct spdy_reader *reader)
{
	return (reader->head[0] & 0x80) != 0;
}

static unsigned type_of(const struct spdy_reader *reader)
{
	return (unsigned)reader->head[2] << 8 | reader->head[3];
}

/* Where the header block of a frame begins in its payload; 0: it has none. */
static size_t block_at(const struct spdy_reader *reader)
{
	switch (is_control(reader) ? type_of(reader) : 0) {
	case SYN_STREAM:
		return 10; /* two streams, priority and slot */
	case SYN_REPLY:
	case HEADERS:
		return 4;
	default:
		return 0;
	}
}

static bool take_headers(struct spdy_reader *reader)
{
	size_t at = block_at(reader);
	const uint8_t *payload = (const uint8_t *)reader->payload.data;
	if (reader->payload.len < at ||
	    !inflate_block(reader, payload + at, reader->payload.len - at))
		return false;
	return read_headers(
	    reader, number_at(payload) & STREAM_MASK, type_of(reader) == SYN_STREAM);
}

static void end_frame(struct spdy_reader *reader)
{
	if (reader->keeps_payload && !take_headers(reader))
		reader->is_bad = true;
	buf_free(&reader->payload);
	buf_free(&reader->inflated);
	reader->head_len = 0;
	reader->is_in_payload = false;
}

static void hand_up_data(struct spdy_reader *reader, const uint8_t *data, size_t len)
{
	bool is_last = reader->left == 0 && (reader->head[4] & FLAG_FIN) != 0;
	if (!is_control(reader) && reader->events.on_data != NULL)
		reader->events.on_data(
		    reader->arg, number_at(reader->head) & STREAM_MASK, data, len, is_last);
}

static void begin_payload(struct spdy_reader *reader)
{
	unsigned version = (unsigned)(reader->head[0] & 0x7f) << 8 | reader->head[1];
	reader->left = number_at(reader->head + 4) & 0xffffff;
	reader->is_in_payload = true;
	reader->keeps_payload = block_at(reader) > 0;
	reader->is_bad = (is_control(reader) && version != VERSION) ||
			 (reader->keeps_payload && reader->left > BLOCK_MAX);
	if (reader->left > 0 || reader->is_bad)
		return;
	hand_up_data(reader, NULL, 0);
	end_frame(reader);
}

static size_t read_payload(struct spdy_reader *reader, const uint8_t *data, size_t len)
{
	size_t count = len < reader->left ? len : reader->left;
	reader->left -= count;
	if (reader->keeps_payload)
		buf_append(&reader->payload, data, count);
	else
		hand_up_data(reader, data, count);
	if (reader->left == 0)
		end_frame(reader);
	return count;
}

static size_t read_head(struct spdy_reader *reader, const uint8_t *data, size_t len)
{
	size_t used = 0;
	while (used < len && reader->head_len < HEAD)
		reader->head[reader->head_len++] = data[used++];
	if (reader->head_len == HEAD)
		begin_payload(reader);
	return used;
}

bool spdy_feed(struct spdy_reader *reader, const uint8_t *data, size_t len)
{
	while (len > 0 && !reader->is_bad) {
		size_t used = reader->is_in_payload ? read_payload(reader, data, len)
						    : read_head(reader, data, len);
		data += used;
		len -= used;
	}
	return !reader->is_bad;
}

bool spdy_is_frame_end(const struct spdy_reader *reader)
{
	return reader->left == 0;
}

size_t spdy_wanted(const struct spdy_reader *reader)
{
	if (reader->is_in_payload)
		return reader->left;
	return reader->head_len > 0 ? HEAD - reader->head_len : 0;
}

bool spdy_is_in_data(const struct spdy_reader *reader)
{
	return reader->is_in_payload && !is_control(reader);
}

struct spdy_reader *spdy_reader_new(const struct spdy_events *events, void *arg)
{
	struct spdy_reader *reader = xcalloc(1, sizeof *reader);
	reader->events = *events;
	reader->arg = arg;
	if (inflateInit(&reader->inflater) != Z_OK)
		abort();
	return reader;
}

void spdy_reader_free(struct spdy_reader **reader)
{
	if (*reader == NULL)
		return;
	inflateEnd(&(*reader)->inflater);
	buf_free(&(*reader)->payload);
	buf_free(&(*reader)->inflated);
	xfree(reader);
}
