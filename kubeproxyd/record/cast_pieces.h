/* What is to become asciicast v2, as it came and when: whoever reads a tunnel puts it into a
 * buffer, at the price of a copy, and whoever writes lines takes it out elsewhere, in that order.
 * Pure. */
#ifndef EKSGATE_CAST_PIECES_H
#define EKSGATE_CAST_PIECES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"
#include "common/buf.h"
#include "common/mono.h"
#include "kubeproxyd/record/remote_command.h"

/* One byte of a buffer of pieces becomes at most so many of lines. */
#define CAST_GROWTH_MAX 7

enum cast_piece_kind {
	CAST_STREAM, /* of a message of a stream */
	CAST_GAP, /* what is missing from here on */
	CAST_OVER, /* the session is: why, if no Status says how */
	CAST_STOPPED, /* recording: why; nothing follows */
};

struct cast_piece {
	enum cast_piece_kind kind;
	enum remote_stream stream;
	bool is_last; /* of its message */
	struct mono at; /* since the beginning */
	const char *data; /* as long as its buffer stays as it is; a C string, too, but of the
			     first kind */
	size_t len;
};

/* What goes on with the message of the last one, at once, joins that. */
void cast_pieces_add(struct buf *pieces, const struct cast_piece *piece);
/* The one at *offset, which moves on behind it. False: that is the end. */
bool cast_pieces_next(const struct buf *pieces, size_t *offset, struct cast_piece *piece) MUST_USE;

#endif
