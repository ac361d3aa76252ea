/* The streams of a connection: found by their identifiers, in a table of chains that grows with
 * their number; identifiers are consecutive odd numbers, so they need no hashing. A stream that is
 * over is forgotten: the identifiers used so far tell a closed one from an idle one. */
#include <stdlib.h>

#include "common/xmem.h"
#include "kubeproxyd/http/h2_private.h"

#define SLOTS_FIRST 8

static struct h2_stream **slot_of(const struct h2 *h2, uint32_t id)
{
	return &h2->slots[(id >> 1) & (h2->slot_count - 1)];
}

struct h2_stream *h2_find(const struct h2 *h2, uint32_t id)
{
	if (h2->count == 0)
		return NULL;
	struct h2_stream *stream = *slot_of(h2, id);
	while (stream != NULL && stream->id != id)
		stream = stream->next;
	return stream;
}

static void insert(struct h2 *h2, struct h2_stream *stream)
{
	struct h2_stream **slot = slot_of(h2, stream->id);
	stream->next = *slot;
	*slot = stream;
}

static void grow(struct h2 *h2)
{
	struct h2_stream **old = h2->slots;
	size_t old_count = h2->slot_count;
	h2->slot_count = old_count == 0 ? SLOTS_FIRST : old_count * 2;
	h2->slots = xcalloc(h2->slot_count, sizeof(struct h2_stream *));
	for (size_t i = 0; i < old_count; i++) {
		struct h2_stream *stream = old[i], *next;
		for (; stream != NULL; stream = next) {
			next = stream->next;
			insert(h2, stream);
		}
	}
	free(old);
}

void h2_stream_open(struct h2 *h2, struct h2_stream *stream, uint32_t id)
{
	if (h2->count == h2->slot_count)
		grow(h2);
	stream->h2 = h2;
	stream->id = id;
	stream->window = (struct h2_window){.size = h2->options.stream_window};
	stream->credit = h2->initial_credit;
	stream->missing = -1;
	h2->count++;
	insert(h2, stream);
}

void h2_list_sendable(struct h2_stream *stream)
{
	if (stream->is_listed || stream->is_waiting)
		return;
	stream->is_listed = true;
	TAILQ_INSERT_TAIL(&stream->h2->sendable, stream, entry);
}

void h2_unlist(struct h2_stream *stream)
{
	if (stream->is_listed)
		TAILQ_REMOVE(&stream->h2->sendable, stream, entry);
	if (stream->is_waiting)
		TAILQ_REMOVE(&stream->h2->waiting, stream, entry);
	stream->is_listed = stream->is_waiting = false;
}

void h2_stream_forget(struct h2_stream *stream)
{
	struct h2 *h2 = stream->h2;
	bool is_open = !stream->is_waiting;
	stream->was_sent = h2_is_sent(stream);
	h2_unlist(stream);
	buf_free_secret(&stream->waiting);
	stream->h2 = NULL;
	if (!is_open)
		return;
	struct h2_stream **at = slot_of(h2, stream->id);
	while (*at != stream)
		at = &(*at)->next;
	*at = stream->next;
	h2->count--;
}

void h2_stream_close(struct h2_stream *stream, uint32_t code)
{
	struct h2 *h2 = stream->h2;
	h2_stream_forget(stream);
	if (!h2->is_stopped)
		h2->events->on_close(stream, code);
}

void h2_each(struct h2 *h2, void (*fn)(struct h2_stream *stream, int64_t number), int64_t number)
{
	for (size_t i = 0; i < h2->slot_count; i++) {
		for (struct h2_stream *stream = h2->slots[i]; stream != NULL; stream = stream->next)
			fn(stream, number);
	}
}

int64_t h2_largest_credit(const struct h2 *h2)
{
	int64_t largest = INT64_MIN;
	for (size_t i = 0; i < h2->slot_count; i++) {
		for (const struct h2_stream *stream = h2->slots[i]; stream != NULL;
		     stream = stream->next) {
			if (stream->credit > largest)
				largest = stream->credit;
		}
	}
	return largest;
}

struct h2_stream *h2_first_above(const struct h2 *h2, uint32_t id)
{
	struct h2_stream *first = NULL;
	for (size_t i = 0; i < h2->slot_count; i++) {
		for (struct h2_stream *stream = h2->slots[i]; stream != NULL;
		     stream = stream->next) {
			if (stream->id > id && (first == NULL || stream->id < first->id))
				first = stream;
		}
	}
	return first;
}
