/* The write queue of a stream. Most messages fit one block; blocks of that size are kept for the
 * next queue that needs one, so that a busy proxy allocates none and an idle connection holds none.
 */
#include "kubeproxyd/net/stream_queue.h"

#include <stdlib.h>
#include <string.h>

#include "common/xmem.h"

#define BLOCK_SIZE ((size_t)16 * 1024)
#define SPARE_MAX  64

static uint8_t *spare[SPARE_MAX];
static size_t spare_count;

static uint8_t *take_block(size_t size)
{
	if (size == BLOCK_SIZE && spare_count > 0)
		return spare[--spare_count];
	return xmalloc(size);
}

static void return_block(uint8_t *block, size_t size)
{
	if (block != NULL && size == BLOCK_SIZE && spare_count < SPARE_MAX)
		spare[spare_count++] = block;
	else
		free(block);
}

static void move_to(struct stream_queue *queue, size_t cap)
{
	uint8_t *block = take_block(cap);
	if (queue->len > 0)
		memcpy(block, queue->data + queue->start, queue->len);
	return_block(queue->data, queue->cap);
	*queue = (struct stream_queue){.data = block, .len = queue->len, .cap = cap};
}

uint8_t *stream_queue_reserve(struct stream_queue *queue, size_t len)
{
	if (len > SIZE_MAX / 4 - queue->len)
		abort();
	size_t want = queue->len + len;
	if (want > queue->cap) {
		size_t cap = queue->cap > 0 ? queue->cap : BLOCK_SIZE;
		while (cap < want)
			cap *= 2;
		move_to(queue, cap);
	} else if (queue->start + want > queue->cap) {
		memmove(queue->data, queue->data + queue->start, queue->len);
		queue->start = 0;
	}
	return queue->data + queue->start + queue->len;
}

void stream_queue_commit(struct stream_queue *queue, size_t len)
{
	queue->len += len;
	if (queue->len == 0)
		stream_queue_clear(queue);
}

void stream_queue_consume(struct stream_queue *queue, size_t len)
{
	queue->start += len;
	queue->len -= len;
	if (queue->len == 0)
		stream_queue_clear(queue);
}

void stream_queue_clear(struct stream_queue *queue)
{
	return_block(queue->data, queue->cap);
	*queue = (struct stream_queue){0};
}
