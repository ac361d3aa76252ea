/* zlib, with windows small enough for a filter's budget. API servers compress watches as a member
 * per event and lists as one; what goes out is one member, flushed where a reader waits. Called by
 * filter.c. */
#include "kubeproxyd/filter/gzip.h"

#define ZLIB_CONST /* input is not written to */
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "common/xmem.h"

#define LEVEL	    1 /* of API servers */
#define GZIP_FORMAT 16 /* added to the bits of a window */
#define IN_WINDOW   15
#define OUT_WINDOW  13
#define OUT_MEMORY  6

struct gunzip {
	z_stream stream;
	bool is_within; /* a member has begun and not ended */
};

struct gzip {
	z_stream stream;
	bool is_finished;
};

/* zlib says so only when there is no memory, or when it was called wrongly. */
static void must(int result)
{
	if (result != Z_OK)
		abort();
}

/* Windows hold objects, which may be Secrets. */
static void *allocate(void *arg, uInt count, uInt size)
{
	(void)arg;
	return xcalloc(count, size);
}

static void wipe(void *arg, void *memory)
{
	(void)arg;
	explicit_bzero(memory, malloc_usable_size(memory));
	free(memory);
}

struct gunzip *gunzip_new(void)
{
	struct gunzip *gunzip = xcalloc(1, sizeof *gunzip);
	gunzip->stream.zalloc = allocate;
	gunzip->stream.zfree = wipe;
	must(inflateInit2(&gunzip->stream, IN_WINDOW + GZIP_FORMAT));
	return gunzip;
}

void gunzip_free(struct gunzip **gunzip)
{
	if (*gunzip == NULL)
		return;
	inflateEnd(&(*gunzip)->stream);
	xfree(gunzip);
}

enum gunzip_step gunzip_next(struct gunzip *gunzip, const uint8_t **data, size_t *len,
    uint8_t out[GZIP_PIECE], size_t *out_len)
{
	z_stream *stream = &gunzip->stream;
	stream->next_in = *data;
	stream->avail_in = *len < UINT32_MAX ? (uInt)*len : UINT32_MAX;
	stream->next_out = out;
	stream->avail_out = (uInt)GZIP_PIECE;
	if (*len > 0 && !gunzip->is_within) {
		must(inflateReset(stream));
		gunzip->is_within = true;
	}
	int result = gunzip->is_within ? inflate(stream, Z_SYNC_FLUSH) : Z_BUF_ERROR;
	*len -= (size_t)(stream->next_in - *data);
	*data = stream->next_in;
	*out_len = GZIP_PIECE - stream->avail_out;
	if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR)
		return GUNZIP_BAD;
	if (result == Z_STREAM_END)
		gunzip->is_within = false;
	bool waits = *out_len == 0 && *len == 0;
	return waits ? GUNZIP_WAITS : GUNZIP_OUT;
}

bool gunzip_is_complete(const struct gunzip *gunzip)
{
	return !gunzip->is_within;
}

struct gzip *gzip_new(void)
{
	struct gzip *gzip = xcalloc(1, sizeof *gzip);
	gzip->stream.zalloc = allocate;
	gzip->stream.zfree = wipe;
	must(deflateInit2(&gzip->stream, LEVEL, Z_DEFLATED, OUT_WINDOW + GZIP_FORMAT, OUT_MEMORY,
	    Z_DEFAULT_STRATEGY));
	return gzip;
}

void gzip_free(struct gzip **gzip)
{
	if (*gzip == NULL)
		return;
	deflateEnd(&(*gzip)->stream);
	xfree(gzip);
}

void gzip_put(struct gzip *gzip, const uint8_t *data, size_t len, enum gzip_flush flush,
    void (*emit)(void *arg, const uint8_t *data, size_t len), void *arg)
{
	static const int modes[] = {
	    [GZIP_GATHER] = Z_NO_FLUSH, [GZIP_AT_ONCE] = Z_SYNC_FLUSH, [GZIP_FINISH] = Z_FINISH};
	uint8_t out[GZIP_PIECE];
	z_stream *stream = &gzip->stream;
	stream->next_in = data;
	stream->avail_in = (uInt)len;
	do {
		stream->next_out = out;
		stream->avail_out = sizeof out;
		(void)deflate(stream, modes[flush]);
		if (stream->avail_out < sizeof out)
			emit(arg, out, sizeof out - stream->avail_out);
	} while (stream->avail_out == 0);
}
