/* Chunked bodies: one byte that says whether trailers are wanted and how the body is cut, then the
 * body. However it is cut, what is decoded is what a second decoder, written line by line from the
 * grammar (RFC 9112, 7.1), makes of the whole; and what is decoded, framed anew, decodes to itself.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/buf.h"
#include "common/xmem.h"
#include "kubeproxyd/http/h1_chunked.h"
#include "kubeproxyd/http/head.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static const struct h1_limits limits = {
    .head_bytes = 512, .field_count = 8, .chunk_extension_bytes = 64};

struct outcome {
	bool is_whole;
	size_t used; /* when it is */
	struct buf body;
	size_t trailers;
};

static void demand(bool is_met)
{
	if (!is_met)
		abort();
}

/* --- the second decoder ----------------------------------------------------------------------- */

/* The length of the line at `at` without its CR LF; SIZE_MAX: there is none, or it holds a control
 * character. */
static size_t line_at(const char *text, size_t len, size_t at)
{
	for (size_t end = at; end < len; end++) {
		unsigned char c = (unsigned char)text[end];
		if (c == '\r')
			return end + 1 < len && text[end + 1] == '\n' ? end - at : SIZE_MAX;
		if ((c < 0x20 && c != '\t') || c == 0x7f)
			return SIZE_MAX;
	}
	return SIZE_MAX;
}

/* The digits of a size line; 0: it has none, or others stand among them. */
static size_t digits_of(const char *line, size_t len)
{
	const char *end = memchr(line, ';', len);
	size_t count = end != NULL ? (size_t)(end - line) : len;
	for (size_t i = 0; i < count; i++)
		if (strchr("0123456789abcdefABCDEF", line[i]) == NULL || line[i] == '\0')
			return 0;
	return count <= 16 ? count : 0;
}

static bool decode_trailers(const char *text, size_t len, size_t at, struct outcome *outcome)
{
	size_t bytes = 0;
	for (;;) {
		size_t line = line_at(text, len, at);
		if (line == SIZE_MAX)
			return false;
		bytes += line > 0 ? line : 1;
		if (bytes > limits.head_bytes)
			return false;
		if (line == 0) {
			outcome->used = at + 2;
			return true;
		}
		outcome->trailers++;
		at += line + 2;
	}
}

static bool decode_again(const char *text, size_t len, struct outcome *outcome)
{
	size_t at = 0, extensions = 0;
	for (;;) {
		size_t line = line_at(text, len, at);
		size_t digits = line == SIZE_MAX ? 0 : digits_of(text + at, line);
		if (digits == 0)
			return false;
		extensions += line > digits ? line - digits - 1 : 0;
		char size[17] = "";
		memcpy(size, text + at, digits);
		unsigned long long left = strtoull(size, NULL, 16);
		at += line + 2;
		if (extensions > limits.chunk_extension_bytes || left > INT64_MAX)
			return false;
		if (left == 0)
			return decode_trailers(text, len, at, outcome);
		if (left > len - at || len - at - left < 2 ||
		    memcmp(text + at + left, "\r\n", 2) != 0)
			return false;
		buf_append(&outcome->body, text + at, left);
		at += left + 2;
	}
}

/* --- ours ------------------------------------------------------------------------------------- */

static void decode(const uint8_t *data, size_t len, size_t step, struct http_fields *trailers,
    struct outcome *outcome)
{
	struct h1_chunked chunked = {.trailers = trailers};
	enum h1_event event = H1_MORE;
	for (size_t from = 0; from < len && event == H1_MORE; from += step) {
		size_t piece = step < len - from ? step : len - from, at = 0;
		do {
			size_t used = 0;
			event =
			    h1_chunked_next(&chunked, &limits, data + from + at, piece - at, &used);
			demand(used <= piece - at);
			demand(event != H1_BODY || (chunked.body_len > 0 && used > 0));
			if (event == H1_BODY)
				buf_append(&outcome->body, chunked.body, chunked.body_len);
			if (event == H1_ERROR)
				demand(
				    chunked.error.message != NULL && chunked.error.status >= 400);
			at += used;
		} while (event == H1_BODY);
		outcome->used = from + at;
	}
	outcome->is_whole = event == H1_END;
	outcome->trailers = trailers != NULL ? trailers->count : 0;
	buf_free(&chunked.line);
}

static void compare(const struct outcome *a, const struct outcome *b)
{
	demand(a->body.len == b->body.len && a->used == b->used);
	demand(a->body.len == 0 || memcmp(a->body.data, b->body.data, a->body.len) == 0);
}

static void frame_anew(const struct outcome *outcome)
{
	struct buf framed = {0};
	struct outcome again = {0};
	char prefix[HTTP_CHUNK_PREFIX_MAX];
	for (size_t at = 0; at < outcome->body.len; at += 100) {
		size_t piece = outcome->body.len - at < 100 ? outcome->body.len - at : 100;
		buf_append(&framed, prefix, http_chunk_prefix(piece, prefix));
		buf_append(&framed, outcome->body.data + at, piece);
		buf_append_text(&framed, "\r\n");
	}
	buf_append_text(&framed, HTTP_CHUNK_LAST);
	decode((const uint8_t *)framed.data, framed.len, framed.len, NULL, &again);
	demand(again.is_whole && again.used == framed.len && again.body.len == outcome->body.len);
	demand(again.body.len == 0 ||
	       memcmp(again.body.data, outcome->body.data, again.body.len) == 0);
	buf_free(&framed);
	buf_free(&again.body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	if (len < 2)
		return 0;
	bool wants_trailers = (data[0] & 0x80) != 0;
	size_t step = (data[0] & 0x7f) + 1u;
	uint8_t *bytes = xmemdup(data + 1, len - 1);
	struct http_fields in_whole = {0}, in_pieces = {0};
	struct outcome whole = {0}, pieces = {0}, other = {0};
	decode(bytes, len - 1, len - 1, wants_trailers ? &in_whole : NULL, &whole);
	decode(bytes, len - 1, step, wants_trailers ? &in_pieces : NULL, &pieces);
	demand(whole.is_whole == pieces.is_whole && whole.trailers == pieces.trailers);
	other.is_whole = decode_again((const char *)bytes, len - 1, &other);
	/* The grammar of trailers is left to ours. */
	demand(!whole.is_whole || other.is_whole);
	demand(!other.is_whole || whole.is_whole || other.trailers > 0);
	if (whole.is_whole) {
		compare(&whole, &pieces);
		compare(&whole, &other);
		demand(!wants_trailers || whole.trailers == other.trailers);
		frame_anew(&whole);
	}
	fields_free(&in_whole);
	fields_free(&in_pieces);
	buf_free(&whole.body);
	buf_free(&pieces.body);
	buf_free(&other.body);
	free(bytes);
	return 0;
}
