/* Encoded fields that wait for their frame. They stand one behind the other in one buffer of the
 * connection; positions count from its beginning on, so that what was written can make room for
 * what comes while others wait. Called by session_h2 and upstream_h2. */
#include "kubeproxyd/http/h2_tail.h"

#include <stdlib.h>
#include <string.h>

#include "common/decimal.h"
#include "kubeproxyd/http/h2_fields.h"
#include "kubeproxyd/http/hpack.h"

/* Kept for the next heads of the connection when nothing waits. */
#define KEEP_MAX ((size_t)4 * 1024)
/* More, which a busy connection fills each turn, goes around among all. */
#define SPARE_MAX ((size_t)64 * 1024)
#define SPARES	  16
/* What else may be in a frame that was not counted: pseudo fields as nghttp2 encodes them. */
#define MARGIN 1024u

static struct buf spares[SPARES];
static size_t spare_count;

static void take_spare(struct h2_tails *tails)
{
	if (tails->bytes.data == NULL && spare_count > 0)
		tails->bytes = spares[--spare_count];
}

/* Nothing of it is needed any more. */
static void give_back(struct h2_tails *tails)
{
	buf_clear(&tails->bytes);
	if (tails->bytes.cap <= KEEP_MAX)
		return;
	if (tails->bytes.cap > SPARE_MAX || spare_count == SPARES) {
		buf_free(&tails->bytes);
		return;
	}
	spares[spare_count++] = tails->bytes;
	tails->bytes = (struct buf){0};
}

/* At most so long when encoded. */
static size_t bound_of(const struct http_head *head)
{
	return head->fields.block_len + HPACK_APPEND_EXTRA * (head->fields.count + 1) + 64;
}

static void append_length(struct buf *out, const struct http_head *head)
{
	char text[DECIMAL_TEXT];
	if (!h2_head_says_length(head))
		return;
	size_t len = decimal_write(text, head->content_length);
	hpack_append(out, "content-length", strlen("content-length"), text, len, false);
}

bool h2_tail_encode(struct h2_tails *tails, struct h2_tail *tail, const struct http_head *head,
    uint32_t except, size_t other)
{
	const struct http_fields *fields = &head->fields;
	size_t bound = bound_of(head);
	if (bound + other + MARGIN > H2_FRAME_PAYLOAD_MAX)
		return false;
	take_spare(tails);
	size_t before = tails->bytes.len;
	buf_make_room(&tails->bytes, bound);
	for (size_t i = 0; i < fields->count; i++) {
		const struct http_field *field = &fields->items[i];
		if ((field->traits & except) == 0)
			hpack_append(&tails->bytes, fields_name(fields, i), field->name_len,
			    fields_value(fields, i), field->value_len,
			    (field->traits & FIELD_PRIVATE) != 0);
	}
	append_length(&tails->bytes, head);
	*tail = (struct h2_tail){
	    .at = tails->base + before,
	    .len = (uint32_t)(tails->bytes.len - before),
	    .is_waiting = true,
	};
	tails->waiting++;
	return true;
}

const char *h2_tail_bytes(const struct h2_tails *tails, const struct h2_tail *tail)
{
	if (tail->at < tails->base)
		abort(); /* written out of order: a defect */
	return tails->bytes.data + (tail->at - tails->base);
}

void h2_tail_drop(struct h2_tails *tails, struct h2_tail *tail)
{
	if (!tail->is_waiting)
		return;
	tail->is_waiting = false;
	if (--tails->waiting > 0)
		return;
	tails->base = 0;
	give_back(tails);
}

void h2_tail_written(struct h2_tails *tails, struct h2_tail *tail)
{
	size_t done = (size_t)(tail->at - tails->base) + tail->len;
	h2_tail_drop(tails, tail);
	/* Others wait: what stands before them goes once it is the larger half. */
	if (tails->waiting == 0 || done < KEEP_MAX || done < tails->bytes.len / 2)
		return;
	buf_consume(&tails->bytes, done);
	tails->base += done;
}

void h2_tails_free(struct h2_tails *tails)
{
	buf_free(&tails->bytes);
	*tails = (struct h2_tails){0};
}

void h2_frame_header_grown(
    uint8_t header[H2_FRAME_HEADER], const uint8_t *frame, size_t frame_len, size_t more)
{
	size_t payload = frame_len - H2_FRAME_HEADER + more;
	memcpy(header, frame, H2_FRAME_HEADER);
	header[0] = (uint8_t)(payload >> 16);
	header[1] = (uint8_t)(payload >> 8);
	header[2] = (uint8_t)payload;
}
