/* The way out of a protobuf filter. A list is held until its end or until it is too long for that;
 * then the length that is announced is what is held and all that is to come, and what is dropped
 * from there on is owed: it is paid in filler, fields of zeroes that no decoder knows. Called by
 * the filters of lists and watches. */
#include "kubeproxyd/filter/protobuf_out.h"

#include "kubeproxyd/filter/protobuf_filter.h"
#include "kubeproxyd/policy/protobuf.h"

/* What is sent in one piece, about. */
#define PIECE ((size_t)16 * 1024)
/* Of the filler: its tag, and how long it is but at the list's end. */
#define TAG_BYTES    1
#define FILLER_BYTES ((uint64_t)32 * 1024)

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

/* --- a list ---------------------------------------------------------------------------------- */

static void announce(struct protobuf_out *out)
{
	out->is_announced = true;
	protobuf_add_head(&out->pending, out->number, out->held.len + out->still_to_come);
	protobuf_out_flush(out);
	emit(out, out->held.data, out->held.len);
	buf_free_secret(&out->held);
}

void protobuf_out_add(struct protobuf_out *out, const void *data, size_t len)
{
	if (out->is_in_list && !out->is_announced && out->held.len + len > out->held_max)
		announce(out);
	if (out->is_in_list)
		out->still_to_come -= len;
	if (out->is_in_list && !out->is_announced)
		buf_append(&out->held, data, len);
	else
		send(out, data, len);
}

static void pay_zeroes(struct protobuf_out *out, uint64_t len)
{
	static const uint8_t zeroes[4096];
	for (uint64_t left = len; left > 0;) {
		size_t part = left < sizeof zeroes ? (size_t)left : sizeof zeroes;
		send(out, zeroes, part);
		left -= part;
	}
}

static void pay_field(struct protobuf_out *out, uint64_t content)
{
	struct buf head = {0};
	protobuf_add_head(&head, PROTOBUF_FILLER_FIELD, content);
	send(out, head.data, head.len);
	buf_free(&head);
	pay_zeroes(out, content);
}

static uint64_t field_bytes(uint64_t content)
{
	uint64_t bytes = TAG_BYTES + 1 + content;
	for (; content >= 0x80; content >>= 7)
		bytes++;
	return bytes;
}

/* The most content that makes a field of at most `size` bytes. */
static uint64_t content_within(uint64_t size)
{
	uint64_t content = size - field_bytes(0);
	while (field_bytes(content) > size)
		content--;
	return content;
}

/* No field is as long as a longer length makes it leap over (127 bytes make 129, 128 make 131): an
 * empty one stands before it then. */
static void pay(struct protobuf_out *out, uint64_t size)
{
	uint64_t content = content_within(size);
	if (field_bytes(content) < size) {
		pay_field(out, 0);
		content = content_within(size - field_bytes(0));
	}
	pay_field(out, content);
	out->owed -= size;
}

/* Paid as it comes, so that no burst of it stands at the end; something stays, since no field has
 * one byte. */
void protobuf_out_drop(struct protobuf_out *out, uint64_t len)
{
	out->still_to_come -= len;
	if (!out->is_announced)
		return;
	out->owed += len;
	while (out->owed >= FILLER_BYTES + field_bytes(0))
		pay(out, FILLER_BYTES);
}

void protobuf_out_begin_list(struct protobuf_out *out, uint32_t number, uint64_t len)
{
	out->is_in_list = true;
	out->is_announced = false;
	out->number = number;
	out->still_to_come = len;
	out->owed = 0;
}

void protobuf_out_end_list(struct protobuf_out *out)
{
	if (!out->is_announced)
		announce(out);
	if (out->owed > 0)
		pay(out, out->owed);
	out->is_in_list = false;
}

/* --- the rest -------------------------------------------------------------------------------- */

void protobuf_out_flush(struct protobuf_out *out)
{
	emit(out, out->pending.data, out->pending.len);
	buf_clear(&out->pending);
}

void protobuf_out_free(struct protobuf_out *out)
{
	buf_free_secret(&out->pending);
	buf_free_secret(&out->held);
}
