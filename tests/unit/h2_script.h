/* Frames of HTTP/2 as text and back, for tests that speak them by hand.
 *
 * Written: "TYPE/flags STREAM PAYLOAD...", with ';' between frames. TYPE is DATA, HEADERS,
 * PRIORITY, RST, SETTINGS, PROMISE, PING, GOAWAY, WINDOW, CONTINUATION, or "t" and a number. Flags
 * are letters: e (END_STREAM, ACK), h (END_HEADERS), p (PADDED), y (priority). Pieces of the
 * payload:
 * "#" and hex digits, "=" and a number of 32 bits, "x" and how many letters, "z" and how many
 * zeros, "NAME:VALUE" of a setting, "[name: value, ...]" of a header block, or GET, POST, HEAD, OK,
 * TRAILERS: blocks that are often needed.
 *
 * Read, with the same names: "DATA/e 1 10", "HEADERS/e 1 [:status: 200]" joined with what continues
 * it, "RST 1 CANCEL", "GOAWAY 5 NO_ERROR", "WINDOW 1 +100", "SETTINGS/e", "PING/e
 * 0000000000000000". */
#ifndef EKSGATE_TESTS_H2_SCRIPT_H
#define EKSGATE_TESTS_H2_SCRIPT_H

#include <nghttp2/nghttp2.h>
#include <stddef.h>

#include "common/buf.h"

/* One frame, up to `len`. */
void h2_script_write(struct buf *out, const char *text, size_t len);
/* All of `frames`, which must be whole, each of a length that any peer takes. */
void h2_script_read(struct buf *text, nghttp2_hd_inflater *reader, const void *frames, size_t len);
/* A block without any dynamic table: "name: value, name: value". */
void h2_script_block(struct buf *out, const char *fields, size_t len);

#endif
