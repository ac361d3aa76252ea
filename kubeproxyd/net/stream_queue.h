/* Bytes waiting to be written, in blocks of about a TLS record; holds no memory while empty. For
 * stream.c, and for bodies that wait to be framed. */
#ifndef EKSGATE_STREAM_QUEUE_H
#define EKSGATE_STREAM_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"

/* Large blocks that are kept, four megabytes; of the small ones half a one: what is in hand for a
 * few dozen fast readers. Builds with a sanitizer keep none. */
#ifndef STREAM_QUEUE_KEPT
#define STREAM_QUEUE_KEPT 256
#endif

struct stream_block;

/* {0} is empty. */
struct stream_queue {
	struct stream_block *first, *last;
	size_t len; /* bytes that wait */
	size_t cap; /* of memory for them */
};

/* Copies. */
void stream_queue_append(struct stream_queue *queue, const uint8_t *data, size_t len);
/* The same for what is appended in few pieces, which take less room. */
void stream_queue_append_few(struct stream_queue *queue, const uint8_t *data, size_t len);
/* The first bytes, *len of them in one run; at most what one TLS record takes. NULL and 0: it is
 * empty. */
const uint8_t *stream_queue_peek(const struct stream_queue *queue, size_t *len);
/* Sets bits of the byte that is `back` bytes before the end. False: it is not there. */
bool stream_queue_set_bits(struct stream_queue *queue, uint64_t back, uint8_t bits) MUST_USE;
/* Drops the first `len` bytes. */
void stream_queue_consume(struct stream_queue *queue, size_t len);
/* Appends the first `len` bytes of another queue, and drops them there. */
void stream_queue_move(struct stream_queue *queue, struct stream_queue *from, size_t len);
void stream_queue_clear(struct stream_queue *queue);
/* Gives back the memory that is kept for queues to come. */
void stream_queue_trim(void);

#endif
