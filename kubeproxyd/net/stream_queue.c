/* The write queue of a stream, or of a body. Most messages fit one block; blocks of that size are
 * kept for the next queue that needs one, so that a busy proxy allocates none and an idle
 * connection holds none.
 */
#include "kubeproxyd/net/stream_queue.h"

#include <stdlib.h>
#include <string.h>

#include "common/xmem.h"

#define BLOCK_SIZE ((size_t)16 * 1024)
#define SMALL_SIZE ((size_t)4 * 1024)
/* Half a megabyte of each size. */
#define SPARE_BLOCKS 32
#define SPARE_SMALL  128

struct spare {
	uint8_t **blocks;
	size_t count, max;
};

static uint8_t *large_blocks[SPARE_BLOCKS], *small_blocks[SPARE_SMALL];
static struct spare large = {large_blocks, 0, SPARE_BLOCKS}, small = {small_blocks, 0, SPARE_SMALL};

static struct spare *spare_of(size_t size)
{
	if (size == BLOCK_SIZE)
		return &large;
	return size == SMALL_SIZE ? &small : NULL;
}

static uint8_t *take_block(size_t size)
{
	struct spare *spare = spare_of(size);
	if (spare != NULL && spare->count > 0)
		return spare->blocks[--spare->count];
	return xmalloc(size);
}

static void return_block(uint8_t *block, size_t size)
{
	struct spare *spare = spare_of(size);
	if (block != NULL && spare != NULL && spare->count < spare->max)
		spare->blocks[spare->count++] = block;
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

void stream_queue_append(struct stream_queue *queue, const uint8_t *data, size_t len)
{
	if (queue->cap == 0 && len <= SMALL_SIZE)
		move_to(queue, SMALL_SIZE);
	memcpy(stream_queue_reserve(queue, len), data, len);
	stream_queue_commit(queue, len);
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

static void drop_spare(struct spare *spare)
{
	while (spare->count > 0)
		free(spare->blocks[--spare->count]);
}

void stream_queue_trim(void)
{
	drop_spare(&large);
	drop_spare(&small);
}
