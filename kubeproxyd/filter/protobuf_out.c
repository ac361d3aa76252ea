/* The way out of a protobuf filter. What is added to a list is held in memory up to a limit, and
 * put away each time that is reached; once all of it is there, its length is written and it leaves
 * in pieces, as fast as whoever reads it takes them. Called by the filters of lists and watches. */
#include "kubeproxyd/filter/protobuf_out.h"

#include "kubeproxyd/policy/protobuf.h"

/* What is sent in one piece, about. */
#define PIECE ((size_t)16 * 1024)

static void emit(struct protobuf_out *out, const void *data, size_t len)
{
	if (len > 0)
		out->events->emit(out->arg, data, len);
}

/* Straight on, in pieces: nothing long is copied. */
static void send(struct protobuf_out *out, const void *data, size_t len)
{
	if (out->pending.len + len > PIECE)
		protobuf_out_flush(out);
	if (len > PIECE)
		emit(out, data, len);
	else
		buf_append(&out->pending, data, len);
}

void protobuf_out_flush(struct protobuf_out *out)
{
	emit(out, out->pending.data, out->pending.len);
	buf_clear(&out->pending);
}

/* --- a list ---------------------------------------------------------------------------------- */

static void put_away(struct protobuf_out *out)
{
	const struct filter_events *events = out->events;
	out->is_refused =
	    events->put_away == NULL ||
	    !events->put_away(out->arg, (const uint8_t *)out->held.data, out->held.len);
	out->put_away += out->held.len;
	buf_clear(&out->held);
}

static void hold(struct protobuf_out *out, const char *data, size_t len)
{
	while (len > 0 && !out->is_refused) {
		if (out->held.len == out->held_max)
			put_away(out);
		size_t room = out->held_max - out->held.len;
		size_t part = len < room ? len : room;
		buf_append(&out->held, data, part);
		data += part;
		len -= part;
	}
}

void protobuf_out_add(struct protobuf_out *out, const void *data, size_t len)
{
	switch (out->place) {
	case PROTOBUF_OUTSIDE:
		send(out, data, len);
		break;
	case PROTOBUF_WITHIN:
		hold(out, data, len);
		break;
	case PROTOBUF_BEHIND:
		buf_append(&out->behind, data, len);
	}
}

void protobuf_out_begin_list(struct protobuf_out *out, uint32_t number)
{
	out->place = PROTOBUF_WITHIN;
	out->number = number;
}

void protobuf_out_end_list(struct protobuf_out *out)
{
	out->place = PROTOBUF_BEHIND;
}

/* --- the end --------------------------------------------------------------------------------- */

void protobuf_out_finish(struct protobuf_out *out)
{
	if (out->place == PROTOBUF_BEHIND)
		protobuf_add_head(&out->pending, out->number, out->put_away + out->held.len);
}

static bool fetch(struct protobuf_out *out, size_t *len)
{
	uint8_t piece[FILTER_FETCH_MAX];
	uint64_t left = out->put_away - out->fetched;
	*len = left < sizeof piece ? (size_t)left : sizeof piece;
	if (!out->events->fetch(out->arg, piece, *len))
		return false;
	out->fetched += *len;
	emit(out, piece, *len);
	return true;
}

static size_t let_go(struct protobuf_out *out, struct buf *part)
{
	size_t len = part->len;
	emit(out, part->data, len);
	buf_free_secret(part);
	return len;
}

bool protobuf_out_next(struct protobuf_out *out, size_t *len)
{
	*len = let_go(out, &out->pending);
	if (*len == 0 && out->fetched < out->put_away)
		return fetch(out, len);
	if (*len == 0)
		*len = let_go(out, &out->held);
	if (*len == 0)
		*len = let_go(out, &out->behind);
	return true;
}

void protobuf_out_free(struct protobuf_out *out)
{
	buf_free_secret(&out->pending);
	buf_free_secret(&out->held);
	buf_free_secret(&out->behind);
}
