/* The chunked transfer coding (RFC 9112, 7.1), decoded strictly: CR LF everywhere, sizes of hex
 * digits alone, extensions dropped within limits, trailers too unless somebody wants them. Pure;
 * used by h1_reader alone. */
#ifndef EKSGATE_H1_CHUNKED_H
#define EKSGATE_H1_CHUNKED_H

#include <stddef.h>
#include <stdint.h>

#include "common/buf.h"
#include "kubeproxyd/http/fields.h"
#include "kubeproxyd/http/h1_reader.h"

enum h1_chunked_state {
	CHUNKED_SIZE, /* first: {0} begins a body */
	CHUNKED_EXTENSION,
	CHUNKED_SIZE_LF,
	CHUNKED_DATA,
	CHUNKED_DATA_CR,
	CHUNKED_DATA_LF,
	CHUNKED_LINE, /* the beginning of a trailer line, or of the empty line */
	CHUNKED_TRAILER,
	CHUNKED_TRAILER_LF,
	CHUNKED_LAST_LF,
};

struct h1_chunked {
	enum h1_chunked_state state;
	uint64_t left; /* of this chunk; while its size is read, the size so far */
	unsigned digits;
	size_t extension_bytes, trailer_bytes;
	const uint8_t *body;
	size_t body_len;
	struct h1_error error;
	struct buf line; /* of a trailer; freed by the owner */
	struct http_fields *trailers; /* where they go, borrowed; NULL: nowhere */
};

/* H1_MORE (everything used), H1_BODY (`body`, in `data`), H1_END or H1_ERROR. */
enum h1_event h1_chunked_next(struct h1_chunked *chunked, const struct h1_limits *limits,
    const uint8_t *data, size_t len, size_t *used);

#endif
