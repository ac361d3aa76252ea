/* Bytes waiting to be written, in one contiguous run; holds no memory while empty. For stream.c,
 * and for bodies that wait to be framed. */
#ifndef EKSGATE_STREAM_QUEUE_H
#define EKSGATE_STREAM_QUEUE_H

#include <stddef.h>
#include <stdint.h>

#include "common/attr.h"

/* {0} is empty. The bytes stand at data + start. */
struct stream_queue {
	uint8_t *data;
	size_t start, len, cap;
};

/* Room for `len` bytes behind the last; stream_queue_commit() says how many were put there. */
uint8_t *stream_queue_reserve(struct stream_queue *queue, size_t len) MUST_USE;
void stream_queue_commit(struct stream_queue *queue, size_t len);
/* Copies; for what is appended in few pieces, which take less room. */
void stream_queue_append(struct stream_queue *queue, const uint8_t *data, size_t len);
/* Drops the first `len` bytes. */
void stream_queue_consume(struct stream_queue *queue, size_t len);
void stream_queue_clear(struct stream_queue *queue);
/* Gives back what is kept for queues to come. */
void stream_queue_trim(void);

#endif
