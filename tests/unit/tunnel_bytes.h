/* What the two ends of an exec's tunnel send, as bytes: WebSocket frames and SPDY/3.1 frames; and
 * what their reader tells of them, as text. */
#ifndef EKSGATE_TESTS_TUNNEL_BYTES_H
#define EKSGATE_TESTS_TUNNEL_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <zlib.h>

#include "common/buf.h"
#include "kubeproxyd/record/remote_command.h"

/* A frame whose first byte is `first` (0x82: a whole binary message). */
void ws_frame(struct buf *out, int first, bool is_masked, const char *data, size_t len);
/* A binary message of a channel. */
void ws_message(struct buf *out, bool is_masked, char channel, const char *text);

/* One direction's header blocks. */
struct spdy_end {
	z_stream deflater;
};
void spdy_end_init(struct spdy_end *end);
void spdy_end_free(struct spdy_end *end);
/* A frame with a header block: `block` is made of a number, how many headers, and the words of
 * each.
 */
enum spdy_frame { SPDY_OPEN = 1, SPDY_REPLY = 2, SPDY_HEADERS = 8 };
void spdy_headers(struct spdy_end *end, struct buf *out, enum spdy_frame frame, uint32_t id,
    const struct buf *block);
void spdy_number(struct buf *block, uint32_t number);
void spdy_word(struct buf *block, const char *word, size_t len);
/* SYN_STREAM with the header "streamtype". */
void spdy_open(struct spdy_end *end, struct buf *out, uint32_t id, const char *type);
void spdy_data(struct buf *out, uint32_t id, const char *text, bool is_last);

/* For remote_command_new(): adds "o:TEXT" to a struct buf, the stream's letter being one of
 * i, o, e, x (the status) and r (sizes); "; " behind a message that is over. */
void tunnel_note(
    void *seen, enum remote_stream stream, const uint8_t *data, size_t len, bool is_last);

#endif
