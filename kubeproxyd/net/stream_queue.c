/* The write queue of a stream, or of a body: a list of blocks, each as large as a TLS record takes,
 * so that nothing moves however long it becomes and full ones leave as full records. Most messages
 * fit one block. Blocks are kept for the queues that come next, so that a busy proxy allocates none
 * and an idle connection holds none. */
#include "kubeproxyd/net/stream_queue.h"

#include <stdlib.h>
#include <string.h>

#include "common/xmem.h"

#define LARGE_SIZE ((size_t)16 * 1024)
#define SMALL_SIZE ((size_t)4 * 1024)

struct stream_block {
	struct stream_block *next;
	uint32_t start, end, size; /* of `bytes`: what waits is between start and end */
	uint8_t bytes[];
};

/* Blocks of one size that nobody uses. */
struct spare {
	struct stream_block *first;
	size_t count, max;
};

static struct spare large = {NULL, 0, STREAM_QUEUE_KEPT};
static struct spare small = {NULL, 0, STREAM_QUEUE_KEPT / 2};

static struct spare *spare_of(size_t size)
{
	return size == LARGE_SIZE ? &large : &small;
}

static struct stream_block *take_block(size_t size)
{
	struct spare *spare = spare_of(size);
	struct stream_block *block = spare->first;
	if (block != NULL) {
		spare->first = block->next;
		spare->count--;
	} else {
		block = xmalloc(sizeof *block + size);
	}
	block->next = NULL;
	block->start = block->end = 0;
	block->size = (uint32_t)size;
	return block;
}

/* Requests carry tokens, and answers Secrets: TLS enciphers a copy of its own. */
static void return_block(struct stream_block *block)
{
	explicit_bzero(block->bytes, block->end);
	struct spare *spare = spare_of(block->size);
	if (spare->count >= spare->max) {
		free(block);
		return;
	}
	block->next = spare->first;
	spare->first = block;
	spare->count++;
}

static void add_block(struct stream_queue *queue, size_t size)
{
	struct stream_block *block = take_block(size);
	if (queue->last != NULL)
		queue->last->next = block;
	else
		queue->first = block;
	queue->last = block;
	queue->cap += size;
}

static void drop_first(struct stream_queue *queue)
{
	struct stream_block *block = queue->first;
	queue->first = block->next;
	if (queue->first == NULL)
		queue->last = NULL;
	queue->cap -= block->size;
	return_block(block);
}

/* Into the last block, as much as it takes; returns how much that is. */
static size_t fill(struct stream_queue *queue, const uint8_t *data, size_t len)
{
	struct stream_block *block = queue->last;
	size_t room = block != NULL ? block->size - block->end : 0;
	size_t used = len < room ? len : room;
	if (used == 0)
		return 0;
	memcpy(block->bytes + block->end, data, used);
	block->end += (uint32_t)used;
	queue->len += used;
	return used;
}

/* What began as little and became more goes on in a large block alone, so that records are full. */
static void move_to_large(struct stream_queue *queue)
{
	struct stream_queue moved = {0};
	add_block(&moved, LARGE_SIZE);
	(void)fill(&moved, queue->first->bytes + queue->first->start, queue->len);
	stream_queue_clear(queue);
	*queue = moved;
}

static void append(struct stream_queue *queue, const uint8_t *data, size_t len)
{
	for (;;) {
		size_t used = fill(queue, data, len);
		data += used;
		len -= used;
		if (len == 0)
			return;
		add_block(queue, LARGE_SIZE);
	}
}

void stream_queue_append(struct stream_queue *queue, const uint8_t *data, size_t len)
{
	bool is_small = queue->first != NULL && queue->first->size == SMALL_SIZE;
	if (is_small && len > queue->first->size - queue->first->end)
		move_to_large(queue);
	append(queue, data, len);
}

void stream_queue_append_few(struct stream_queue *queue, const uint8_t *data, size_t len)
{
	if (queue->first == NULL && len > 0 && len <= SMALL_SIZE)
		add_block(queue, SMALL_SIZE);
	stream_queue_append(queue, data, len);
}

const uint8_t *stream_queue_peek(const struct stream_queue *queue, size_t *len)
{
	const struct stream_block *block = queue->first;
	*len = block != NULL ? block->end - block->start : 0;
	return block != NULL ? block->bytes + block->start : NULL;
}

bool stream_queue_set_bits(struct stream_queue *queue, uint64_t back, uint8_t bits)
{
	if (back == 0 || back > queue->len)
		return false;
	size_t ahead = queue->len - (size_t)back;
	struct stream_block *block = queue->first;
	for (; ahead >= block->end - block->start; block = block->next)
		ahead -= block->end - block->start;
	block->bytes[block->start + ahead] |= bits;
	return true;
}

void stream_queue_consume(struct stream_queue *queue, size_t len)
{
	if (len > queue->len)
		abort();
	queue->len -= len;
	while (queue->first != NULL) {
		struct stream_block *block = queue->first;
		size_t rest = block->end - block->start;
		if (len < rest) {
			block->start += (uint32_t)len;
			return;
		}
		len -= rest;
		drop_first(queue);
	}
}

void stream_queue_move(struct stream_queue *queue, struct stream_queue *from, size_t len)
{
	if (len > from->len)
		abort();
	while (len > 0) {
		size_t run;
		const uint8_t *data = stream_queue_peek(from, &run);
		if (run > len)
			run = len;
		stream_queue_append(queue, data, run);
		stream_queue_consume(from, run);
		len -= run;
	}
}

void stream_queue_clear(struct stream_queue *queue)
{
	while (queue->first != NULL)
		drop_first(queue);
	queue->len = 0;
}

static void trim(struct spare *spare)
{
	struct stream_block *next;
	for (struct stream_block *block = spare->first; block != NULL; block = next) {
		next = block->next;
		free(block);
	}
	spare->first = NULL;
	spare->count = 0;
}

void stream_queue_trim(void)
{
	trim(&large);
	trim(&small);
}
