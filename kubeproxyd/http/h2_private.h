/* What the files of the HTTP/2 engine share: h2.c owns the connection, h2_streams.c its streams,
 * h2_receive.c and h2_frames.c read frames, h2_heads.c heads, h2_send.c writes. */
#ifndef EKSGATE_H2_PRIVATE_H
#define EKSGATE_H2_PRIVATE_H

#include "kubeproxyd/http/h2.h"

/* --- h2.c */

#define H2_PREFACE_LEN 24u
/* The next bytes of what clients begin with (3.4). False: they are something else. */
bool h2_take_preface(struct h2 *h2, const uint8_t *data, size_t len, size_t *used) MUST_USE;

/* h2_reset(), said by `put`: one of those of h2_send.c. */
typedef void h2_put(struct h2 *h2, const struct h2_frame *frame, const void *payload);
void h2_stream_reset(struct h2_stream *stream, uint32_t code, h2_put *put);

/* --- h2_streams.c */

/* NULL: idle, or closed. */
struct h2_stream *h2_find(const struct h2 *h2, uint32_t id) MUST_USE;
/* `stream` opens with this identifier. */
void h2_stream_open(struct h2 *h2, struct h2_stream *stream, uint32_t id);
/* It is no stream of the connection any more; nothing is told. */
void h2_stream_forget(struct h2_stream *stream);
/* The same, and its owner learns of it. */
void h2_stream_close(struct h2_stream *stream, uint32_t code);
/* Whether an event left `stream` what it was: its memory may serve another one by now. */
static inline bool h2_is_still(const struct h2 *h2, const struct h2_stream *stream, uint32_t id)
{
	return !h2->is_stopped && stream->h2 == h2 && stream->id == id;
}
void h2_list_sendable(struct h2_stream *stream);
void h2_unlist(struct h2_stream *stream);
/* Each stream, in no order; `fn` opens and closes none. */
void h2_each(struct h2 *h2, void (*fn)(struct h2_stream *stream, int64_t number), int64_t number);
/* What the peer lets any of them send; below all there can be without a stream. */
int64_t h2_largest_credit(const struct h2 *h2) MUST_USE;
/* The open stream with the lowest identifier above `id`, or NULL. */
struct h2_stream *h2_first_above(const struct h2 *h2, uint32_t id) MUST_USE;

/* --- h2_send.c */

/* A frame without a stream's data, behind all that is to be written. */
void h2_put_frame(struct h2 *h2, const struct h2_frame *frame, const void *payload);
/* The same for one that an end of the connection owes for what came. */
void h2_put_reply(struct h2 *h2, const struct h2_frame *frame, const void *payload);
void h2_put_window(struct h2 *h2, uint32_t id, int64_t more);

/* --- h2_frames.c: a whole frame but DATA, or a whole head */

/* False: see h2_receive(). */
bool h2_take_frame(struct h2 *h2, const struct h2_frame *frame, const uint8_t *payload) MUST_USE;
/* The connection is given up because of what came. */
void h2_fail(struct h2 *h2, uint32_t code, const char *why);
/* The stream is. */
void h2_stream_fail(struct h2_stream *stream, uint32_t code, const char *why);
/* An identifier that was never used: what comes for it is an error of the connection (5.1). */
bool h2_is_idle(const struct h2 *h2, uint32_t id) MUST_USE;

/* --- h2_heads.c */

void h2_take_head(struct h2 *h2, const struct h2_frame *frame, const uint8_t *payload);
void h2_take_continuation(struct h2 *h2, const struct h2_frame *frame, const uint8_t *payload);
/* END_STREAM came; the body is as long as announced, or the stream fails. */
void h2_end_peer(struct h2_stream *stream);

#endif
